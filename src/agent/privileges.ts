/** What an agent may do that other processes may not, and for what it needs it. */
import { readFileSync } from "node:fs";
import type { AgentConfig } from "./config/load.ts";

/** A capability (capabilities(7)), and why it is needed. */
export interface Need {
  readonly capability: string;
  readonly why: string;
}

/**
 * @param firewall the kind of rules that a node of a flannel cluster sets; null where it sets none
 * @param pings whether ping sockets do without CAP_NET_RAW
 */
export function neededBy(
  configs: readonly AgentConfig[],
  firewall: "iptables" | "nftables" | null,
  pings: boolean = mayPing(),
): Need[] {
  const needs: Need[] = [];
  const need = (capability: string, why: string): void => void needs.push({ capability, why });
  need("CAP_NET_ADMIN", "makes the TAP, and sets its addresses, neighbours and routes");
  if (firewall !== null) need("CAP_NET_ADMIN", `sets flannel's rules, by ${firewall}, and IP forwarding`);
  if (configs.some(({ underlay }) => underlay === "raw")) {
    need("CAP_NET_RAW", "writes outer headers itself (underlay: raw)");
  }
  if (!pings && configs.some(({ pmtuProbe }) => pmtuProbe !== "off")) {
    need("CAP_NET_RAW", "looks for path MTUs by pings (pmtuProbe); net.ipv4.ping_group_range leaves it out");
  }
  if (firewall === "iptables") need("CAP_NET_RAW", "iptables-legacy asks the kernel by a raw socket");
  const low = configs.find(({ port }) => port < firstUnprivilegedPort());
  if (low !== undefined) need("CAP_NET_BIND_SERVICE", `receives on port ${low.port}`);
  return needs;
}

/** Whether this process may open ping sockets: one of its groups is in net.ipv4.ping_group_range (icmp(7)). */
function mayPing(): boolean {
  const [first = 1, last = 0] = sysctl("ping_group_range").split(/\s+/).map(Number);
  const groups = [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])];
  return groups.some((group) => group >= first && group <= last);
}

function firstUnprivilegedPort(): number {
  return Number(sysctl("ip_unprivileged_port_start") || 1024);
}

/** @returns its value in this network namespace, "" where there is none */
function sysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim();
  } catch {
    return "";
  }
}
