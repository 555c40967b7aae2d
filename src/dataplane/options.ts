import type { GroupPolicy } from "../wire/vxlan.ts";
import type { Lesson } from "./lessons.ts";
import type { Offloads } from "./offloads.ts";

/** How rows are learned from frames, and frames flooded. Kernel: `learning`, `ageing`, `maxaddress`. */
export interface LearningPolicy {
  /** Inner source MACs are learned from what is let in. */
  readonly learning: boolean;
  /** Seconds for which a learned row stays without a frame from its MAC; 0: for ever. */
  readonly ageing: number;
  /** Learned rows there may be; 0: any number. */
  readonly maxaddress: number;
  /** Frames per second that may be sent to several VTEPs; 0: any number. */
  readonly floodRate: number;
}

/** Nothing is learned: flannel's overlays, and what options that leave it out mean. */
export const NO_LEARNING: LearningPolicy = { learning: false, ageing: 300, maxaddress: 0, floodRate: 0 };

/** What the dataplane is told of one overlay at start. */
export interface OverlayOptions extends Partial<LearningPolicy> {
  /** VXLAN network identifier, 0 to 2^24 − 1. */
  readonly vni: number;
  /** UDP port of VTEPs that are learned; left out: 8472. */
  readonly port?: number;
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
  /** Rows that are there before the first frame; what is refused of them is left out. */
  readonly rows?: readonly FdbUpdate[];
  /** Outer TTL: `inherit` takes it from the inner header where there is one. Left out: the socket's. */
  readonly ttl?: "inherit" | undefined;
  /** Outer DF over IPv4: `inherit` takes it from the inner header. Left out: the socket's. */
  readonly df?: "inherit" | undefined;
  /** Inner VLAN tags. `pass`, or left out: left alone. `rfc`: stripped on the way out, discarded on the way in. */
  readonly vlan?: "pass" | "rfc" | undefined;
  /**
   * VXLAN Group Based Policy: what the header of all that is sent says, and that its bits mean something in what is
   * received. Null, or left out: reserved bits like others.
   */
  readonly gbp?: GroupPolicy | null | undefined;
  /** Who answers ARP and neighbour discovery, and what is told of misses. Left out: nothing of it. */
  readonly proxy?: ProxyPolicy;
}

/** What concerns all overlays of a dataplane. */
export interface SharedOptions {
  /** Outer IPv6 flow label. Left out: 0. */
  readonly flowLabel?: number | undefined;
  /** What may be done for many packets at once, where the ports can. Left out: nothing, each packet by itself. */
  readonly offloads?: Offloads;
}

/** What the dataplane of one overlay is told at start; the first overlay of one that has several. */
export interface DataplaneOptions extends OverlayOptions, SharedOptions {}

/** What can change while packets flow. */
export type DataplanePolicy = Pick<
  OverlayOptions,
  "reservedBits" | "senderCheck" | "tos" | "vlan" | "gbp" | "proxy"
> &
  Partial<LearningPolicy>;

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
  /**
   * `add` fails when there is a row, `del` when there is none; `replace` does either. `append` adds a VTEP to the row of
   * a group's MAC, or of the one that is all zeros (every MAC without a row); these cannot be replaced.
   */
  readonly op: "add" | "append" | "replace" | "del";
  /** Inner destination MAC. */
  readonly mac: string;
  /** The VTEP's underlay address. `del` needs none, and takes one VTEP of several out with it. */
  readonly dst?: string;
  /** UDP port of the VTEP; the overlay's own when left out. */
  readonly port?: number;
}

/** An `FdbChange` whose texts were read: what crosses to the dataplane's thread. */
export interface FdbUpdate {
  readonly op: FdbChange["op"];
  readonly mac: string;
  /** 4 or 16 bytes; for `del` it may be empty. */
  readonly address: Uint8Array;
  readonly port: number;
}

/** Why a change was not made. */
export type FdbRefusal = "FDB_EXISTS" | "FDB_MISSING" | "FDB_FAMILY" | "FDB_GROUP" | "FDB_UNICAST";

/** One row of the forwarding table, as `poplin fdb show` prints it. */
export interface FdbRow {
  readonly mac: string;
  readonly vni: number;
  readonly dst: string;
  readonly port: number;
  readonly state: "permanent" | "learned";
  /** Of a learned row. */
  readonly learned?: LearnedRow;
}

/** What is known of a learned row. */
export interface LearnedRow {
  /** Seconds since a frame last came from the MAC, since it was learned, and since it last moved (null: never). */
  readonly idle: number;
  readonly age: number;
  readonly moved: number | null;
  /** How often it got another VTEP. */
  readonly moves: number;
}

/** Why a row is as it is. */
export interface FdbReason {
  readonly row: FdbRow;
  /** The packet that it was learned from; null for a static row, and where it is no longer remembered. */
  readonly lesson: Lesson | null;
}
