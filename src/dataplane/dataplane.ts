/**
 * The dataplane put together: the arena and its rings, and for each overlay (`overlay.ts`) its tables and stages, with
 * one loop between their TAPs and an underlay. It belongs to the thread that made it. Which driver turns the loop is the caller's choice.
 */
import type { Neighbour } from "../fdb/neighbours.ts";
import { NOBODY, VtepTable } from "../fdb/vteps.ts";
import { ETHERNET_LENGTH, VLAN_LENGTH } from "../wire/views.ts";
import type { GroupPolicy } from "../wire/vxlan.ts";
import { Arena, alignUp, FRAME_AT, VXLAN_AT } from "./arena.ts";
import { Coalescer } from "./coalesce.ts";
import { Counters } from "./counters.ts";
import { HEADER_SLAB_BYTES, READY_ROWS } from "./decap.ts";
import { EventRing } from "./event-ring.ts";
import type { LearnLogs } from "./learn.ts";
import { Loop, TAP_BATCH, UNDERLAY_BATCH } from "./loop.ts";
import { everyOffload, type OffloadReport } from "./offloads.ts";
import type {
  DataplaneOptions,
  DataplanePolicy,
  FdbReason,
  FdbRefusal,
  FdbRow,
  FdbUpdate,
  NeighbourRefusal,
  NeighbourUpdate,
} from "./options.ts";
import { Overlay, type OverlayParts, type RowCount } from "./overlay.ts";
import { type PathLimit, PathMtus } from "./path-mtus.ts";
import type { PortFailure, Refusal } from "./port-failures.ts";
import type { ReadyTaps, Tap, Underlay } from "./ports.ts";
import { PEER, Ring, VTEP_MASK } from "./ring.ts";
import { SLOTS_TO_CUT, segmentSlabBytes } from "./segment.ts";
import { PROBE_BYTES, type ProbeVerdict, SelfProbe } from "./self-probe.ts";
import { SharedLoop } from "./shared-loop.ts";
import { type Native, PORTABLE } from "./sums.ts";

/** Slots for frames from the TAP: what may wait for a socket that takes no more. */
const TX_SLOTS = 4 * TAP_BATCH;
/** The same where each may hold a super-frame. */
const TX_SUPER_SLOTS = 2 * TAP_BATCH;
/** Rows for what is to be sent: a super-frame of the smallest segments that a TCP makes has some 1,400. */
const TX_SUPER_ROWS = 2048;
const LARGEST_IP = 65_535;
/**
 * Where slots start, modulo a cache line: then a datagram, at slot + 8, is aligned to one, and what the TAP gives us, at
 * slot + 4, lies right before one. The kernel copies with `rep movsb`, which on some processors falls to a third of its
 * speed where the target lies a few bytes above the source (`bench/NOTES.md`).
 */
const SLOT_PLACE = 64 - VXLAN_AT;
/** Slots for datagrams. Few, so that those in use stay in the cache; each holds the largest datagram there is. */
const RX_SLOTS = 2 * UNDERLAY_BATCH;
/** The largest UDP payload over IPv4 is 65,507 bytes, over IPv6 65,527. One byte more shows what was cut off. */
const RX_SLOT_BYTES = VXLAN_AT + 65_528;

/** Milliseconds that `hold` gives the ports to take what has been read already. */
const SETTLE = 250;

/** What the dataplane says of itself beside its counters. */
export interface DataplaneHealth {
  /** Slots that are free and that there are, by direction: free stays below count only while packets wait. */
  readonly slots: { readonly tx: SlotUse; readonly rx: SlotUse };
  /** What a port last refused a packet with. */
  readonly lastRefused: { readonly tx: Refusal; readonly rx: Refusal };
  /** Why it stopped, if a port is gone. */
  readonly failure: PortFailure | null;
  /** Offloads that were on at start and are not any more, with the reason. */
  readonly offloads: Partial<OffloadReport>;
  /** What the last received packet said that named a group (`gbp`); null before the first. */
  readonly lastGroup: GroupPolicy | null;
  /** Of each overlay. */
  readonly rows: readonly RowCount[];
}

export interface SlotUse {
  readonly free: number;
  readonly count: number;
}

/** Overlays beside the first, and which of all their TAPs have something for us; null where there are none. */
export interface MoreOverlays {
  readonly others: readonly OverlayParts[];
  readonly ready: ReadyTaps | null;
}

export class Dataplane {
  readonly loop: Loop;
  /** Of the first overlay; it also counts what belongs to none. */
  readonly counters: Counters;
  readonly overlays: readonly Overlay[];
  readonly #vteps: VtepTable;
  readonly #paths = new PathMtus();
  readonly #tx: Ring;
  readonly #rx: Ring;
  readonly #txReady: Ring;
  readonly #rxReady: Ring;
  readonly #underlay: Underlay;
  readonly #probe: SelfProbe;

  /**
   * @param options of the first overlay, and of all
   * @param native what this machine does better than TypeScript
   * @param events what is told to whoever listens
   * @param logs by which several dataplanes of one device tell each other what they learn; null for one alone
   * @param more overlays on the same underlay
   * @throws RangeError for an MTU or VNI out of range, WireError for a MAC that is none
   */
  constructor(
    options: DataplaneOptions,
    tap: Tap,
    underlay: Underlay,
    counters = new Counters(),
    native: Native = PORTABLE,
    events = new EventRing(),
    logs: LearnLogs | null = null,
    more: MoreOverlays = { others: [], ready: null },
  ) {
    const offloads = options.offloads ?? everyOffload(false);
    const superFrames = offloads["tap-tso"] || offloads["tap-uso"];
    const txSlots = superFrames ? TX_SUPER_SLOTS : TX_SLOTS;
    const txRows = superFrames ? TX_SUPER_ROWS : TX_SLOTS;
    const mtu = Math.max(options.mtu, ...more.others.map((other) => other.options.mtu));
    const largest = superFrames ? LARGEST_IP : mtu;
    const txSlotBytes = alignUp(FRAME_AT + ETHERNET_LENGTH + 2 * VLAN_LENGTH + largest + 1, 64);
    const slab = superFrames ? alignUp(segmentSlabBytes(txRows), 64) : 0;
    const size =
      txSlots * txSlotBytes + slab + RX_SLOTS * alignUp(RX_SLOT_BYTES, 64) + alignUp(HEADER_SLAB_BYTES, 64);
    const arena = new Arena(
      size + PROBE_BYTES + 64,
      (bytes) => (SLOT_PLACE - native.misalignment(bytes)) & 63,
    );
    const txPool = arena.carvePool(txSlotBytes, txSlots);
    const rxPool = arena.carvePool(RX_SLOT_BYTES, RX_SLOTS);
    const rings = {
      txFilled: new Ring(txPool, TAP_BATCH, superFrames ? SLOTS_TO_CUT : 0),
      txReady: new Ring(txPool, txRows),
      rxFilled: new Ring(rxPool, UNDERLAY_BATCH),
      rxReady: new Ring(rxPool, READY_ROWS),
      answers: new Ring(txPool, TAP_BATCH),
    };
    this.counters = counters;
    this.#tx = rings.txFilled;
    this.#rx = rings.rxFilled;
    this.#txReady = rings.txReady;
    this.#rxReady = rings.rxReady;
    this.#underlay = underlay;
    this.#vteps = new VtepTable(undefined, options.flowLabel, this.#entered);
    const { bytes } = arena;
    const segments = superFrames ? arena.reserve(slab) : null;
    const join = { tcp: offloads["tcp-coalesce"], udp: offloads["udp-coalesce"] };
    const coalescer = new Coalescer(bytes, READY_ROWS, join.tcp, join.udp, native.sums);
    const headers = arena.reserve(HEADER_SLAB_BYTES);
    this.#probe = new SelfProbe(arena, this.#vteps, underlay.family, events);
    const tables = { vteps: this.#vteps, paths: this.#paths, release: this.#release };
    const work = { bytes, underlay, coalescer, headers, segments, answers: rings.answers };
    const shared = { ...tables, ...work, native, events };
    const all = [{ options, tap, counters, logs }, ...more.others];
    this.overlays = all.map((parts) => new Overlay(parts, shared));
    const [first] = this.overlays as [Overlay, ...Overlay[]];
    const { encap, decap, drops } = first;
    this.loop =
      more.ready === null
        ? new Loop(tap, underlay, rings, encap, decap, this.#vteps, drops)
        : new SharedLoop(this.overlays, more.ready, underlay, rings, this.#vteps);
  }

  /** Makes one change to the forwarding table. @returns null, or why it was not made. */
  update(change: FdbUpdate): FdbRefusal | null {
    return this.#first.update(change);
  }

  /** From now on these are the VTEPs whose path takes less than the overlay's MTU, and no others. */
  setPathLimits(limits: readonly PathLimit[]): void {
    this.#paths.replace(limits);
    for (const vtep of this.#vteps.indices()) this.#paths.enter(vtep, this.#vteps.describe(vtep).address);
    for (const { encap } of this.overlays) encap.pathsChanged();
  }

  setPolicy(policy: DataplanePolicy): void {
    this.#first.setPolicy(policy);
  }

  /** Makes one change to the table of neighbours. @returns null, or why it was not made */
  updateNeighbour(change: NeighbourUpdate): NeighbourRefusal | null {
    return this.#first.updateNeighbour(change);
  }

  /** Every row of the table of neighbours, in no order. */
  neighbours(): Neighbour[] {
    return this.#first.neighbours();
  }

  /** Every row of the forwarding table, in no order. */
  rows(): FdbRow[] {
    return this.#first.rows();
  }

  /** Why the rows of a MAC are as they are; none where there is no row. */
  why(mac: string): FdbReason[] {
    return this.#first.why(mac);
  }

  /** Forgets every learned row. @returns how many there were */
  flush(): number {
    return this.#first.flush();
  }

  /** To be called about once a second where rows are learned: forgets those that are too old, in all overlays. */
  age(): void {
    for (const overlay of this.overlays) overlay.age();
  }

  /**
   * Sends a frame of our own through the stages of an overlay and back, seen by nobody.
   * @param place of the overlay
   */
  probe(place: number): ProbeVerdict {
    if (this.#tx.length + this.#rx.length + this.#rxReady.length > 0) return "busy";
    const overlay = this.overlays[place]!;
    const verdict = this.#probe.run(overlay);
    // It has gone through another ring than the loop's.
    overlay.encap.startOver(this.#txReady);
    return verdict;
  }

  /**
   * Reads no more, and sends on what has been read: every packet that is not in the kernel's own queues by then has left.
   * @returns whether all of it has, and nothing moves until `release`; else everything goes on as before
   */
  hold(): boolean {
    const { loop } = this;
    const deadline = performance.now() + SETTLE;
    // It asks again and again, but only where a port takes nothing, which is what its queue is long for.
    do {
      loop.held = loop.settle();
    } while (!loop.held && loop.failure === undefined && performance.now() < deadline);
    return loop.held;
  }

  /** Ends `hold`, or a start that was held. */
  release(): void {
    this.loop.settle(); // counters that were taken over may be behind the sockets'
    this.loop.held = false;
  }

  health(): DataplaneHealth {
    const groups = this.overlays.map(({ decap }) => decap.lastGroup);
    return {
      slots: {
        tx: { free: this.#tx.pool.free, count: this.#tx.pool.count },
        rx: { free: this.#rx.pool.free, count: this.#rx.pool.count },
      },
      lastRefused: { tx: { ...this.loop.lastRefused.tx }, rx: { ...this.loop.lastRefused.rx } },
      failure: this.loop.failure ?? null,
      offloads: this.#fallbacks(),
      lastGroup: groups.find((group) => group !== null) ?? null,
      rows: this.overlays.map(({ rowCount }) => rowCount),
    };
  }

  /** The one that is meant where none is named. */
  get #first(): Overlay {
    return this.overlays[0]!;
  }

  #fallbacks(): Partial<OffloadReport> {
    const { gsoRefused, superRefused } = this.#underlay;
    const { coalesceRefused } = this.loop;
    return {
      ...(gsoRefused === undefined ? {} : { "udp-gso": gsoRefused }),
      ...(superRefused === undefined ? {} : { hairpin: superRefused }),
      ...(coalesceRefused === undefined
        ? {}
        : { "tcp-coalesce": coalesceRefused, "udp-coalesce": coalesceRefused }),
    };
  }

  /** An index is somebody's now: what is known of his path holds for it. */
  readonly #entered = (vtep: number): void => {
    if (this.#paths.any) this.#paths.enter(vtep, this.#vteps.describe(vtep).address);
  };

  /** A datagram that waits for the socket must not go to whoever gets the index next: it is refused instead. */
  readonly #release = (vtep: number, learned = false): void => {
    if (!this.#vteps.release(vtep, learned)) return;
    for (const { encap } of this.overlays) encap.forget(vtep);
    const { words } = this.#txReady;
    for (let i = 0; i < this.#txReady.length; i++) {
      const row = this.#txReady.row(this.#txReady.tail + i);
      if ((words[row + PEER]! & VTEP_MASK) === vtep) words[row + PEER] = NOBODY;
    }
  };
}
