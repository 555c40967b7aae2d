/**
 * One overlay's dataplane, put together: the arena and its rings, the tables, both stages and the loop between a TAP
 * and an underlay. It belongs to the thread that made it. Which driver turns the loop is the caller's choice.
 */
import { Fdb } from "../fdb/fdb.ts";
import { NOBODY, VtepTable } from "../fdb/vteps.ts";
import { formatMacKey, type Mac, parseMac } from "../wire/bytes.ts";
import { ETHERNET_LENGTH, VLAN_LENGTH } from "../wire/views.ts";
import { Arena, alignUp, FRAME_AT, VXLAN_AT } from "./arena.ts";
import { Coalescer } from "./coalesce.ts";
import { Counters } from "./counters.ts";
import { Decap, HEADER_SLAB_BYTES, READY_ROWS } from "./decap.ts";
import { Encap } from "./encap.ts";
import { Loop, type PortFailure, type Refusal, TAP_BATCH, UNDERLAY_BATCH } from "./loop.ts";
import { everyOffload, type OffloadReport } from "./offloads.ts";
import type { DataplaneOptions, DataplanePolicy, FdbRefusal, FdbRow, FdbUpdate } from "./options.ts";
import { type PathLimit, PathMtus } from "./path-mtus.ts";
import type { Tap, Underlay } from "./ports.ts";
import { PEER, Ring } from "./ring.ts";
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
}

export interface SlotUse {
  readonly free: number;
  readonly count: number;
}

export class Dataplane {
  readonly loop: Loop;
  readonly counters: Counters;
  readonly #fdb = new Fdb();
  readonly #vteps: VtepTable;
  readonly #paths = new PathMtus();
  readonly #encap: Encap;
  readonly #decap: Decap;
  readonly #tx: Ring;
  readonly #rx: Ring;
  readonly #txReady: Ring;
  readonly #vni: number;
  readonly #underlay: Underlay;

  /**
   * @param native what this machine does better than TypeScript
   * @throws RangeError for an MTU or VNI out of range, WireError for a MAC that is none
   */
  constructor(
    options: DataplaneOptions,
    tap: Tap,
    underlay: Underlay,
    counters = new Counters(),
    native: Native = PORTABLE,
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
    this.#vteps = new VtepTable();
    const { bytes } = arena;
    const segmenter = superFrames ? new Segmenter(bytes, arena.reserve(slab), options, native.pieces) : null;
    const join = { tcp: offloads["tcp-coalesce"], udp: offloads["udp-coalesce"] };
    const coalescer = new Coalescer(bytes, READY_ROWS, join.tcp, join.udp, native.sums);
    const headers = arena.reserve(HEADER_SLAB_BYTES);
    this.#encap = new Encap(
      bytes,
      this.#fdb,
      segmenter,
      rings.answers,
      options,
      underlay,
      counters,
      this.#paths,
    );
    this.#decap = new Decap(bytes, headers, this.#fdb, this.#vteps, coalescer, options, counters);
    this.loop = new Loop(tap, underlay, rings, this.#encap, this.#decap, this.#vteps, counters);
  }

  /** Makes one change to the forwarding table. @returns null, or why it was not made. */
  update(change: FdbUpdate): FdbRefusal | null {
    const mac = parseMac(change.mac);
    const known = this.#fdb.lookup(this.#vni, mac.hi, mac.lo);
    if (change.op === "del") return known < 0 ? "FDB_MISSING" : this.#remove(mac, known);
    if (change.op === "add" && known >= 0) return "FDB_EXISTS";
    if (change.address.length !== (this.#underlay.family === 4 ? 4 : 16)) return "FDB_FAMILY";
    const vtep = this.#vteps.acquire(change.address, change.port);
    if (this.#paths.any) this.#paths.enter(vtep, this.#vteps.describe(vtep).address);
    this.#fdb.replace(this.#vni, mac.hi, mac.lo, vtep);
    if (known >= 0) this.#release(known);
    return null;
  }

  /** From now on these are the VTEPs whose path takes less than the overlay's MTU, and no others. */
  setPathLimits(limits: readonly PathLimit[]): void {
    this.#paths.replace(limits);
    for (const vtep of this.#vteps.indices()) this.#paths.enter(vtep, this.#vteps.describe(vtep).address);
    this.#encap.pathsChanged();
  }

  setPolicy(policy: DataplanePolicy): void {
    this.#encap.setTos(policy.tos);
    this.#decap.setPolicy(policy);
  }

  /** Every row of the forwarding table, in no order. */
  rows(): FdbRow[] {
    const rows: FdbRow[] = [];
    for (const row of this.#fdb.entries()) {
      const { address, port } = this.#vteps.describe(row.vtep);
      rows.push({ mac: formatMacKey(row.hi, row.lo), vni: row.vni, dst: address, port, state: "permanent" });
    }
    return rows;
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

  #remove(mac: Mac, vtep: number): null {
    this.#fdb.delete(this.#vni, mac.hi, mac.lo);
    this.#release(vtep);
    return null;
  }

  /** A datagram that waits for the socket must not go to whoever gets the index next: it is refused instead. */
  #release(vtep: number): void {
    if (!this.#vteps.release(vtep)) return;
    const { words } = this.#txReady;
    for (let i = 0; i < this.#txReady.length; i++) {
      const row = this.#txReady.row(this.#txReady.tail + i);
      if (words[row + PEER] === vtep) words[row + PEER] = NOBODY;
    }
  }
}
