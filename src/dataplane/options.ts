import type { Offloads } from "./offloads.ts";

/** What one overlay's dataplane is told at start. */
export interface DataplaneOptions {
  /** VXLAN network identifier, 0 to 2^24 − 1. */
  readonly vni: number;
  /** Our VTEP's MAC, "aa:bb:cc:dd:ee:ff": frames that come in with it as their source are ours, looped. */
  readonly mac: string;
  /** Overlay MTU in bytes: the largest inner IP packet. */
  readonly mtu: number;
  /** `rfc`: reserved header bits are ignored (RFC 7348 section 5). `linux`: they make the packet invalid. */
  readonly reservedBits: "rfc" | "linux";
  /**
   * Whose datagrams are let in. `strict`: the source address is a known VTEP's. `mac`: the inner source MAC is a
   * known VTEP's, from whatever address (counted when it is another one). `off`: anybody's.
   */
  readonly senderCheck: "strict" | "mac" | "off";
  /** Outer TOS: a byte whose ECN bits come from the inner header, or `inherit`: all of it does. Kernel: `tos`. */
  readonly tos: "inherit" | number;
  /** What may be done for many packets at once, where the ports can. Left out: nothing, each packet by itself. */
  readonly offloads?: Offloads;
  /** Who answers ARP and neighbour discovery, and what is told of misses. Left out: nothing of it. */
  readonly proxy?: ProxyPolicy;
}

/** What can change while packets flow. */
export type DataplanePolicy = Pick<DataplaneOptions, "reservedBits" | "senderCheck" | "tos" | "proxy">;

/** The kernel's VXLAN options `proxy`, `l2miss` and `l3miss`. */
export interface ProxyPolicy {
  /** ARP requests and neighbour solicitations are answered from the table of neighbours. */
  readonly on: boolean;
  /** What becomes of those that are not answered. The kernel drops them. */
  readonly unknown: "drop" | "forward";
  /** Unicast MACs without a row are told. */
  readonly l2miss: boolean;
  /** Addresses that were asked for, and are not in the table, are told; only where `on`. */
  readonly l3miss: boolean;
}

/** One change to the table of neighbours, with the meaning that `ip neigh` gives to the same verb. */
export interface NeighbourChange {
  /** `add` fails when there is a row, `del` when there is none; `replace` does either. */
  readonly op: "add" | "replace" | "del";
  /** IPv4 or IPv6. */
  readonly address: string;
  /** Not needed for `del`. */
  readonly mac?: string;
}

/** A `NeighbourChange` whose address was read: what crosses to the dataplane's thread. */
export interface NeighbourUpdate {
  readonly op: NeighbourChange["op"];
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** "" for `del`. */
  readonly mac: string;
}

/** Why a change was not made. */
export type NeighbourRefusal = "NEIGH_EXISTS" | "NEIGH_MISSING";

/** One change to the forwarding table, with the meaning that `bridge fdb` gives to the same verb. */
export interface FdbChange {
  /** `add` fails when there is a row, `del` when there is none; `replace` does either. */
  readonly op: "add" | "replace" | "del";
  /** Inner destination MAC. */
  readonly mac: string;
  /** The VTEP's underlay address; not needed for `del`. */
  readonly dst?: string;
  /** UDP port of the VTEP; the overlay's own when left out. */
  readonly port?: number;
}

/** An `FdbChange` whose texts were read: what crosses to the dataplane's thread. */
export interface FdbUpdate {
  readonly op: FdbChange["op"];
  readonly mac: string;
  /** 4 or 16 bytes; empty for `del`. */
  readonly address: Uint8Array;
  readonly port: number;
}

/** Why a change was not made. */
export type FdbRefusal = "FDB_EXISTS" | "FDB_MISSING" | "FDB_FAMILY";

/** One row of the forwarding table, as `poplin fdb show` prints it. */
export interface FdbRow {
  readonly mac: string;
  readonly vni: number;
  readonly dst: string;
  readonly port: number;
  readonly state: "permanent";
}
