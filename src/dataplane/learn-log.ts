/**
 * What one worker has learned, told to the others: a log in shared memory with one writer and any number of readers,
 * without locks. The writer never waits: who reads so slowly that the log laps him misses rows, which he then learns
 * from packets of his own or from the next refreshment.
 *
 *   word 0   rows written so far
 *   then     rows of 12 words, a power of two of them: MAC (hi, lo), VNI, the sender's sockaddr (7 words), two spare
 */
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";

/** Rows that all logs of one worker have together, about, and that each has at least. */
const ROWS = 4096;
const LEAST_ROWS = 256;
const ROW = 12;
const FIRST = 4;
const HI = 0;
const LO = 1;
const VNI = 2;
const SENDER = 3;

/**
 * @param overlays how many the worker has, each with a log of its own
 * @returns the memory of one log: 192 KB for the only one, 12 KB for one of many
 */
export function newLearnLog(overlays: number): SharedArrayBuffer {
  const rows = Math.max(LEAST_ROWS, 1 << Math.floor(Math.log2(ROWS / overlays)));
  return new SharedArrayBuffer((FIRST + rows * ROW) * 4);
}

/** How many rows a log has: a power of two, so that the place of a row is its number's low bits, also when that wraps. */
function rowsOf(words: Int32Array): number {
  return (words.length - FIRST) / ROW;
}

/** The writer's end. */
export class LearnLog {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #mask: number;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
    this.#bytes = new Uint8Array(shared);
    this.#mask = rowsOf(this.#words) - 1;
  }

  /** Tells that frames from a MAC came from the sockaddr at `from`. */
  tell(vni: number, hi: number, lo: number, addresses: Uint8Array, from: number): void {
    const words = this.#words;
    const written = words[0]!;
    const at = FIRST + (written & this.#mask) * ROW;
    words[at + HI] = hi;
    words[at + LO] = lo;
    words[at + VNI] = vni;
    const sender = (at + SENDER) * 4;
    for (let i = 0; i < ADDRESS_BYTES; i++) this.#bytes[sender + i] = addresses[from + i]!;
    Atomics.store(words, 0, (written + 1) | 0);
  }
}

/** One reader's end. What was written before it was made is not read. */
export class LearnReader {
  hi = 0;
  lo = 0;
  vni = 0;
  /** The sockaddr of the row at hand. */
  readonly sender = new Uint8Array(ADDRESS_BYTES);
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #rows: number;
  #read: number;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
    this.#bytes = new Uint8Array(shared);
    this.#rows = rowsOf(this.#words);
    this.#read = Atomics.load(this.#words, 0);
  }

  /** Reads the next row into the fields. @returns false when there is none */
  next(): boolean {
    const words = this.#words;
    for (;;) {
      const written = Atomics.load(words, 0);
      const behind = (written - this.#read) | 0;
      if (behind === 0) return false;
      // Lapped, or about to be: the writer may be at work on the oldest row.
      if (behind >= this.#rows) this.#read = (written - this.#rows / 2) | 0;
      const at = FIRST + (this.#read & (this.#rows - 1)) * ROW;
      this.hi = words[at + HI]!;
      this.lo = words[at + LO]!;
      this.vni = words[at + VNI]!;
      const sender = (at + SENDER) * 4;
      for (let i = 0; i < ADDRESS_BYTES; i++) this.sender[i] = this.#bytes[sender + i]!;
      const before = this.#read;
      this.#read = (before + 1) | 0;
      // Whole only if the writer has not come round to this row meanwhile.
      if (((Atomics.load(words, 0) - before) | 0) < this.#rows) return true;
    }
  }
}
