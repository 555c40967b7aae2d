/**
 * The forwarding database: (VNI, MAC) → VTEP, as `bridge fdb` keeps it for a kernel VXLAN device.
 *
 * One open-addressed table with linear probing in two typed arrays. What a lookup needs is a row of four words, so
 * four rows share a cache line; what only show and ageing need lies apart.
 *
 *   hot    lo (MAC bytes 2–5) │ hi (MAC bytes 0–1) │ VNI │ VTEP + 1, 0 for a free row
 *   cold   state │ used │ since │ moved (seconds)  │ moves │ lesson
 *
 * At most half of the rows are taken, so a probe ends soon and always ends. Deleting moves the rows behind the gap
 * back, so nothing remains of what was there and a table that has changed for months is as fast as a new one.
 *
 * A table belongs to the thread of its dataplane. `lookup` runs per packet and allocates nothing. All else is
 * control work between batches; `add` and `replace` may double the table. It never shrinks.
 *
 * A row is static or learned (`dataplane/learn.ts`): a learned one knows when a frame last came from its MAC, and goes
 * when that is long ago (`age`). In place of a VTEP a row may name a set of them (`remotes.ts`).
 */
import { VNI_MAX } from "../wire/vxlan.ts";
import { drawMultipliers, spread } from "./hash.ts";

const HOT_WORDS = 4;
const LO = 0;
const HI = 1;
const VNI = 2;
/** VTEP index + 1: a fresh typed array is a table of free rows. */
const VTEP = 3;
const COLD_WORDS = 6;
const STATE = 0;
const USED = 1;
const SINCE = 2;
const MOVED = 3;
const MOVES = 4;
const LESSON = 5;
const SMALLEST = 16;
/** Keys that `prefetch` asks memory for together: a batch, of which the nearest cache holds all rows. */
const AT_ONCE = 64;
/** Rows of a table that a second-level cache of 1 MB does not hold. */
const LARGE = 2 ** 17;

/** State of a row that was configured and never ages: NUD_PERMANENT, `include/uapi/linux/neighbour.h`. */
export const PERMANENT = 0x80;
/** State of a row that was learned from a frame, and ages: NUD_REACHABLE. */
export const REACHABLE = 0x02;

/** Whether a MAC's row has a set of VTEPs (`remotes.ts`): it is a group's address, or all zeros. */
export function isGroup(hi: number, lo: number): boolean {
  return (hi & 0x100) !== 0 || (hi | lo) === 0;
}

/** One row, for show and for tests. The MAC is in the form of `macHi` and `macLo`. */
export interface FdbEntry {
  readonly vni: number;
  readonly hi: number;
  readonly lo: number;
  /** A VTEP's index, or from `SETS` on the number of a set of them. */
  readonly vtep: number;
  /** A neighbour state of the kernel's: `PERMANENT` or `REACHABLE`. */
  readonly state: number;
  // Of a learned row, in seconds of the dataplane's clock; 0 for a static one.
  /** When a frame last came from this MAC. */
  readonly used: number;
  /** When the row was learned. */
  readonly since: number;
  /** When it last got another VTEP; 0 for never. */
  readonly moved: number;
  /** How often it did. */
  readonly moves: number;
  /** Number of the packet that the row as it is was learned from. */
  readonly lesson: number;
}

/** How well the rows are spread: rows looked at per lookup. */
export interface Probes {
  readonly size: number;
  readonly capacity: number;
  /** Mean over all keys in the table; 0 when it is empty. */
  readonly mean: number;
  /** The worst of them. */
  readonly longest: number;
  /** Mean for a key that is not in the table. */
  readonly missMean: number;
}

export class Fdb {
  // What the parts of a key are multiplied by. No array: at a million rows, where lookups wait for memory, the
  // processor has as many of them under way as it can look ahead, so every instruction less counts. Numbers from the
  // start: of a field that begins undefined V8 asks at each use what it holds.
  #factorLo = 0;
  #factorHi = 0;
  #factorVni = 0;
  #hot = new Int32Array(SMALLEST * HOT_WORDS);
  #cold = new Int32Array(SMALLEST * COLD_WORDS);
  #mask = SMALLEST - 1;
  /** What shifts a 32-bit hash down to a row number. */
  #shift = 32 - Math.log2(SMALLEST);
  #size = 0;
  readonly #expected = new Int32Array(AT_ONCE);
  #expecting = 0;

  /** @param seed fixes how keys are spread, so that a test sees the same table every time. Never in production. */
  constructor(seed?: number) {
    const factors = drawMultipliers(3, seed);
    this.#factorLo = factors[0]!;
    this.#factorHi = factors[1]!;
    this.#factorVni = factors[2]!;
  }

  /** Rows in the table. */
  get size(): number {
    return this.#size;
  }

  /**
   * The per-packet question.
   * @param hi as `macHi` returns it
   * @param lo as `macLo` returns it
   * @returns the VTEP's index, or −1 when there is no row
   */
  lookup(vni: number, hi: number, lo: number): number {
    const hot = this.#hot;
    const mask = this.#mask;
    for (let i = this.#home(vni, hi, lo); ; i = (i + 1) & mask) {
      const at = i * HOT_WORDS;
      // A free row is all zero: for the key that is all zero too it says −1, which is right.
      if (hot[at + LO] === lo && hot[at + HI] === hi && hot[at + VNI] === vni) return hot[at + VTEP]! - 1;
      if (hot[at + VTEP] === 0) return -1;
    }
  }

  /** Whether the table is so large that a look-up waits for memory, and `expect` and `prefetch` pay. */
  get large(): boolean {
    return this.#mask >= LARGE - 1;
  }

  /** Names a key that is about to be looked up. Of more than 64 since `prefetch` the rest are forgotten. */
  expect(vni: number, hi: number, lo: number): void {
    if (this.#expecting === AT_ONCE) return;
    this.#expected[this.#expecting++] = this.#home(vni, hi, lo) * HOT_WORDS;
  }

  /**
   * Brings the rows of all expected keys into the cache. One look-up after the other waits for its row before the next
   * begins, as soon as a branch was guessed wrong; here nothing depends on what is read, and the processor waits for as
   * many rows at once as it can.
   */
  prefetch(): void {
    const hot = this.#hot;
    const expected = this.#expected;
    let read = 0;
    for (let i = 0; i < this.#expecting; i++) read ^= hot[expected[i]!]!;
    expected[0] = read; // the compiler leaves out a load whose value goes nowhere
    this.#expecting = 0;
  }

  /**
   * Adds a row.
   * @returns false when there is one already (`bridge fdb add`: File exists); then nothing changes
   * @throws RangeError for a VNI, MAC or VTEP index out of range
   */
  add(vni: number, hi: number, lo: number, vtep: number): boolean {
    check(vni, hi, lo, vtep);
    if (this.find(vni, hi, lo) >= 0) return false;
    this.#insert(vni, hi, lo, vtep, PERMANENT);
    return true;
  }

  /**
   * Adds a row, or points the row that is there to another VTEP; it is static then, whatever it was.
   * @returns the VTEP index that the row had, −1 when it is new
   * @throws RangeError for a VNI, MAC or VTEP index out of range
   */
  replace(vni: number, hi: number, lo: number, vtep: number): number {
    check(vni, hi, lo, vtep);
    const i = this.find(vni, hi, lo);
    if (i < 0) {
      this.#insert(vni, hi, lo, vtep, PERMANENT);
      return -1;
    }
    const before = this.#hot[i * HOT_WORDS + VTEP]! - 1;
    this.#hot[i * HOT_WORDS + VTEP] = vtep + 1;
    this.#cold.fill(0, i * COLD_WORDS, (i + 1) * COLD_WORDS);
    this.#cold[i * COLD_WORDS + STATE] = PERMANENT;
    return before;
  }

  /**
   * Deletes a row.
   * @returns the VTEP index that it had, −1 when there was none (`bridge fdb del`: No such file or directory)
   */
  delete(vni: number, hi: number, lo: number): number {
    const i = this.find(vni, hi, lo);
    if (i < 0) return -1;
    const before = this.vtepAt(i);
    this.#vacate(i);
    return before;
  }

  /** @returns where the row of a key is, until the table changes; −1 when there is none */
  find(vni: number, hi: number, lo: number): number {
    const hot = this.#hot;
    for (let i = this.#home(vni, hi, lo); this.#taken(i); i = (i + 1) & this.#mask) {
      const at = i * HOT_WORDS;
      if (hot[at + LO] === lo && hot[at + HI] === hi && hot[at + VNI] === vni) return i;
    }
    return -1;
  }

  /** @param i where `find` said that a row is. @returns its VTEP, or set of VTEPs */
  vtepAt(i: number): number {
    return this.#hot[i * HOT_WORDS + VTEP]! - 1;
  }

  /** Whether row `i` was configured: it does not age, and no frame moves it. */
  isStatic(i: number): boolean {
    return this.#cold[i * COLD_WORDS + STATE] === PERMANENT;
  }

  /** When a frame last came from the MAC of row `i`. */
  usedAt(i: number): number {
    return this.#cold[i * COLD_WORDS + USED]!;
  }

  /** A frame came from the MAC of row `i`, `now` in seconds. */
  touch(i: number, now: number): void {
    this.#cold[i * COLD_WORDS + USED] = now;
  }

  /**
   * Adds a learned row; there is none for its key.
   * @param lesson number of the packet that it was learned from
   */
  learn(vni: number, hi: number, lo: number, vtep: number, now: number, lesson: number): void {
    const at = this.#insert(vni, hi, lo, vtep, REACHABLE) * COLD_WORDS;
    this.#cold[at + USED] = now;
    this.#cold[at + SINCE] = now;
    this.#cold[at + LESSON] = lesson;
  }

  /**
   * Adds a row that was learned elsewhere; there is none for its key.
   * @param used seconds of the clock here, as `since` and `moved`; they may lie before its start
   */
  relearn(row: Omit<FdbEntry, "state">): void {
    const at = this.#insert(row.vni, row.hi, row.lo, row.vtep, REACHABLE) * COLD_WORDS;
    this.#cold.set([REACHABLE, row.used, row.since, row.moved, row.moves, row.lesson], at);
  }

  /** Points the learned row `i` to another VTEP. @returns the one it had */
  move(i: number, vtep: number, now: number, lesson: number): number {
    const before = this.vtepAt(i);
    const at = i * COLD_WORDS;
    this.#hot[i * HOT_WORDS + VTEP] = vtep + 1;
    this.#cold[at + USED] = now;
    this.#cold[at + MOVED] = now;
    this.#cold[at + MOVES]! += 1;
    this.#cold[at + LESSON] = lesson;
    return before;
  }

  /**
   * Looks at `count` rows from row `from` on, and deletes the learned ones that were last used before `since`.
   * @param gone is told the VTEP of each
   * @returns where to go on, 0 after the last row
   */
  age(from: number, count: number, since: number, gone: (vtep: number) => void): number {
    const end = Math.min(from + count, this.#mask + 1);
    for (let i = from; i < end; i++) {
      // After a deletion another row may stand here.
      while (this.#taken(i) && !this.isStatic(i) && this.usedAt(i) < since) {
        const vtep = this.vtepAt(i);
        this.#vacate(i);
        gone(vtep);
      }
    }
    return end > this.#mask ? 0 : end;
  }

  /**
   * Deletes the learned rows of which `which` says so, given their VTEP. It takes as long as the table is large.
   * @param gone is told the VTEP of each
   * @returns how many
   */
  forget(which: (vtep: number) => boolean, gone: (vtep: number) => void): number {
    let forgotten = 0;
    for (let i = 0; i <= this.#mask; i++) {
      // After a deletion another row may stand here.
      while (this.#taken(i) && !this.isStatic(i) && which(this.vtepAt(i))) {
        const vtep = this.vtepAt(i);
        this.#vacate(i);
        gone(vtep);
        forgotten++;
      }
    }
    return forgotten;
  }

  /** Every row, in no order. The table must not change meanwhile: a row may move and be missed or come twice. */
  *entries(): Generator<FdbEntry, void, undefined> {
    const hot = this.#hot;
    const cold = this.#cold;
    for (let i = 0; i <= this.#mask; i++) {
      const at = i * HOT_WORDS;
      if (hot[at + VTEP] === 0) continue;
      yield {
        vni: hot[at + VNI]!,
        hi: hot[at + HI]!,
        lo: hot[at + LO]!,
        vtep: hot[at + VTEP]! - 1,
        state: cold[i * COLD_WORDS + STATE]!,
        used: cold[i * COLD_WORDS + USED]!,
        since: cold[i * COLD_WORDS + SINCE]!,
        moved: cold[i * COLD_WORDS + MOVED]!,
        moves: cold[i * COLD_WORDS + MOVES]!,
        lesson: cold[i * COLD_WORDS + LESSON]!,
      };
    }
  }

  /** Measures the table; it takes as long as the table is large. */
  probes(): Probes {
    const mask = this.#mask;
    let total = 0;
    let longest = 0;
    let missTotal = 0;
    // From the end of the table to its start, so that the run of taken rows after each one is known. A run that
    // goes on at the start of the table is followed there first.
    let run = 0;
    while (this.#taken(run)) run++;
    for (let i = mask; i >= 0; i--) {
      run = this.#taken(i) ? run + 1 : 0;
      missTotal += run + 1;
      if (run === 0) continue;
      const length = ((i - this.#homeOf(i)) & mask) + 1;
      total += length;
      longest = Math.max(longest, length);
    }
    const size = this.#size;
    const capacity = mask + 1;
    return { size, capacity, mean: size === 0 ? 0 : total / size, longest, missMean: missTotal / capacity };
  }

  /** The row where a key belongs. */
  #home(vni: number, hi: number, lo: number): number {
    const sum =
      (Math.imul(lo, this.#factorLo) + Math.imul(hi, this.#factorHi) + Math.imul(vni, this.#factorVni)) | 0;
    return spread(sum) >>> this.#shift;
  }

  #homeOf(i: number): number {
    const hot = this.#hot;
    const at = i * HOT_WORDS;
    return this.#home(hot[at + VNI]!, hot[at + HI]!, hot[at + LO]!);
  }

  #taken(i: number): boolean {
    return this.#hot[i * HOT_WORDS + VTEP] !== 0;
  }

  /** @returns where the new row is */
  #insert(vni: number, hi: number, lo: number, vtep: number, state: number): number {
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    let i = this.#home(vni, hi, lo);
    while (this.#taken(i)) i = (i + 1) & this.#mask;
    const hot = this.#hot;
    const at = i * HOT_WORDS;
    hot[at + LO] = lo;
    hot[at + HI] = hi;
    hot[at + VNI] = vni;
    hot[at + VTEP] = vtep + 1;
    this.#cold.fill(0, i * COLD_WORDS, (i + 1) * COLD_WORDS);
    this.#cold[i * COLD_WORDS + STATE] = state;
    this.#size++;
    return i;
  }

  #grow(): void {
    const hot = this.#hot;
    const cold = this.#cold;
    const rows = this.#mask + 1;
    this.#hot = new Int32Array(hot.length * 2);
    this.#cold = new Int32Array(cold.length * 2);
    this.#mask = rows * 2 - 1;
    this.#shift--;
    for (let from = 0; from < rows; from++) {
      const at = from * HOT_WORDS;
      if (hot[at + VTEP] === 0) continue;
      let i = this.#home(hot[at + VNI]!, hot[at + HI]!, hot[at + LO]!);
      while (this.#taken(i)) i = (i + 1) & this.#mask;
      this.#hot.set(hot.subarray(at, at + HOT_WORDS), i * HOT_WORDS);
      this.#cold.set(cold.subarray(from * COLD_WORDS, (from + 1) * COLD_WORDS), i * COLD_WORDS);
    }
  }

  /** Frees row `hole`, and moves back each row behind it that a probe could not reach any more. */
  #vacate(hole: number): void {
    const mask = this.#mask;
    for (let i = (hole + 1) & mask; this.#taken(i); i = (i + 1) & mask) {
      // The row stays if its home lies between the hole and itself.
      if (((i - this.#homeOf(i)) & mask) < ((i - hole) & mask)) continue;
      this.#hot.copyWithin(hole * HOT_WORDS, i * HOT_WORDS, (i + 1) * HOT_WORDS);
      this.#cold.copyWithin(hole * COLD_WORDS, i * COLD_WORDS, (i + 1) * COLD_WORDS);
      hole = i;
    }
    this.#hot.fill(0, hole * HOT_WORDS, (hole + 1) * HOT_WORDS);
    this.#cold.fill(0, hole * COLD_WORDS, (hole + 1) * COLD_WORDS);
    this.#size--;
  }
}

/** Table keys come from `parseMac` and the configuration, which have checked them: this catches our own mistakes. */
function check(vni: number, hi: number, lo: number, vtep: number): void {
  if (!(Number.isInteger(vni) && vni >= 0 && vni <= VNI_MAX)) {
    throw new RangeError(`a VNI is an integer from 0 to ${VNI_MAX}, not ${vni}`);
  }
  if (!(Number.isInteger(hi) && hi >= 0 && hi <= 0xffff && (lo | 0) === lo)) {
    throw new RangeError(`a MAC is given as macHi and macLo return it, not as ${hi} and ${lo}`);
  }
  if (!(Number.isInteger(vtep) && vtep >= 0 && vtep < 0x7fffffff)) {
    throw new RangeError(`a VTEP index is not negative, and ${vtep} is none`);
  }
}
