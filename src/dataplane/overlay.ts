/**
 * One VNI of a dataplane: its TAP, its tables, its stages and its counters. What carries packets (arena, rings, slabs,
 * VTEPs) belongs to the dataplane, and all its overlays use it in turn. One that carries nothing costs a few kilobytes.
 */
import { Fdb } from "../fdb/fdb.ts";
import { type Neighbour, NeighbourTable } from "../fdb/neighbours.ts";
import { RemoteSets } from "../fdb/remotes.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { parseMac } from "../wire/bytes.ts";
import type { Coalescer } from "./coalesce.ts";
import type { Counters } from "./counters.ts";
import { Decap } from "./decap.ts";
import { DropTeller } from "./drop-teller.ts";
import { Encap } from "./encap.ts";
import type { EventRing } from "./event-ring.ts";
import { ForwardingTable } from "./forwarding.ts";
import { Learner, type LearnLogs } from "./learn.ts";
import type { LearnedRows } from "./learned.ts";
import {
  type DataplanePolicy,
  type FdbReason,
  type FdbRefusal,
  type FdbRow,
  type FdbUpdate,
  type NeighbourRefusal,
  type NeighbourUpdate,
  NO_LEARNING,
  type OverlayOptions,
} from "./options.ts";
import type { PathMtus } from "./path-mtus.ts";
import type { Tap, Underlay } from "./ports.ts";
import { NeighbourProxy, NO_PROXY } from "./proxy.ts";
import type { Ring } from "./ring.ts";
import { Segmenter } from "./segment.ts";
import type { Native } from "./sums.ts";

/** What the overlays of a dataplane share. */
export interface SharedParts {
  /** The arena's. */
  readonly bytes: Uint8Array;
  readonly underlay: Underlay;
  readonly vteps: VtepTable;
  readonly paths: PathMtus;
  readonly coalescer: Coalescer;
  /** Where in the arena decap's slab is, and the segmenter's; the latter null where the TAPs hand over no super-frames. */
  readonly headers: number;
  readonly segments: number | null;
  readonly answers: Ring;
  readonly native: Native;
  readonly events: EventRing;
  /** Takes a reference to a VTEP back. */
  readonly release: (vtep: number, learned?: boolean) => void;
}

/** What makes one overlay of them. */
export interface OverlayParts {
  readonly options: OverlayOptions;
  readonly tap: Tap;
  readonly counters: Counters;
  /** By which several dataplanes of one device tell each other what they learn; null for one alone. */
  readonly logs: LearnLogs | null;
}

/** MACs that have a row in the forwarding table, by how they got it. */
export interface RowCount {
  readonly static: number;
  readonly learned: number;
}

export class Overlay {
  readonly vni: number;
  /** Our VTEP's MAC. */
  readonly mac: string;
  readonly tap: Tap;
  readonly counters: Counters;
  readonly drops: DropTeller;
  readonly encap: Encap;
  readonly decap: Decap;
  readonly #fdb: Fdb;
  readonly #table: ForwardingTable;
  readonly #learner: Learner;
  readonly #neighbours = new NeighbourTable();
  readonly #proxy: NeighbourProxy;

  /** @throws RangeError for an MTU or VNI out of range, WireError for a MAC that is none */
  constructor({ options, tap, counters, logs }: OverlayParts, shared: SharedParts) {
    const { bytes, underlay, vteps, paths, native, events, release } = shared;
    const { vni, mac, proxy } = options;
    this.vni = vni;
    this.mac = mac;
    this.tap = tap;
    this.counters = counters;
    const drops = new DropTeller(counters, events, bytes, vni);
    this.drops = drops;
    const fdb = new Fdb();
    this.#fdb = fdb;
    const remotes = new RemoteSets();
    const learning = { ...NO_LEARNING, port: 8472, ...options };
    const learner = new Learner(fdb, vteps, bytes, learning, counters, release, logs);
    this.#learner = learner;
    this.#table = new ForwardingTable({
      vni,
      family: underlay.family,
      fdb,
      vteps,
      remotes,
      learner,
      release,
    });
    const { segments, answers } = shared;
    const segmenter = segments === null ? null : new Segmenter(bytes, segments, options, native.pieces);
    this.#proxy = new NeighbourProxy(bytes, this.#neighbours, events, vni, proxy);
    const parts = { bytes, fdb, remotes, learner, paths, proxy: this.#proxy, segmenter, answers, drops };
    this.encap = new Encap(parts, options, underlay, counters);
    const { headers, coalescer } = shared;
    const inwards = { bytes, headers, fdb, vteps, coalescer, learner, drops };
    this.decap = new Decap(inwards, options, counters);
    for (const row of options.rows ?? []) this.#table.update(row);
  }

  /** Makes one change to the forwarding table. @returns null, or why it was not made. */
  update(change: FdbUpdate): FdbRefusal | null {
    return this.#table.update(change);
  }

  setPolicy(policy: DataplanePolicy): void {
    this.encap.setPolicy(policy);
    this.decap.setPolicy(policy);
    this.#learner.setPolicy({ ...NO_LEARNING, ...policy });
    this.#proxy.setPolicy(policy.proxy ?? NO_PROXY);
  }

  /** Makes one change to the table of neighbours. @returns null, or why it was not made */
  updateNeighbour({ op, address, mac }: NeighbourUpdate): NeighbourRefusal | null {
    const known = this.#neighbours.find(this.vni, address.length === 4 ? 4 : 6, address, 0) >= 0;
    if (op === "del") return this.#neighbours.delete(this.vni, address) ? null : "NEIGH_MISSING";
    if (op === "add" && known) return "NEIGH_EXISTS";
    const { hi, lo } = parseMac(mac);
    this.#neighbours.replace(this.vni, address, hi, lo);
    return null;
  }

  /** Every row of the table of neighbours, in no order. */
  neighbours(): Neighbour[] {
    return [...this.#neighbours.entries()];
  }

  /** Every row of the forwarding table, in no order. @param learned false: those that are not learned */
  rows(learned = true): FdbRow[] {
    return this.#table.rows(learned);
  }

  /** How many MACs have a row. */
  get rowCount(): RowCount {
    const { count } = this.#learner;
    return { static: this.#fdb.size - count, learned: count };
  }

  /** Why the rows of a MAC are as they are; none where there is no row. */
  why(mac: string): FdbReason[] {
    return this.#table.why(mac);
  }

  /** Every learned row, in no order, with the packet that it was learned from. */
  learned(): LearnedRows {
    return this.#table.learned();
  }

  /** Takes over what was learned elsewhere. */
  relearn(rows: LearnedRows): void {
    this.#table.relearn(rows);
  }

  /** Forgets every learned row. @returns how many there were */
  flush(): number {
    return this.#table.flush();
  }

  /** To be called about once a second where rows are learned: forgets those that are too old. */
  age(): void {
    this.#learner.age();
  }
}
