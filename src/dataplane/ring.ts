/**
 * A ring of descriptors, as a network card has: which packets are filled, and where their bytes lie.
 *
 * One producer pushes at `head`, one consumer takes from `tail`; both only ever grow (as wrapping 32-bit integers)
 * and are masked on access, so the capacity is a power of two. A descriptor is a row of eight 32-bit words in one
 * Int32Array, which the native shim reads and writes by the same numbers (`native-shims/src/descriptor.h`; a test
 * compares the two).
 *
 * A descriptor names its bytes as a head and a body, each an (offset, length) pair into the arena: a TAP write is
 * vnet header + frame. Where one run of bytes is enough, the head is empty. The slot is released when the descriptor
 * completes; a slot shared by several descriptors is named by the last of them only (they complete in order).
 *
 * Several rows can be one message: the first says how many follow it (`FOLLOW_SHIFT`). On the underlay that is a send
 * of several datagrams (UDP_SEGMENT), each row a datagram; on the TAP one super-frame, gathered from its rows.
 */
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";
import type { SlotPool } from "./arena.ts";
import { nextPowerOfTwo } from "./arena.ts";

/** Words in one descriptor. */
export const WORDS = 8;

/** Word: slot to release on completion, −1 for none. */
export const SLOT = 0;
/** Word: byte offset of the head in the arena. */
export const HEAD_OFFSET = 1;
/** Word: bytes in the head, 0 for none. */
export const HEAD_LENGTH = 2;
/** Word: byte offset of the body in the arena. */
export const OFFSET = 3;
/** Word: bytes in the body; before a read, the room there is. */
export const LENGTH = 4;
/**
 * Word: to send, the row of the address slab to send to (a VTEP's index; `VTEP_MASK`), and in the high 8 bits the outer
 * TTL or hop limit (`word >>> TTL_SHIFT`), 0 for what the socket has.
 */
export const PEER = 5;
/** What of a PEER word is the VTEP's index. */
export const VTEP_MASK = 0xffffff;
/** Shifts the TTL to the low end of a PEER word. */
export const TTL_SHIFT = 24;
/**
 * Word: low 8 bits the outer TOS or traffic class, high 16 bits the outer UDP source port, as the underlay numbers its
 * ports (`Underlay.sources`; 0: the port it is bound to).
 */
export const OUTER = 6;
/** Bit of a received row's OUTER word: the datagram was longer than its slot, and its end is lost. */
export const TRUNCATED = 0x100;
/** Bit of a row's OUTER word to send: an uncut super-frame, behind a head as `Underlay.takesSuperFrames` wants it. */
export const SUPER = 0x200;
/** Bit of a row's OUTER word to send: the outer IPv4 header's DF is set; without it, it is as the port was told. */
export const DONT_FRAGMENT = 0x400;
/** Word: low 16 bits the UDP GSO or GRO segment size (0: one datagram), high 16 bits how many rows follow in the message. */
export const SEGMENT = 7;
/** Shifts the number of following rows to the low end of a SEGMENT word: `word >>> FOLLOW_SHIFT`. */
export const FOLLOW_SHIFT = 16;

export { ADDRESS_BYTES };

export class Ring {
  /** Descriptors, row after row. Index a row with `row(i)`. */
  readonly words: Int32Array;
  /** Where received packets came from: one sockaddr per row. Written by `Underlay.recvBatch` only. */
  readonly addresses: Uint8Array;
  /** The same in words of this machine's order, to compare. */
  readonly addressWords: Int32Array;
  readonly capacity: number;
  readonly mask: number;
  /** Where the slots of this ring come from and go back to. */
  readonly pool: SlotPool;
  /** The arena's bytes, which the descriptors' offsets point into. */
  readonly bytes: Uint8Array;
  /** Slots that `prepare` leaves to others. */
  readonly reserve: number;
  /** Next row to fill: the producer's. */
  head = 0;
  /** Oldest filled row: the consumer's. */
  tail = 0;

  /**
   * @param capacity rows; rounded up to a power of two
   * @param reserve slots that a read leaves free, for whoever has to take some before he can give others back
   */
  constructor(pool: SlotPool, capacity: number, reserve = 0) {
    this.pool = pool;
    this.reserve = reserve;
    this.bytes = pool.bytes;
    this.capacity = nextPowerOfTwo(capacity);
    this.mask = this.capacity - 1;
    this.words = new Int32Array(this.capacity * WORDS);
    this.addresses = new Uint8Array(this.capacity * ADDRESS_BYTES);
    this.addressWords = new Int32Array(this.addresses.buffer);
  }

  /** Filled rows. */
  get length(): number {
    return (this.head - this.tail) | 0;
  }

  /** Rows that can still be filled. */
  get room(): number {
    return this.capacity - ((this.head - this.tail) | 0);
  }

  /** Rows that a read could fill: there is room, and a slot for each. */
  get readable(): number {
    return Math.max(0, Math.min(this.room, this.pool.free - this.reserve));
  }

  /** First word of the row at position `i` (a head or tail value, or one between). */
  row(i: number): number {
    return (i & this.mask) * WORDS;
  }

  /**
   * Makes up to `max` rows after `head` ready for a read: a free slot each, the body `lead` bytes into it and as
   * long as the slot allows. They become part of the ring when the reader calls `publish`. The `reserve` is left free.
   * @returns how many are ready: fewer when the ring or the pool is short, 0 when either is exhausted.
   */
  prepare(max: number, lead: number): number {
    const n = Math.min(max, this.readable);
    const { words, pool } = this;
    for (let i = 0; i < n; i++) {
      const at = this.row(this.head + i);
      const slot = pool.take();
      words[at + SLOT] = slot;
      words[at + HEAD_LENGTH] = 0;
      words[at + OFFSET] = slot + lead;
      words[at + LENGTH] = pool.slotSize - lead;
      words[at + OUTER] = 0;
      words[at + SEGMENT] = 0;
    }
    return n;
  }

  /** Ends a read for which `prepared` rows were made ready and `filled` of them were: the rest give their slots back. */
  publish(prepared: number, filled: number): void {
    // The last one first, so that the next read finds them in the same order: few slots are in use, and cached.
    for (let i = prepared - 1; i >= filled; i--)
      this.pool.release(this.words[this.row(this.head + i) + SLOT]!);
    this.head = (this.head + filled) | 0;
  }

  /** Appends a row and returns its first word; the caller has made sure that there is room. */
  push(slot: number, offset: number, length: number): number {
    const at = this.row(this.head);
    const { words } = this;
    words[at + SLOT] = slot;
    words[at + HEAD_LENGTH] = 0;
    words[at + OFFSET] = offset;
    words[at + LENGTH] = length;
    words[at + OUTER] = 0;
    words[at + SEGMENT] = 0;
    this.head = (this.head + 1) | 0;
    return at;
  }

  /** Rows of the oldest message. */
  get oldest(): number {
    return 1 + (this.words[this.row(this.tail) + SEGMENT]! >>> FOLLOW_SHIFT);
  }

  /**
   * Starts over at the first row where nothing is filled. A ring that is empty after every turn then uses few rows, and
   * few entries of the slabs that go by row: those stay in the cache.
   */
  rewind(): void {
    if (this.head === this.tail) this.head = this.tail = 0;
  }

  /** Ends the oldest `n` rows and releases their slots. */
  complete(n: number): void {
    const { words, pool } = this;
    for (let i = 0; i < n; i++) {
      const slot = words[this.row(this.tail + i) + SLOT]!;
      if (slot >= 0) pool.release(slot);
    }
    this.tail = (this.tail + n) | 0;
  }

  /**
   * Appends a copy of row `i` of a ring over the same pool, with the address it came from. Its slot now belongs to
   * the copy: end the other row with `forward`. The caller has made sure that there is room.
   */
  append(from: Ring, i: number): void {
    const source = from.row(i);
    const target = this.row(this.head);
    for (let word = 0; word < WORDS; word++) this.words[target + word] = from.words[source + word]!;
    const read = (i & from.mask) * ADDRESS_BYTES;
    const write = (this.head & this.mask) * ADDRESS_BYTES;
    for (let b = 0; b < ADDRESS_BYTES; b++) this.addresses[write + b] = from.addresses[read + b]!;
    this.head = (this.head + 1) | 0;
  }

  /** Ends the oldest `n` rows whose slots now belong to another ring's rows. */
  forward(n: number): void {
    this.tail = (this.tail + n) | 0;
  }
}
