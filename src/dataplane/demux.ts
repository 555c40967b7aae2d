/**
 * In front of the decap stages of several overlays on one port: each datagram goes to the one whose VNI it names, as
 * `vxlan_vs_find_vni` finds the kernel's device. Consecutive datagrams of one overlay go through its short loop.
 *
 * A train (UDP_GRO) may hold packets of several VNIs: the kernel joins what has one length, from one port. Its parts go
 * to their overlays in order. What names a VNI that nobody has goes to the first overlay, which counts why it cannot be
 * let in (VXLAN_VNI_NOT_FOUND), and so does what names none.
 *
 * Nothing of one overlay is joined with what came for another: the coalescer is ended at each change.
 */
import { VXLAN_LENGTH } from "../wire/vxlan.ts";
import { counterIndex, dropIndex } from "./counters.ts";
import { MAX_SEGMENTS } from "./decap.ts";
import type { DecapStage } from "./loop.ts";
import type { Overlay } from "./overlay.ts";
import { LENGTH, OFFSET, OUTER, type Ring, SEGMENT, SLOT, TRUNCATED } from "./ring.ts";
import type { Runs } from "./runs.ts";

const RX_DATAGRAMS = counterIndex("rxDatagrams");
const PKT_TOO_BIG = dropIndex("rx", "PKT_TOO_BIG");

export class Demux implements DecapStage {
  readonly #overlays: readonly Overlay[];
  readonly #runs: Runs;
  readonly #places: VniTable;
  readonly #view: DataView;
  /** The overlay at hand, within `run`; −1 before its first datagram. */
  #at = -1;

  /**
   * @param runs becomes whose the rows of the ready ring are
   * @throws RangeError where two have one VNI
   */
  constructor(overlays: readonly Overlay[], bytes: Uint8Array, runs: Runs) {
    this.#overlays = overlays;
    this.#runs = runs;
    this.#places = new VniTable(overlays.map(({ vni }) => vni));
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** As `Decap.run`. */
  run(filled: Ring, ready: Ring): void {
    ready.rewind();
    this.#at = -1;
    while (filled.length > 0 && ready.room >= MAX_SEGMENTS) {
      const row = filled.row(filled.tail);
      const length = filled.words[row + LENGTH]!;
      const place = this.#placeOf(filled.words[row + OFFSET]!, length);
      this.#turnTo(place, filled, ready);
      if (this.#isMixed(filled, row)) this.#parts(filled, row, ready);
      else this.#some(place, filled, ready);
    }
    if (this.#at >= 0) this.#overlays[this.#at]!.decap.finish(ready);
  }

  /** The place of the overlay that a datagram's VNI names. */
  placeOf(at: number): number {
    return this.#places.find(this.#view.getInt32(at + 4) >>> 8);
  }

  takeApart(ready: Ring): boolean {
    return this.#overlays[0]!.decap.takeApart(ready);
  }

  joinNothing(): void {
    this.#overlays[0]!.decap.joinNothing();
  }

  #placeOf(at: number, length: number): number {
    return length < VXLAN_LENGTH ? 0 : Math.max(0, this.placeOf(at));
  }

  #turnTo(place: number, filled: Ring, ready: Ring): void {
    if (place === this.#at) return;
    if (this.#at >= 0) this.#overlays[this.#at]!.decap.finish(ready);
    this.#at = place;
    this.#overlays[place]!.decap.begin(filled);
  }

  #some(place: number, filled: Ring, ready: Ring): void {
    const overlay = this.#overlays[place]!;
    const { length } = filled;
    const before = ready.head;
    overlay.decap.some(filled, ready);
    overlay.counters.values[RX_DATAGRAMS]! += length - filled.length;
    this.#runs.push(place, (ready.head - before) | 0);
  }

  /** Whether a received train names more than one VNI. */
  #isMixed(filled: Ring, row: number): boolean {
    const { words } = filled;
    const segment = words[row + SEGMENT]! & 0xffff;
    const length = words[row + LENGTH]!;
    if (segment < VXLAN_LENGTH || segment >= length || (words[row + OUTER]! & TRUNCATED) !== 0) return false;
    const start = words[row + OFFSET]!;
    const first = this.#view.getInt32(start + 4) >>> 8;
    for (let at = segment; at + VXLAN_LENGTH <= length; at += segment) {
      if (this.#view.getInt32(start + at + 4) >>> 8 === first) continue;
      return !this.#overlays[this.#at]!.decap.isWhole(filled);
    }
    return false;
  }

  /** The oldest datagram, a train of several VNIs: the last frame that comes of it gets its slot. */
  #parts(filled: Ring, row: number, ready: Ring): void {
    const { words } = filled;
    const segment = words[row + SEGMENT]! & 0xffff;
    const start = words[row + OFFSET]!;
    const length = words[row + LENGTH]!;
    const before = ready.head;
    const first = this.#overlays[this.#at]!.counters.values;
    first[RX_DATAGRAMS]! += 1;
    const end = Math.min(length, MAX_SEGMENTS * segment);
    for (let at = 0; at < end; ) {
      const place = this.#placeOf(start + at, length - at);
      const from = at;
      do at += segment;
      while (at < end && this.#placeOf(start + at, length - at) === place);
      this.#turnTo(place, filled, ready);
      const pushed = ready.head;
      this.#overlays[place]!.decap.part(filled, start + from, Math.min(at, end) - from, ready);
      this.#runs.push(place, (ready.head - pushed) | 0);
    }
    if (end < length) first[PKT_TOO_BIG]! += Math.ceil((length - end) / segment);
    if (ready.head === before) ready.pool.release(words[row + SLOT]!);
    else ready.words[ready.row(ready.head - 1) + SLOT] = words[row + SLOT]!;
    filled.forward(1);
  }
}

/** VNI → place, in an open-addressed table: what a packet asks allocates nothing. */
export class VniTable {
  readonly #keys: Int32Array;
  readonly #places: Int32Array;
  readonly #mask: number;

  /** @throws RangeError where two are the same */
  constructor(vnis: readonly number[]) {
    let size = 4;
    while (size < 4 * vnis.length) size *= 2;
    this.#mask = size - 1;
    this.#keys = new Int32Array(size).fill(-1);
    this.#places = new Int32Array(size);
    vnis.forEach((vni, place) => {
      if (this.find(vni) >= 0) throw new RangeError(`two overlays have the VNI ${vni}`);
      let i = this.#home(vni);
      while (this.#keys[i] !== -1) i = (i + 1) & this.#mask;
      this.#keys[i] = vni;
      this.#places[i] = place;
    });
  }

  /** @returns its place, −1 where it is nobody's */
  find(vni: number): number {
    for (let i = this.#home(vni); ; i = (i + 1) & this.#mask) {
      if (this.#keys[i] === vni) return this.#places[i]!;
      if (this.#keys[i] === -1) return -1;
    }
  }

  #home(vni: number): number {
    return (Math.imul(vni, 0x9e3779b1) >>> 8) & this.#mask;
  }
}
