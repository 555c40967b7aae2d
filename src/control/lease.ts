/**
 * A lease: what the control side knows of one peer. flannel's word, and its three facts: where the peer's VTEP is
 * reached, which MAC its VXLAN device has, and which addresses live behind it. Stores (a file now) make leases;
 * `desired.ts` turns them into rows.
 */
export interface Lease {
  /** The VTEP's underlay address, canonical text. */
  readonly publicIp: string;
  /** UDP port on which it listens. */
  readonly port: number;
  /** MAC of its VXLAN device: the inner destination of everything sent to it. Lower case, with colons. */
  readonly vtepMac: string;
  /** CIDRs behind it, canonical, without host bits; IPv4, IPv6 or both. */
  readonly subnets: readonly string[];
  /**
   * The uplink, for a peer that is on its link: its subnets are routed to it there, past the overlay (flannel's
   * DirectRouting). Left out: through the overlay.
   */
  readonly direct?: string;
}

/** @returns whether two leases say the same, whatever the order of their subnets. */
export function sameLease(a: Lease, b: Lease): boolean {
  return (
    a.publicIp === b.publicIp &&
    a.port === b.port &&
    a.vtepMac === b.vtepMac &&
    a.direct === b.direct &&
    a.subnets.length === b.subnets.length &&
    a.subnets.every((subnet) => b.subnets.includes(subnet))
  );
}
