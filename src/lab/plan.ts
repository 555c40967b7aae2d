/**
 * Who has which address in a lab of nodes: the numbers of a kind cluster with flannel, as the study behind poplin
 * shows it. Node number n (from 0) is 172.19.0.(n + 2) on the underlay and has the pods of one 10.244.x.0/24.
 */

import { existsSync } from "node:fs";

/** Whether this kernel runs with IPv6. */
export const IPV6 = existsSync("/proc/sys/net/ipv6");

/** The lines, or none where the kernel runs without IPv6. */
export function ifIpv6(...lines: string[]): string[] {
  return IPV6 ? lines : [];
}

export interface NodePlan {
  /** "node-a". */
  readonly name: string;
  /** Underlay addresses, without prefix length. */
  readonly address: string;
  readonly address6: string;
  /** The pods' subnets: "10.244.1.0/24", "fd00:10:244:1::/64". */
  readonly subnet: string;
  readonly subnet6: string;
  /** First address of each subnet, which flannel gives to the overlay device: "10.244.1.0", "fd00:10:244:1::". */
  readonly overlay: string;
  readonly overlay6: string;
  /** The bridge's address, the pods' gateway: "10.244.1.1", "fd00:10:244:1::1". */
  readonly gateway: string;
  readonly gateway6: string;
  readonly vtepMac: string;
}

/** The machines' network, and who routes in it where there is a router. */
export const UNDERLAY = {
  network: "172.19.0.0/16",
  prefix: 16,
  prefix6: 64,
  gateway: "172.19.0.1",
  gateway6: "fd00:172:19::1",
} as const;

export interface PlanOptions {
  /** The pods' subnet is 10.244.<pods>.0/24; the node's number + 1 when left out. */
  readonly pods?: number;
  readonly vtepMac?: string;
}

/** @param index the node's number, from 0 */
export function planNode(name: string, index: number, options: PlanOptions = {}): NodePlan {
  const pods = options.pods ?? index + 1;
  // Locally administered, with the overlay address in it, as CNI plugins make MACs.
  const mac = `0a:58:0a:f4:${pods.toString(16).padStart(2, "0")}:00`;
  return {
    name,
    address: `172.19.0.${index + 2}`,
    address6: `fd00:172:19::${(index + 2).toString(16)}`,
    subnet: `10.244.${pods}.0/24`,
    subnet6: `fd00:10:244:${pods.toString(16)}::/64`,
    overlay: `10.244.${pods}.0`,
    overlay6: `fd00:10:244:${pods.toString(16)}::`,
    gateway: `10.244.${pods}.1`,
    gateway6: `fd00:10:244:${pods.toString(16)}::1`,
    vtepMac: options.vtepMac ?? mac,
  };
}

/** Address of pod number `n` (from 2, as 1 is the gateway) of a node. */
export function podAddress(plan: NodePlan, n = 2): { readonly v4: string; readonly v6: string } {
  return { v4: plan.gateway.replace(/1$/, String(n)), v6: plan.gateway6.replace(/1$/, n.toString(16)) };
}

/** "pod-a" for "node-a", "worker-pod" for "worker". */
export function podName(node: string): string {
  return node.startsWith("node-") ? `pod-${node.slice("node-".length)}` : `${node}-pod`;
}
