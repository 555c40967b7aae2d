/** The commands of `poplin`, each with the module that has it: only that of the one which was asked for is loaded. */
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";

export interface Entry {
  readonly about: string;
  readonly load: () => Promise<Command>;
}

/** In the order of the help text. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  status: {
    about: "show the running agent (what bare `poplin` does)",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  wait: {
    about: "wait until the agent is ready",
    load: async () => (await import("./wait.ts")).waitCommand(),
  },
  stats: {
    about: "show traffic, batch sizes and drops by reason",
    load: async () => (await import("./stats.ts")).statsCommand(),
  },
  top: {
    about: "show what the overlays do right now, again every second",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  fdb: {
    about: "show or change the forwarding table",
    load: async () => (await import("./fdb.ts")).fdbCommand(),
  },
  neigh: {
    about: "show or change the addresses that are answered for (proxy)",
    load: async () => (await import("./neigh.ts")).neighCommand(),
  },
  lease: {
    about: "show the leases of the flannel cluster",
    load: async () => (await import("./lease.ts")).leaseCommand(),
  },
  reconcile: {
    about: "put back the rows that somebody has changed, or list them",
    load: async () => (await import("./reconcile.ts")).reconcileCommand(),
  },
  privileges: {
    about: "what the agent may do that others may not, and for what it needs it",
    load: async () => (await import("./privileges.ts")).privilegesCommand(),
  },
  events: {
    about: "print what happens, a line each",
    load: async () => (await import("./events.ts")).eventsCommand(),
  },
  monitor: {
    about: "print drops as they happen, each with its reason and its packet",
    load: async () => (await import("./monitor.ts")).monitorCommand(),
  },
  watch: {
    about: "watch packets as they pass, drops first, and explain any of them",
    load: async () => (await import("./watch.ts")).watchCommand(),
  },
  doctor: {
    about: "say what is wrong with this node, and what to do about it",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  ping: {
    about: "ping a peer layer by layer: underlay, UDP, VXLAN, inside",
    load: async () => (await import("./ping.ts")).pingCommand(),
  },
  "log-level": {
    about: "show or change how much the agent logs",
    load: async () => (await import("./log-level.ts")).logLevelCommand(),
  },
  report: {
    about: "write an archive for a bug report, without secrets",
    load: async () => (await import("./report.ts")).reportCommand(),
  },
  explain: {
    about: "explain a packet, every bit of it",
    load: async () => (await import("./explain.ts")).explainCommand(),
  },
  whatif: {
    about: "say what becomes of a packet with other values, and try it",
    load: async () => (await import("./whatif.ts")).whatifCommand(),
  },
  walk: {
    about: "follow one packet from pod to pod, hop by hop",
    load: async () => (await import("./walk.ts")).walkCommand(),
  },
  learn: {
    about: "lessons about VXLAN, with something to do in each",
    load: async () => (await import("./learn.ts")).learnCommand(),
  },
  capture: {
    about: "show VXLAN packets on the underlay, or write them as pcapng",
    load: async () => (await import("./capture.ts")).captureCommand(),
  },
  agent: {
    about: "run the node agent in the foreground",
    load: async () => {
      keepYoungGenerationSmall();
      return (await import("./agent.ts")).agentCommand();
    },
  },
  vtep: {
    about: "run a VXLAN device, in the words of `ip link add type vxlan`",
    load: async () => {
      keepYoungGenerationSmall();
      return (await import("./vtep.ts")).vtepCommand();
    },
  },
  flanneld: {
    about: "run a node of a flannel cluster, with flanneld's flags",
    load: async () => (await import("./flanneld.ts")).flanneldCommand(),
  },
  config: {
    about: "check a configuration, or show what it comes to",
    load: async () => (await import("./config.ts")).configCommand(),
  },
  cleanup: {
    about: "remove the device that a stopped agent left",
    load: async () => (await import("./cleanup.ts")).cleanupCommand(),
  },
  complete: {
    about: "print the script with which a shell completes commands",
    load: async () => (await import("./complete.ts")).completeCommand(),
  },
  demo: {
    about: "three nodes on this machine, joined by one overlay",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
  lab: {
    about: "a flannel cluster on this machine, to look around in",
    load: async () => (await import("./lab.ts")).labCommand(),
  },
};

/**
 * What node:dgram makes for each datagram dies young. With V8's default room to pile up (48 MB) it takes an agent past
 * 100 MB, and moves no packet faster. To be said before the agent is loaded, or the room is there already.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
