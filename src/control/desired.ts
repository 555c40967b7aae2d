/**
 * Leases → the rows there should be, as flannel makes them: for each subnet a permanent neighbour at the subnet's
 * network address (10.244.2.0) with the peer's MAC, and an onlink route to the subnet via that address; one FDB row
 * for the peer's MAC. The network address is nobody's own, so it can stand for the peer.
 */
import { parseCidr } from "./address.ts";
import type { Lease } from "./lease.ts";
import type { FdbTarget, NeighbourRow, RouteRow } from "./rows.ts";

/** What one lease asks for. */
export interface LeaseRows {
  readonly lease: Lease;
  readonly neighbours: readonly NeighbourRow[];
  readonly fdb: FdbTarget;
  readonly routes: readonly RouteRow[];
}

/** What there should be in all. */
export interface DesiredRows {
  readonly leases: readonly LeaseRows[];
  /** CIDRs on our device; empty: whatever it has is left alone. */
  readonly addresses: readonly string[];
}

/** @param leases whose MACs differ and whose subnets do not overlap: a store checks that */
export function desiredRows(leases: readonly Lease[], addresses: readonly string[]): DesiredRows {
  return { leases: leases.map(rowsOf), addresses };
}

function rowsOf(lease: Lease): LeaseRows {
  const vias = lease.subnets.map((subnet) => ({ subnet, via: parseCidr(subnet).network }));
  return {
    lease,
    neighbours: vias.map(({ via }) => ({ address: via, mac: lease.vtepMac })),
    fdb: { mac: lease.vtepMac, dst: lease.publicIp, port: lease.port },
    routes: vias,
  };
}
