/**
 * Leases → the rows there should be, as flannel makes them: for each subnet a permanent neighbour at the subnet's
 * network address (10.244.2.0) with the peer's MAC, and an onlink route to the subnet via that address; one FDB row
 * for the peer's MAC. The network address is nobody's own, so it can stand for the peer.
 *
 * A peer that is reached directly needs a route through the uplink, via its public IP, and no neighbour: who has that
 * address the underlay knows. Beyond flannel it keeps its FDB row: whether it finds us on its own link is for the peer to
 * say, and what it sends through the overlay comes from a known sender.
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

/** What was made of leases: each comparison asks for all of them, and to read addresses is what takes the time. */
const made = new WeakMap<Lease, LeaseRows>();

function rowsOf(lease: Lease): LeaseRows {
  const rows = made.get(lease) ?? read(lease);
  made.set(lease, rows);
  return rows;
}

function read(lease: Lease): LeaseRows {
  const { publicIp, port, vtepMac, subnets, direct } = lease;
  const fdb = { mac: vtepMac, dst: publicIp, port };
  if (direct !== undefined) {
    const routes = subnets.map((subnet) => ({ subnet, via: publicIp, dev: direct }));
    return { lease, neighbours: [], fdb, routes };
  }
  const routes = subnets.map((subnet) => ({ subnet, via: parseCidr(subnet).network }));
  return { lease, neighbours: routes.map(({ via }) => ({ address: via, mac: vtepMac })), fdb, routes };
}
