/**
 * What the world may ask of the agent: the contract between the API server (`server.ts`) and the agent, which implements
 * `AgentView`. What it tells is in `status-types.ts`, `cluster-types.ts` and `answers.ts`, why it refuses in
 * `refusals.ts`.
 */
import type { CounterSnapshot, Direction } from "../../dataplane/counters.ts";
import type { DroppedPacket } from "../../dataplane/drop-row.ts";
import type { DropReason } from "../../dataplane/drops.ts";
import type { FdbChange, FdbReason, FdbRow, NeighbourChange } from "../../dataplane/options.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";
import type { Level } from "../logging/formats.ts";
import type { HealthSource } from "../probes/pages.ts";
import type { LeaseStatus } from "./cluster-types.ts";
import type { AgentStatus } from "./status-types.ts";

/** Which overlay is meant. Two may have one VNI, each over an underlay of its own; devices have different names. */
export interface OverlayChoice {
  readonly vni?: number;
  readonly dev?: string;
}

/** What belongs to an overlay, with the name of its device. */
export type OfDevice<T> = T & { readonly dev: string };

/** Why a row is as it is. */
export interface DeviceFdbReason extends FdbReason {
  readonly row: OfDevice<FdbRow>;
}

/**
 * The agent, as the API server sees it. A choice that names nothing means all overlays, and of a change the only one.
 * @throws AgentError `NO_SUCH_VNI`, `NO_SUCH_DEVICE`, `UNAVAILABLE`, and for a change `WHICH_VNI`
 */
export interface AgentView extends HealthSource {
  status(): Promise<AgentStatus>;
  stats(choice?: OverlayChoice): CounterSnapshot;
  fdb(choice?: OverlayChoice): Promise<readonly OfDevice<FdbRow>[]>;
  /** @throws AgentError (or any Error with a string `code`) whose code is a key of `REFUSALS` */
  changeFdb(change: FdbChange, choice?: OverlayChoice): Promise<void>;
  /** Why the rows of a MAC are as they are; none where it has none. @throws as `changeFdb` */
  why(mac: string, choice?: OverlayChoice): Promise<readonly DeviceFdbReason[]>;
  /** Forgets what was learned. @returns how many rows that were */
  flushFdb(choice?: OverlayChoice): Promise<number>;
  neighbours(choice?: OverlayChoice): Promise<readonly OfDevice<Neighbour>[]>;
  /** @throws as `changeFdb` */
  changeNeighbour(change: NeighbourChange, choice?: OverlayChoice): Promise<void>;
  /** All leases of the cluster's store. @throws AgentError `NO_CLUSTER` */
  leases(): readonly LeaseStatus[];
  /** What the next comparison would change, a step each, in the words of iproute2; none when all is in place. */
  plan(): Promise<readonly string[]>;
  /** Compares, and puts right what is not in place. @returns how many rows were changed */
  reconcile(): Promise<number>;
  /** How much is written to the log; a change holds until the next reload. */
  logLevel: Level;
  /** Calls `heard` with what happens from now on. @returns what ends it; @throws AgentError `UNAVAILABLE` */
  listen(heard: (event: ToldEvent) => void, topics: readonly Topic[]): () => void;
}

/** What can be listened to. */
export const TOPICS = ["misses", "drops", "packets"] as const;
export type Topic = (typeof TOPICS)[number];

/** A packet that was dropped, as JSON has it: what there is nothing to say of is null. */
export interface DropEvent extends Omit<DroppedPacket, "errno" | "header"> {
  readonly type: "drop";
  /** Of the overlay that counted it. The VNI in the packet's own header may be another. */
  readonly vni: number;
  /** What the kernel refused it with (ENETUNREACH); null where poplin dropped it. */
  readonly error: string | null;
  /** The VXLAN header: the flags as eight hexadecimal digits. */
  readonly header: { readonly flags: string; readonly vni: number } | null;
  readonly at: string;
}

/**
 * What is told while it happens: GET /v1/events?about=misses,drops, a line of JSON each. `at` is when the agent heard of
 * it.
 */
export type AgentEvent =
  /** A packet was dropped. Of those that are alike, one in half a second is told. */
  | OfDevice<DropEvent>
  /** So many more were dropped for this reason as no `drop` has told of. */
  | OfDevice<{
      readonly type: "drops";
      readonly direction: Direction;
      readonly reason: DropReason;
      readonly vni: number;
      readonly count: number;
      readonly at: string;
    }>
  /** There is no row for a unicast destination MAC (the setting `l2miss`). */
  | OfDevice<{ readonly type: "l2miss"; readonly vni: number; readonly mac: string; readonly at: string }>
  /** Somebody asked for an address that is not in the table of neighbours (the setting `l3miss`). */
  | OfDevice<{ readonly type: "l3miss"; readonly vni: number; readonly address: string; readonly at: string }>
  /** So many came faster than they could be told. */
  | { readonly type: "lost"; readonly count: number; readonly at: string };

/**
 * A packet that passed the dataplane: GET /v1/events?about=packets. Where more than some 1,900 pass in a second it is
 * one of a sample, but for those that are dropped: of them all are told that there is room for.
 */
export interface PacketEvent {
  readonly type: "packet";
  /** `rx`: underlay → overlay. */
  readonly direction: Direction;
  /** Of the overlay it belongs to, and its device; null of what none has taken. */
  readonly vni: number | null;
  readonly dev: string | null;
  /** Why it was dropped, and what the kernel refused it with; null where it went its way. */
  readonly drop: { readonly reason: DropReason; readonly error: string | null } | null;
  /** What `bytes` begin with: a VXLAN header, or, of what never became a datagram, the inner frame. */
  readonly layer: "udp-payload" | "ethernet";
  /** Bytes that it has. */
  readonly length: number;
  /** The first 1664 of them, in hexadecimal. */
  readonly bytes: string;
  /** Our own VTEP, and the other one, with the UDP port that each has; null where it was not on the underlay. */
  readonly local: Endpoint | null;
  readonly remote: Endpoint | null;
  /** The outer TOS or traffic class. */
  readonly tos: number;
  /** Datagrams of its flow that came in one train with it, itself included. */
  readonly train: number;
  readonly at: string;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** So many packets passed, or were dropped, that no `packet` has told of. */
export interface UnseenEvent {
  readonly type: "unseen";
  readonly passed: number;
  readonly dropped: number;
  readonly at: string;
}

/** What is told about packets. */
export type PacketNews = PacketEvent | UnseenEvent;

/** Whatever is told of. */
export type ToldEvent = AgentEvent | PacketNews;
