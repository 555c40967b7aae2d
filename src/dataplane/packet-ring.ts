/**
 * Packets for whoever watches: a ring in memory that the dataplane's thread and the agent's share, beside that of events.
 * The agent looks at it a few times a second, and only while somebody watches; until then nothing is written, and the
 * memory is not even touched.
 *
 *   head │ tail │ stride │ passed │ dropped │ rows …
 *
 * Packets are a sample where there are many: one in `stride` is kept, and the consumer sets that by how many there were, so
 * that what is kept is spread over the time between two looks. Drops are all kept, as long as there is room, of which a part is theirs
 * alone. What is not kept is counted.
 */
import { ROW, WHY } from "./packet-row.ts";

const HEAD = 0;
const TAIL = 1;
/** Of packets that go their way. */
const STRIDE = 2;
/** Packets that were not kept, since the last look: those that went their way, and dropped ones. */
const PASSED = 3;
const DROPPED = 4;
const ROWS_AT = 8;
const ROWS = 256;
/** Rows that only drops may have. */
const FOR_DROPS = 64;
/** Packets between two looks that are all kept, from what was there at the look before. */
const WHOLE = (ROWS - FOR_DROPS) / 2;
/** Of more, so many are kept: nobody reads more, and writing each out takes time that the dataplane may need. */
const SAMPLE = 8;

export const PACKET_RING_BYTES = (ROWS_AT + ROWS * ROW) * 4;

/** Takes a row apart. */
export type PacketReader = (words: Int32Array, at: number) => void;

/** What was not kept. */
export interface NotKept {
  /** Of those that went their way. */
  readonly passed: number;
  readonly dropped: number;
}

export class PacketRing {
  readonly words: Int32Array;
  /** The same memory. */
  readonly bytes: Uint8Array;
  /** The producer's: rows that are written and not yet told, and where in the arena the packet of each lies. */
  pending = 0;
  readonly pendingAt = new Int32Array(ROWS);
  /** The producer's: what is pending waits for somebody to look at it. */
  isHolding = false;
  /** The producer's: packets beside the pending ones that have gone their way. */
  unkept = 0;
  /** The producer's: packets until the next that is kept. */
  left = 1;

  constructor(shared: SharedArrayBuffer, offset: number) {
    this.words = new Int32Array(shared, offset, PACKET_RING_BYTES / 4);
    this.bytes = new Uint8Array(shared, offset, PACKET_RING_BYTES);
  }

  /** The producer's: one in so many packets is kept. */
  get stride(): number {
    return Atomics.load(this.words, STRIDE);
  }

  /**
   * The producer's: makes room for a row, which is told by `publish`.
   * @returns its first word, −1 where there is no room: then it is counted
   */
  push(isDrop: boolean): number {
    const { words } = this;
    const head = (words[HEAD]! + this.pending) | 0;
    const used = (head - Atomics.load(words, TAIL)) | 0;
    if (used >= (isDrop ? ROWS : ROWS - FOR_DROPS)) {
      if (isDrop) Atomics.add(words, DROPPED, 1);
      else this.unkept++;
      return -1;
    }
    this.pending++;
    return ROWS_AT + (head & (ROWS - 1)) * ROW;
  }

  /** The producer's: the row of number `i` of those that are pending. */
  pendingRow(i: number): number {
    return ROWS_AT + ((this.words[HEAD]! + i) & (ROWS - 1)) * ROW;
  }

  /** The producer's: tells what is pending, and how many were not kept beside it. */
  publish(): void {
    const { words } = this;
    Atomics.store(words, HEAD, (words[HEAD]! + this.pending) | 0);
    this.pending = 0;
    if (this.unkept > 0) Atomics.add(words, PASSED, this.unkept);
    this.unkept = 0;
  }

  /** The consumer's: nothing of before is told. */
  open(): void {
    const { words } = this;
    Atomics.store(words, TAIL, Atomics.load(words, HEAD));
    Atomics.store(words, STRIDE, 1);
    Atomics.store(words, PASSED, 0);
    Atomics.store(words, DROPPED, 0);
  }

  /** The consumer's: reads what there is, and asks for as many of the next as it can show. */
  drain(read: PacketReader): NotKept {
    const { words } = this;
    const head = Atomics.load(words, HEAD);
    const from = words[TAIL]!;
    const passed = Atomics.exchange(words, PASSED, 0);
    let all = passed;
    for (let i = from; i !== head; i = (i + 1) | 0) {
      const at = ROWS_AT + (i & (ROWS - 1)) * ROW;
      if (words[at + WHY] === 0) all++;
      read(words, at);
    }
    Atomics.store(words, TAIL, head);
    Atomics.store(words, STRIDE, all <= WHOLE ? 1 : Math.ceil(all / SAMPLE));
    return { passed, dropped: Atomics.exchange(words, DROPPED, 0) };
  }
}
