/**
 * Who has which address in the overlay: (VNI, IPv4 or IPv6 address) → MAC, as `ip neigh` keeps it for a kernel VXLAN
 * device with the option `proxy`.
 *
 * One open-addressed table with linear probing in a typed array, as the forwarding database is (`fdb.ts`): at most half
 * full, nothing left of a deleted row, and multipliers of its own (`hash.ts`), since whoever asks chooses the address.
 *
 *   row    address (4 words; an IPv4 address is the first, and the rest 0) │ VNI │ family, 0 for a free row │ hi │ lo
 *
 * A table belongs to the thread of its dataplane. `find` and the accessors run per question and allocate nothing;
 * all else is control work between batches.
 */
import { formatIpv4, formatIpv6, formatMacKey, i32, putU32 } from "../wire/bytes.ts";
import { ADDRESS_PARTS, drawMultipliers, hashAddress } from "./hash.ts";

const ROW_WORDS = 8;
const VNI = 4;
const FAMILY = 5;
const HI = 6;
const LO = 7;
const SMALLEST = 16;
/** Two for each word of an address, one for the VNI, which has 24 bits. */
const FACTORS = ADDRESS_PARTS + 1;

/** One row, for show. */
export interface Neighbour {
  readonly vni: number;
  readonly address: string;
  readonly mac: string;
}

export class NeighbourTable {
  readonly #factors: Int32Array;
  #rows = new Int32Array(SMALLEST * ROW_WORDS);
  #mask = SMALLEST - 1;
  /** What shifts a 32-bit hash down to a row number. */
  #shift = 32 - Math.log2(SMALLEST);
  #size = 0;

  /** @param seed fixes how addresses are spread: for tests. */
  constructor(seed?: number) {
    this.#factors = drawMultipliers(FACTORS, seed);
  }

  /** Rows in the table. */
  get size(): number {
    return this.#size;
  }

  /**
   * Who has this address?
   * @param bytes hold it at `at`: 4 bytes of it for family 4, 16 for family 6
   * @returns the row, for `hi` and `lo` until the table is next changed; −1 when there is none
   */
  find(vni: number, family: 4 | 6, bytes: Uint8Array, at: number): number {
    const six = family === 6;
    const a = i32(bytes, at);
    const b = six ? i32(bytes, at + 4) : 0;
    const c = six ? i32(bytes, at + 8) : 0;
    const d = six ? i32(bytes, at + 12) : 0;
    const row = this.#place(vni, family, a, b, c, d);
    return this.#rows[row * ROW_WORDS + FAMILY] === 0 ? -1 : row;
  }

  /** @returns the first 16 bits of the row's MAC, as `macHi` does. */
  hi(row: number): number {
    return this.#rows[row * ROW_WORDS + HI]!;
  }

  /** @returns the last 32 bits of the row's MAC, as `macLo` does. */
  lo(row: number): number {
    return this.#rows[row * ROW_WORDS + LO]!;
  }

  /**
   * Adds a row, or changes the MAC of the one that is there.
   * @param address 4 or 16 bytes
   * @throws RangeError for an address of another length
   */
  replace(vni: number, address: Uint8Array, hi: number, lo: number): void {
    const family = familyOf(address);
    if (this.find(vni, family, address, 0) < 0 && (this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    const six = family === 6;
    const [a, b, c, d] = [0, 4, 8, 12].map((at) => (six || at === 0 ? i32(address, at) : 0)) as Words;
    const at = this.#place(vni, family, a, b, c, d) * ROW_WORDS;
    if (this.#rows[at + FAMILY] === 0) this.#size++;
    this.#rows.set([a, b, c, d, vni, family, hi, lo], at);
  }

  /** Removes a row. @returns whether there was one */
  delete(vni: number, address: Uint8Array): boolean {
    let hole = this.find(vni, familyOf(address), address, 0);
    if (hole < 0) return false;
    const rows = this.#rows;
    const mask = this.#mask;
    // What a probe could not reach any more behind the gap moves back into it.
    for (let i = (hole + 1) & mask; rows[i * ROW_WORDS + FAMILY] !== 0; i = (i + 1) & mask) {
      if (((i - this.#homeOf(i)) & mask) < ((i - hole) & mask)) continue;
      rows.copyWithin(hole * ROW_WORDS, i * ROW_WORDS, (i + 1) * ROW_WORDS);
      hole = i;
    }
    rows.fill(0, hole * ROW_WORDS, (hole + 1) * ROW_WORDS);
    this.#size--;
    return true;
  }

  /** Every row, in no order. */
  *entries(): Generator<Neighbour> {
    const rows = this.#rows;
    const bytes = new Uint8Array(16);
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const family = rows[at + FAMILY]!;
      if (family === 0) continue;
      for (let word = 0; word < 4; word++) putU32(bytes, word * 4, rows[at + word]!);
      const address = family === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
      yield { vni: rows[at + VNI]!, address, mac: formatMacKey(rows[at + HI]!, rows[at + LO]!) };
    }
  }

  /** @returns the row that has this key, or the free one where it would go */
  #place(vni: number, family: number, a: number, b: number, c: number, d: number): number {
    const rows = this.#rows;
    for (let i = this.#home(vni, a, b, c, d); ; i = (i + 1) & this.#mask) {
      const at = i * ROW_WORDS;
      if (rows[at + FAMILY] === 0) return i;
      if (rows[at + 3] !== d || rows[at] !== a || rows[at + 1] !== b || rows[at + 2] !== c) continue;
      if (rows[at + VNI] === vni && rows[at + FAMILY] === family) return i;
    }
  }

  #home(vni: number, a: number, b: number, c: number, d: number): number {
    const k = this.#factors;
    return hashAddress(k, a, b, c, d, Math.imul(vni, k[ADDRESS_PARTS]!)) >>> this.#shift;
  }

  #homeOf(row: number): number {
    const rows = this.#rows;
    const at = row * ROW_WORDS;
    return this.#home(rows[at + VNI]!, rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!);
  }

  #grow(): void {
    const old = this.#rows;
    this.#rows = new Int32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    this.#shift--;
    for (let at = 0; at < old.length; at += ROW_WORDS) {
      if (old[at + FAMILY] === 0) continue;
      const [a, b, c, d, vni, family] = old.subarray(at) as unknown as [...Words, number, number];
      this.#rows.set(old.subarray(at, at + ROW_WORDS), this.#place(vni, family, a, b, c, d) * ROW_WORDS);
    }
  }
}

type Words = [number, number, number, number];

function familyOf(address: Uint8Array): 4 | 6 {
  if (address.length === 4) return 4;
  if (address.length === 16) return 6;
  throw new RangeError(`an IP address has 4 or 16 bytes, not ${address.length}`);
}
