/** A drop as the agent tells of it: an ICMP packet of a stranger. */
import type { AgentEvent } from "../../src/agent/api/agent-view.ts";

export type Drop = Extract<AgentEvent, { type: "drop" }>;

const AT = new Date(2026, 10, 20, 7, 8, 9, 12).toISOString();

export const STRANGER: Drop = {
  type: "drop",
  direction: "rx",
  reason: "UNKNOWN_VTEP",
  vni: 1,
  dev: "flannel.1",
  error: null,
  remote: { address: "172.19.0.99", port: 41234 },
  header: { flags: "08000000", vni: 1 },
  length: 98,
  frame: { source: "5e:00:00:00:00:01", destination: "5e:00:00:00:00:02", etherType: 0x0800 },
  packet: { source: "10.244.1.2", destination: "10.244.0.3", protocol: 1, ports: null },
  at: AT,
};
