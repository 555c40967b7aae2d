/** What an agent says of the flannel cluster that it is a node of: in its health, and beside each peer. */
import type { ClusterStatus, LeaseStatus } from "./api/cluster-types.ts";
import type { HealthLine, PeerStatus } from "./api/status-types.ts";

/** What is wrong with the store, the firewall and the leases. */
export function clusterLines(cluster: ClusterStatus | null): HealthLine[] {
  if (cluster === null) return [];
  const { store, trouble, firewall, leases } = cluster;
  const lines: HealthLine[] = [];
  if (trouble !== null) {
    const message = `${store} is not heard: ${trouble}`;
    lines.push({ level: "warning", message, remedy: "what is known stays in force; it is tried again" });
  }
  if (firewall.trouble !== null) {
    const message = `the firewall's rules are not in place: ${firewall.trouble}`;
    lines.push({ level: "error", message, remedy: null });
  }
  if (leases.bad > 0) {
    const message = `leases that make no peer: ${leases.bad} of ${leases.count}`;
    lines.push({ level: "warning", message, remedy: "`poplin lease list` says why" });
  }
  return lines;
}

/** @returns for each VTEP MAC the lease of the peer that has it */
export function leasesByMac(leases: readonly LeaseStatus[]): ReadonlyMap<string, PeerStatus["lease"]> {
  const good = leases.filter(({ problem, own }) => problem === null && !own);
  return new Map(
    good.flatMap(({ key, since, vtepMacs }) =>
      vtepMacs.map((mac) => [mac.toLowerCase(), since === null ? null : { key, since }] as const),
    ),
  );
}
