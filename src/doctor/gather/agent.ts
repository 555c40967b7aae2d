/** Whether there is an agent, and what it left or holds where it does not answer. */
import type { ApiClient } from "../../agent/api/client.ts";
import type { AgentStatus } from "../../agent/api/status-types.ts";
import { readDevices } from "../../host/read.ts";
import { holdersOfTaps } from "../../io/linux/holders.ts";
import type { AgentEvidence, Attempt, TapEvidence } from "../evidence.ts";
import { failureOf, WORKED } from "./attempt.ts";
import { readHostLinks } from "./ip.ts";
import { stateOf } from "./proc.ts";

/**
 * Asks for the status. That of an agent that does not forward yet, or not any more, says nothing of its node.
 * @throws ApiClientError `PERMISSION`: then there is nothing that doctor could say
 */
export async function askAgent(
  client: ApiClient,
): Promise<{ evidence: AgentEvidence; status: AgentStatus | null }> {
  const socket = client.path;
  try {
    const status = await client.status();
    const answer = whyNot(status);
    const judged = answer.code === "" ? status : null;
    return { evidence: { socket, answer, taps: [] }, status: judged };
  } catch (error) {
    const answer = failureOf(error);
    if (answer.code === "PERMISSION") throw error;
    return { evidence: { socket, answer, taps: await ourTaps() }, status: null };
  }
}

/** Why there is nothing to judge. */
function whyNot({ state, underlays, health }: AgentStatus): Attempt {
  if (state !== "running" && state !== "degraded") {
    return { code: "STARTING", message: `the agent is ${state}`, remedy: "" };
  }
  if (underlays.every(({ dataplane }) => dataplane.slots !== null)) return WORKED;
  const [first] = health.filter(({ level }) => level === "error");
  const message = first?.message ?? "the dataplane does not answer";
  return { code: "DATAPLANE", message, remedy: first?.remedy ?? "" };
}

/** TAPs of the form that an agent makes (`host/link.ts`). */
async function ourTaps(): Promise<TapEvidence[]> {
  const links = (await readHostLinks()).filter(
    ({ tun }) => tun?.mode === "tap" && tun.multiQueue && tun.vnetHeader && tun.persistent,
  );
  if (links.length === 0) return [];
  const states = await readDevices(links.map(({ name }) => name));
  const holdersOf = holdersOfTaps();
  return links.map(({ name, tun }) => ({
    name,
    queues: tun!.queues,
    holders: holdersOf(name).map((one) => ({ ...one, state: stateOf(one.pid) })),
    routes: states.get(name)?.routes.length ?? 0,
  }));
}
