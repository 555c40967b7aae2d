/**
 * The forwarding table as control sees it: rows by text, changed in the words of `bridge fdb`, over the typed arrays
 * that the hot path reads (`fdb/`). All of this is work between two batches.
 *
 * A MAC has one VTEP, but for a group's and the one that is all zeros, which stands for every MAC without a row: these
 * have a set of them (`vxlan_fdb_update_existing` allows `append` for the same). A VTEP whose last static row goes takes
 * what was learned from it along: nobody says any more that it may be believed.
 */
import { type Fdb, type FdbEntry, isGroup, PERMANENT } from "../fdb/fdb.ts";
import { type RemoteSets, SETS } from "../fdb/remotes.ts";
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { formatMacKey, type Mac, parseMac } from "../wire/bytes.ts";
import type { Learner } from "./learn.ts";
import type { LearnedRows, LearnedVtep } from "./learned.ts";
import type { Lesson } from "./lessons.ts";
import type { FdbReason, FdbRefusal, FdbRow, FdbUpdate } from "./options.ts";

/** What the table is made of. */
export interface ForwardingParts {
  readonly vni: number;
  /** Of the underlay. */
  readonly family: 4 | 6;
  readonly fdb: Fdb;
  readonly vteps: VtepTable;
  readonly remotes: RemoteSets;
  readonly learner: Learner;
  /** Takes one reference to a VTEP back. */
  readonly release: (vtep: number, learned?: boolean) => void;
}

export class ForwardingTable {
  readonly #parts: ForwardingParts;

  constructor(parts: ForwardingParts) {
    this.#parts = parts;
  }

  /** Makes one change. @returns null, or why it was not made */
  update(change: FdbUpdate): FdbRefusal | null {
    const { family, learner } = this.#parts;
    learner.absorb(); // what others have told came before this
    const given = change.address.length;
    if ((given !== 0 || change.op !== "del") && given !== (family === 4 ? 4 : 16)) return "FDB_FAMILY";
    const mac = parseMac(change.mac);
    return isGroup(mac.hi, mac.lo) ? this.#updateGroup(mac, change) : this.#updateUnicast(mac, change);
  }

  #updateUnicast(mac: Mac, { op, address, port }: FdbUpdate): FdbRefusal | null {
    const { fdb, vni } = this.#parts;
    const i = fdb.find(vni, mac.hi, mac.lo);
    if (op === "append") return "FDB_UNICAST";
    if (op === "del") {
      if (i < 0 || !this.#isBehind(fdb.vtepAt(i), address, port)) return "FDB_MISSING";
      const learned = !fdb.isStatic(i);
      this.#gone(fdb.delete(vni, mac.hi, mac.lo), learned);
      return null;
    }
    if (op === "add" && i >= 0) return "FDB_EXISTS";
    const learned = i >= 0 && !fdb.isStatic(i);
    const vtep = this.#acquire(address, port);
    const before = fdb.replace(vni, mac.hi, mac.lo, vtep);
    if (before >= 0) this.#gone(before, learned);
    return null;
  }

  /** Whether a VTEP is that of an address and port; of no address, whichever it is. */
  #isBehind(vtep: number, address: Uint8Array, port: number): boolean {
    if (address.length === 0) return true;
    const wanted = this.#parts.vteps.acquire(address, port);
    this.#parts.release(wanted);
    return wanted === vtep;
  }

  #updateGroup(mac: Mac, { op, address, port }: FdbUpdate): FdbRefusal | null {
    const { fdb, remotes, vni } = this.#parts;
    const set = fdb.lookup(vni, mac.hi, mac.lo);
    if (op === "replace") return "FDB_GROUP";
    if (op === "del") return set < 0 ? "FDB_MISSING" : this.#removeRemote(mac, set, address, port);
    if (op === "add" && set >= 0) return "FDB_EXISTS";
    const vtep = this.#acquire(address, port);
    if (set < 0) fdb.add(vni, mac.hi, mac.lo, remotes.create(vtep));
    // One that is there already stays there once, as in `vxlan_fdb_append`.
    else if (!remotes.append(set, vtep)) this.#gone(vtep, false);
    return null;
  }

  /** @param address of the one to take out; empty: all */
  #removeRemote(mac: Mac, set: number, address: Uint8Array, port: number): FdbRefusal | null {
    const { fdb, remotes, vteps, vni } = this.#parts;
    const going = [...remotes.of(set)];
    if (address.length > 0) {
      const wanted = vteps.acquire(address, port);
      const there = remotes.remove(set, wanted) >= 0;
      this.#parts.release(wanted);
      if (!there) return "FDB_MISSING";
      this.#gone(wanted, false);
      if (going.length > 1) return null;
      going.length = 0;
    }
    fdb.delete(vni, mac.hi, mac.lo);
    remotes.drop(set);
    for (const vtep of going) this.#gone(vtep, false);
    return null;
  }

  /**
   * Every row, in no order; one of several VTEPs once for each.
   * @param learned false: those that are not learned, which does not take long however many others there are
   */
  rows(learned = true): FdbRow[] {
    const rows: FdbRow[] = [];
    for (const entry of this.#parts.fdb.entries()) {
      if (learned || entry.state === PERMANENT) rows.push(...this.#describe(entry));
    }
    return rows;
  }

  /** The rows of a MAC, with the packet that they were learned from. */
  why(mac: string): FdbReason[] {
    const { hi, lo } = parseMac(mac);
    for (const entry of this.#parts.fdb.entries()) {
      if (entry.hi !== hi || entry.lo !== lo) continue;
      const lesson = this.#parts.learner.lesson(entry.lesson);
      return this.#describe(entry).map((row) => ({ row, lesson }));
    }
    return [];
  }

  /** Every learned row, in no order, with the packet that it was learned from: for a dataplane that takes over. */
  learned(): LearnedRows {
    const { fdb, learner, vteps: table } = this.#parts;
    learner.absorb();
    const words: number[] = [];
    const vteps: LearnedVtep[] = [];
    const lessons: Lesson[] = [];
    const places = new Map<number, number>();
    const { now } = learner;
    for (const { hi, lo, vtep, state, used, since, moved, moves, lesson: number } of fdb.entries()) {
      if (state === PERMANENT) continue;
      if (!places.has(vtep)) places.set(vtep, vteps.push(table.bytesOf(vtep)) - 1);
      const lesson = learner.lesson(number);
      const taught = lesson === null ? 0 : lessons.push(lesson);
      words.push(
        hi,
        lo,
        places.get(vtep)!,
        now - used,
        now - since,
        moved === 0 ? -1 : now - moved,
        moves,
        taught,
      );
    }
    return { words: Int32Array.from(words), vteps, lessons };
  }

  /** Takes over what was learned elsewhere. */
  relearn(rows: LearnedRows): void {
    this.#parts.learner.relearn(rows);
  }

  /** Forgets every learned row. @returns how many there were */
  flush(): number {
    this.#parts.learner.absorb(); // what others have told goes, too
    return this.#forget(() => true);
  }

  #describe(entry: FdbEntry): FdbRow[] {
    const { vteps, remotes, learner } = this.#parts;
    const targets = entry.vtep >= SETS ? [...remotes.of(entry.vtep)] : [entry.vtep];
    const mac = formatMacKey(entry.hi, entry.lo);
    return targets.map((vtep) => {
      const { address, port } = vteps.describe(vtep);
      const row = { mac, vni: entry.vni, dst: address, port };
      if (entry.state === PERMANENT) return { ...row, state: "permanent" };
      const { now } = learner;
      const { used, since, moved, moves } = entry;
      const learned = { idle: now - used, age: now - since, moved: moved === 0 ? null : now - moved, moves };
      return { ...row, state: "learned", learned };
    });
  }

  #acquire(address: Uint8Array, port: number): number {
    return this.#parts.vteps.acquire(address, port);
  }

  /** A row has this VTEP no longer. @param learned whether the row was a learned one */
  #gone(vtep: number, learned: boolean): void {
    const { vteps, learner, release } = this.#parts;
    if (learned) {
      learner.forgotten(vtep);
      return;
    }
    const at = vtep * ADDRESS_BYTES;
    const was = vteps.slab.slice(at, at + ADDRESS_BYTES);
    release(vtep);
    if (vteps.findByAddress(was, 0) < 0 && vteps.hasAddress(was, 0)) {
      this.#forget((one) => vteps.isAddressOf(one, was, 0));
    }
  }

  /** Forgets learned rows with a VTEP of some kind. @returns how many */
  #forget(which: (vtep: number) => boolean): number {
    const { fdb, learner } = this.#parts;
    return fdb.forget(which, (vtep) => learner.forgotten(vtep));
  }
}
