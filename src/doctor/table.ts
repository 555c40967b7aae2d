/** All checks, in the order in which they are judged: what explains others comes first. */
import type { Check } from "./check.ts";
import { AGENT, AGENT_SAYS } from "./checks/agent.ts";
import { CLUSTER, PODS } from "./checks/cluster.ts";
import { DEVICE } from "./checks/device.ts";
import { FIREWALL } from "./checks/firewall.ts";
import { FORWARDING } from "./checks/forwarding.ts";
import { PEERS } from "./checks/peers.ts";
import { RIGHTS } from "./checks/rights.ts";
import { ROWS } from "./checks/rows.ts";
import { START } from "./checks/start.ts";
import { UNDERLAY } from "./checks/underlay.ts";

const SPECIFIC: readonly Check[] = [
  ...RIGHTS,
  ...START,
  ...AGENT,
  ...UNDERLAY,
  ...DEVICE,
  ...ROWS,
  ...FORWARDING,
  ...FIREWALL,
  ...PEERS,
  ...PODS,
  ...CLUSTER,
];

/** What the agent complains of may be what was found already, in other words. */
export const CHECKS: readonly Check[] = [
  ...SPECIFIC,
  { ...AGENT_SAYS, unless: SPECIFIC.map(({ code }) => code) },
];
