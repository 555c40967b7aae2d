/**
 * One overlay's dataplane, put together: the arena and its rings, the tables, both stages and the loop between a TAP
 * and an underlay. It belongs to the thread that made it. Which driver turns the loop is the caller's choice.
 */
import { Fdb } from "../fdb/fdb.ts";
import { type Neighbour, NeighbourTable } from "../fdb/neighbours.ts";
import { RemoteSets } from "../fdb/remotes.ts";
import { NOBODY, VtepTable } from "../fdb/vteps.ts";
import { parseMac } from "../wire/bytes.ts";
import { ETHERNET_LENGTH, VLAN_LENGTH } from "../wire/views.ts";
import type { GroupPolicy } from "../wire/vxlan.ts";
import { Arena, alignUp, FRAME_AT, VXLAN_AT } from "./arena.ts";
import { Coalescer } from "./coalesce.ts";
import { Counters } from "./counters.ts";
import { Decap, HEADER_SLAB_BYTES, READY_ROWS } from "./decap.ts";
import { Encap } from "./encap.ts";
import { EventRing } from "./event-ring.ts";
import { ForwardingTable } from "./forwarding.ts";
import { Learner, type LearnLogs } from "./learn.ts";
import { Loop, type PortFailure, type Refusal, TAP_BATCH, UNDERLAY_BATCH } from "./loop.ts";
import { everyOffload, type OffloadReport } from "./offloads.ts";
import {
  type DataplaneOptions,
  type DataplanePolicy,
  type FdbReason,
  type FdbRefusal,
  type FdbRow,
  type FdbUpdate,
  type NeighbourRefusal,
  type NeighbourUpdate,
  NO_LEARNING,
} from "./options.ts";
import { type PathLimit, PathMtus } from "./path-mtus.ts";
import type { Tap, Underlay } from "./ports.ts";
import { NeighbourProxy, NO_PROXY } from "./proxy.ts";
import { PEER, Ring, VTEP_MASK } from "./ring.ts";
import { Segmenter, SLOTS_TO_CUT, segmentSlabBytes } from "./segment.ts";
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
}

export interface SlotUse {
  readonly free: number;
  readonly count: number;
}

export class Dataplane {
  readonly loop: Loop;
  readonly counters: Counters;
  readonly #vteps: VtepTable;
  readonly #table: ForwardingTable;
  readonly #learner: Learner;
  readonly #neighbours = new NeighbourTable();
  readonly #proxy: NeighbourProxy;
  readonly #paths = new PathMtus();
  readonly #encap: Encap;
  readonly #decap: Decap;
  readonly #tx: Ring;
  readonly #rx: Ring;
  readonly #txReady: Ring;
  readonly #underlay: Underlay;
  readonly #vni: number;

  /**
   * @param native what this machine does better than TypeScript
   * @param events what is told to whoever listens
   * @param logs by which several dataplanes of one device tell each other what they learn; null for one alone
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
  ) {
    const offloads = options.offloads ?? everyOffload(false);
    const superFrames = offloads["tap-tso"] || offloads["tap-uso"];
    const txSlots = superFrames ? TX_SUPER_SLOTS : TX_SLOTS;
    const txRows = superFrames ? TX_SUPER_ROWS : TX_SLOTS;
    const largest = superFrames ? LARGEST_IP : options.mtu;
    const txSlotBytes = alignUp(FRAME_AT + ETHERNET_LENGTH + 2 * VLAN_LENGTH + largest + 1, 64);
    const slab = superFrames ? alignUp(segmentSlabBytes(txRows), 64) : 0;
    const size =
      txSlots * txSlotBytes + slab + RX_SLOTS * alignUp(RX_SLOT_BYTES, 64) + alignUp(HEADER_SLAB_BYTES, 64);
    const arena = new Arena(size + 64, (bytes) => (SLOT_PLACE - native.misalignment(bytes)) & 63);
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
    this.#underlay = underlay;
    this.#vni = options.vni;
    this.#vteps = new VtepTable(undefined, options.flowLabel, this.#entered);
    const { bytes } = arena;
    const fdb = new Fdb();
    const remotes = new RemoteSets();
    const learning = { ...NO_LEARNING, port: 8472, ...options };
    this.#learner = new Learner(fdb, this.#vteps, bytes, learning, counters, this.#release, logs);
    this.#table = new ForwardingTable({
      vni: options.vni,
      family: underlay.family,
      fdb,
      vteps: this.#vteps,
      remotes,
      learner: this.#learner,
      release: this.#release,
    });
    const segmenter = superFrames ? new Segmenter(bytes, arena.reserve(slab), options, native.pieces) : null;
    const join = { tcp: offloads["tcp-coalesce"], udp: offloads["udp-coalesce"] };
    const coalescer = new Coalescer(bytes, READY_ROWS, join.tcp, join.udp, native.sums);
    const headers = arena.reserve(HEADER_SLAB_BYTES);
    for (const row of options.rows ?? []) this.#table.update(row);
    const { vni, proxy } = options;
    this.#proxy = new NeighbourProxy(bytes, fdb, this.#neighbours, events, vni, proxy);
    const learner = this.#learner;
    const tables = { fdb, remotes, learner, paths: this.#paths, proxy: this.#proxy };
    const parts = { bytes, ...tables, segmenter, answers: rings.answers };
    this.#encap = new Encap(parts, options, underlay, counters);
    this.#decap = new Decap(bytes, headers, fdb, this.#vteps, coalescer, learner, options, counters);
    this.loop = new Loop(tap, underlay, rings, this.#encap, this.#decap, this.#vteps, counters);
  }

  /** Makes one change to the forwarding table. @returns null, or why it was not made. */
  update(change: FdbUpdate): FdbRefusal | null {
    return this.#table.update(change);
  }

  /** From now on these are the VTEPs whose path takes less than the overlay's MTU, and no others. */
  setPathLimits(limits: readonly PathLimit[]): void {
    this.#paths.replace(limits);
    for (const vtep of this.#vteps.indices()) this.#paths.enter(vtep, this.#vteps.describe(vtep).address);
    this.#encap.pathsChanged();
  }

  setPolicy(policy: DataplanePolicy): void {
    this.#encap.setPolicy(policy);
    this.#decap.setPolicy(policy);
    this.#learner.setPolicy({ ...NO_LEARNING, ...policy });
    this.#proxy.setPolicy(policy.proxy ?? NO_PROXY);
  }

  /** Makes one change to the table of neighbours. @returns null, or why it was not made */
  updateNeighbour({ op, address, mac }: NeighbourUpdate): NeighbourRefusal | null {
    const known = this.#neighbours.find(this.#vni, address.length === 4 ? 4 : 6, address, 0) >= 0;
    if (op === "del") return this.#neighbours.delete(this.#vni, address) ? null : "NEIGH_MISSING";
    if (op === "add" && known) return "NEIGH_EXISTS";
    const { hi, lo } = parseMac(mac);
    this.#neighbours.replace(this.#vni, address, hi, lo);
    return null;
  }

  /** Every row of the table of neighbours, in no order. */
  neighbours(): Neighbour[] {
    return [...this.#neighbours.entries()];
  }

  /** Every row of the forwarding table, in no order. */
  rows(): FdbRow[] {
    return this.#table.rows();
  }

  /** Why the rows of a MAC are as they are; none where there is no row. */
  why(mac: string): FdbReason[] {
    return this.#table.why(mac);
  }

  /** Forgets every learned row. @returns how many there were */
  flush(): number {
    return this.#table.flush();
  }

  /** To be called about once a second where rows are learned: forgets those that are too old. */
  age(): void {
    this.#learner.age();
  }

  health(): DataplaneHealth {
    return {
      slots: {
        tx: { free: this.#tx.pool.free, count: this.#tx.pool.count },
        rx: { free: this.#rx.pool.free, count: this.#rx.pool.count },
      },
      lastRefused: { tx: { ...this.loop.lastRefused.tx }, rx: { ...this.loop.lastRefused.rx } },
      failure: this.loop.failure ?? null,
      offloads: this.#fallbacks(),
      lastGroup: this.#decap.lastGroup,
    };
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
  readonly #release = (vtep: number): void => {
    if (!this.#vteps.release(vtep)) return;
    this.#encap.forget(vtep);
    const { words } = this.#txReady;
    for (let i = 0; i < this.#txReady.length; i++) {
      const row = this.#txReady.row(this.#txReady.tail + i);
      if ((words[row + PEER]! & VTEP_MASK) === vtep) words[row + PEER] = NOBODY;
    }
  };
}
