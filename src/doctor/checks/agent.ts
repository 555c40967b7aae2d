/** Whether there is an agent that answers; and last of all, what it says itself that no other check has found. */

import type { ProcessName } from "../../io/linux/holders.ts";
import type { Check, Fault } from "../check.ts";
import type { AgentEvidence, TapEvidence } from "../evidence.ts";

function holdersOf({ taps }: AgentEvidence) {
  return taps.flatMap(({ name, holders }) => holders.map((holder) => ({ name, ...holder })));
}

function nameOf(holder: ProcessName | undefined): string {
  if (holder === undefined) return "a process that cannot be seen from here";
  return `${holder.command} (pid ${holder.pid})`;
}

/** TAPs of ours that nobody holds. */
function stale({ taps }: AgentEvidence): readonly TapEvidence[] {
  return taps.filter(({ queues }) => queues === 0);
}

export const AGENT: readonly Check[] = [
  {
    code: "agent-hung",
    group: "agent",
    severity: "error",
    about: "the agent answers in time",
    why: "an agent that does not answer may not forward either, and puts nothing right",
    cure: "`kill -CONT PID` where it was stopped; else look at its log, and restart it",
    judge: ({ agent }) => {
      if (agent === null) return null;
      if (agent.answer.code !== "TIMEOUT") return [];
      const held = holdersOf(agent);
      const [first] = held;
      const who = held.map(({ command, pid, state }) => `${command} (pid ${pid}) is in state ${state}`);
      return [
        {
          seen: [agent.answer.message, ...who].join("; "),
          proof: `it was asked at ${agent.socket}`,
          remedy:
            first?.state === "T"
              ? `kill -CONT ${first.pid}`
              : `look at its log${first === undefined ? "" : `, and at \`ps -L -p ${first.pid}\``}; restart it`,
        },
      ];
    },
  },
  {
    code: "socket-missing",
    group: "agent",
    severity: "error",
    about: "the agent's socket is where it is looked for",
    why: "commands cannot ask an agent whose socket is gone or elsewhere",
    cure: "name it with `--socket` or POPLIN_SOCKET; where somebody removed it, restart the agent",
    judge: ({ agent }) => {
      if (agent === null) return null;
      if (agent.answer.code !== "AGENT_NOT_RUNNING") return [];
      const held = agent.taps.filter(({ queues }) => queues > 0);
      return held.map(({ name, holders: [holder] }) => ({
        seen: `${nameOf(holder)} runs ${name}, and nobody answers at ${agent.socket}`,
        proof: "the socket was connected to; /proc says who holds the device",
        remedy: "name its socket with --socket; if it was removed, restart the agent",
      }));
    },
  },
  {
    code: "device-stale",
    group: "agent",
    severity: "error",
    about: "no device is left without an agent",
    why: "a killed agent's device keeps its routes: packets to other nodes' pods go into it, and nowhere",
    cure: "start the agent again, which takes it over; or remove it: `poplin cleanup`",
    judge: ({ agent }) => {
      if (agent === null) return null;
      if (agent.answer.code !== "AGENT_NOT_RUNNING") return [];
      return stale(agent).map(({ name, routes }) => ({
        seen: `${name} is there with ${routes === 1 ? "a route" : `${routes} routes`}, and no process holds it`,
        proof: `nobody answers at ${agent.socket}; the device has no queue (\`ip -details link show ${name}\`)`,
        remedy: `start the agent again, or \`poplin cleanup --device ${name}\``,
      }));
    },
  },
  {
    code: "agent-starting",
    group: "agent",
    severity: "error",
    about: "the agent is up",
    why: "nothing is forwarded until it is; a node of a cluster waits for its store, however long that takes",
    cure: "wait, or see in its log what it waits for",
    judge: ({ agent }) => {
      if (agent === null) return null;
      const { code, message } = agent.answer;
      if (code !== "STARTING") return [];
      return [{ seen: message, proof: `it was asked at ${agent.socket}`, remedy: "look at its log" }];
    },
  },
  {
    code: "dataplane-silent",
    group: "agent",
    severity: "error",
    about: "the dataplane answers the agent",
    why: "the threads that move packets hang, or are being opened anew: nothing is forwarded",
    cure: "restart the agent, which takes its device over; its log may say what happened",
    judge: ({ agent }) => {
      if (agent === null) return null;
      const { code, message, remedy } = agent.answer;
      if (code !== "DATAPLANE") return [];
      const proof = "the agent asked it for its state, and waited for two seconds";
      return [{ seen: message, proof, remedy: remedy || "restart the agent" }];
    },
  },
  {
    code: "agent-absent",
    group: "agent",
    severity: "error",
    about: "an agent runs",
    why: "without one nothing is forwarded",
    cure: "start one: `poplin agent --config FILE`, or `poplin flanneld`; before that, `poplin doctor --pre`",
    unless: ["agent-hung", "socket-missing", "device-stale", "agent-starting", "dataplane-silent"],
    judge: ({ agent }) => {
      if (agent === null) return null;
      const { code, message, remedy } = agent.answer;
      if (code === "") return [];
      return [{ seen: message, proof: `its socket ${agent.socket} was connected to`, remedy }];
    },
  },
];

/** Looked at last. */
export const AGENT_SAYS: Check = {
  code: "agent-complains",
  group: "agent",
  severity: "error",
  about: "the agent itself has nothing to complain of",
  why: "it knows things that cannot be seen from outside",
  cure: "each line of `poplin status` under health has its own remedy",
  judge: ({ node }): readonly Fault[] | null =>
    node === null
      ? null
      : node.status.health
          // What was refused in the last minute may be over: whether it is still so was tried (`packets-refused`).
          .filter(
            ({ level, message }) =>
              level !== "info" && !/ refused (datagrams|frames), last with/.test(message),
          )
          .map(({ level, message, remedy }) => ({
            seen: message,
            proof: "the agent's own, in `poplin status`",
            remedy: remedy ?? "see `poplin status`, and the agent's log",
            severity: level === "warning" ? "warning" : "error",
          })),
};
