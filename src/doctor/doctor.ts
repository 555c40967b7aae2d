/**
 * `poplin doctor`: looks at this host, and at its agent, and says what is wrong. It changes nothing that stays: what it
 * makes to try something (a socket, before there is an agent a TAP) is gone with it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../agent/api/client.ts";
import type { AgentConfig } from "../agent/config/load.ts";
import { type Check, examine, type Report } from "./check.ts";
import { CLUSTER } from "./checks/cluster.ts";
import { DEVICE } from "./checks/device.ts";
import { mayNotEcho } from "./checks/rights.ts";
import { ROWS } from "./checks/rows.ts";
import type { Evidence } from "./evidence.ts";
import { askAgent } from "./gather/agent.ts";
import { lookAtNode } from "./gather/node.ts";
import { openTun, rights } from "./gather/rights.ts";
import { lookAtStart } from "./gather/start.ts";
import { CHECKS } from "./table.ts";

/** Milliseconds in which an agent puts right what somebody has changed, and some more: by itself, or every five seconds. */
const REPAIRS: readonly (readonly [checks: readonly Check[], time: number])[] = [
  [[...DEVICE, ...ROWS], 1500],
  [CLUSTER.filter(({ code }) => code === "subnet-env-stale"), 6000],
];

/** Before there is an agent. @param config what it would be started with */
export async function examineStart(config: AgentConfig): Promise<Report> {
  const held = { rights: await rights(), tun: await openTun() };
  return examine({ ...held, start: await lookAtStart(config), agent: null, node: null }, CHECKS);
}

/**
 * A host with an agent, or where there should be one.
 * @param cniFolder where the container runtime reads its network's configuration
 * @throws ApiClientError `PERMISSION` where the agent may not be asked
 */
export async function examineNode(client: ApiClient, cniFolder: string): Promise<Report> {
  const held = { rights: await rights(), tun: await openTun(), start: null };
  const { evidence: agent, status } = await askAgent(client);
  if (status === null) return examine({ ...held, agent, node: null }, CHECKS);
  const echoing = !mayNotEcho(held.rights);
  const node = await lookAtNode(client, status, { cniFolder, echoing });
  const first: Evidence = { ...held, agent, node };
  const wrong = REPAIRS.filter(([checks]) => examine(first, checks).findings.length > 0);
  if (wrong.length === 0) return examine(first, CHECKS);
  // All of it anew: what was not as it should be may have been put right meanwhile, and peers may answer now.
  await sleep(Math.max(...wrong.map(([, time]) => time)));
  const again = await lookAtNode(client, await client.status(), { cniFolder, echoing });
  return examine({ ...first, node: again }, CHECKS);
}
