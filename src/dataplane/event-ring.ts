/**
 * What the dataplane's thread tells the agent's: a ring in memory that both share, one producer, one consumer, no
 * message and no wake-up. The consumer looks when it likes (`agent/events.ts`), and only while somebody listens; the
 * producer writes only what somebody listens to. Nothing here allocates when something is told.
 *
 *   head │ tail │ lost │ clock │ topics │ rows …           row: kind │ VNI │ what it is about: the key │ the rest
 *
 * The producer has no clock of its own: the consumer stores its milliseconds each time it looks. What was told within
 * the last half second is not told again, so that a host that sends a thousand frames to nowhere is one event. (Half a
 * second, as Linux repeats its questions every second: each of those is told.) The same is what has the same key. What
 * finds no room is lost, and counted.
 */

import { PACKET_RING_BYTES, PacketRing } from "./packet-ring.ts";

/** No row for a unicast destination MAC: the words are its first 16 and its last 32 bits. */
export const L2_MISS = 1;
/** An ARP request for an address that `proxy` does not know: one word. */
export const L3_MISS_IPV4 = 2;
/** The same for a neighbour solicitation: four words. */
export const L3_MISS_IPV6 = 3;
/** A packet was dropped: `drop-teller.ts` has the words. */
export const DROP = 4;

/** What is listened to, a bit each. */
export const MISSES = 1;
export const DROPPED = 2;
/** Packets, with their bytes: `packet-ring.ts`. */
export const PACKETS = 4;

const HEAD = 0;
const TAIL = 1;
const LOST = 2;
const CLOCK = 3;
const TOPICS = 4;
const ROWS_AT = 8;
const ROWS = 512;
/** Words of a row, and those of them by which it is known again: the first, kind and VNI among them. */
export const ROW_WORDS = 24;
export const KEY_WORDS = 18;
/** Where a row's own words begin. */
export const ABOUT = 2;

const EVENT_BYTES = (ROWS_AT + ROWS * ROW_WORDS) * 4;

/** Milliseconds for which the same is not told again. */
const QUIET = 500;
/** Keys that are remembered for it: one each by hash, the later replaces the earlier. */
const REMEMBERED = 64;
/** Words of a remembered key: the row's, and when. */
const MEMORY_WORDS = KEY_WORDS + 1;

/** Takes a row apart: what was told, and where its words lie. */
export type EventReader = (kind: number, vni: number, words: Int32Array, at: number) => void;

export class EventRing {
  /** Hand this to another thread and build an `EventRing` on it there. */
  readonly shared: SharedArrayBuffer;
  /** The producer's: what `commit` tells. What it does not say is 0. */
  readonly row = new Int32Array(ROW_WORDS);
  /** The producer's: nothing is told for the moment, whoever listens. */
  silent = false;
  /** In the same memory. */
  readonly packets: PacketRing;
  readonly #words: Int32Array;
  /** The producer's. */
  readonly #told = new Int32Array(REMEMBERED * MEMORY_WORDS);

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(EVENT_BYTES + PACKET_RING_BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, EVENT_BYTES / 4);
    this.packets = new PacketRing(shared, EVENT_BYTES);
  }

  /** The producer's question, before it makes words of what it has to say. */
  listensTo(topic: number): boolean {
    return (Atomics.load(this.#words, TOPICS) & topic) !== 0 && !this.silent;
  }

  /** Tells of a miss, unless the same was told just now, or nobody listens. */
  tell(kind: number, vni: number, a: number, b: number, c: number, d: number): void {
    if (!this.listensTo(MISSES)) return;
    const { row } = this;
    row.fill(0);
    row[0] = kind;
    row[1] = vni;
    row[ABOUT] = a;
    row[ABOUT + 1] = b;
    row[ABOUT + 2] = c;
    row[ABOUT + 3] = d;
    this.commit();
  }

  /** Tells what stands in `row`, unless the same was told just now. */
  commit(): void {
    if (this.#repeats()) return;
    const words = this.#words;
    const head = words[HEAD]!;
    if (((head - Atomics.load(words, TAIL)) | 0) >= ROWS) {
      // Drops that were not told are known by the counters.
      if (this.row[0] !== DROP) Atomics.add(words, LOST, 1);
      return;
    }
    words.set(this.row, ROWS_AT + (head & (ROWS - 1)) * ROW_WORDS);
    Atomics.store(words, HEAD, (head + 1) | 0);
  }

  /** Whether it was told within the last half second; remembers it if not. */
  #repeats(): boolean {
    const now = Atomics.load(this.#words, CLOCK);
    const { row } = this;
    const told = this.#told;
    let mixed = 0;
    for (let i = 0; i < KEY_WORDS; i++) mixed = Math.imul(mixed ^ row[i]!, 0x9e3779b1);
    const at = (mixed >>> 26) * MEMORY_WORDS;
    let i = 0;
    while (i < KEY_WORDS && told[at + i] === row[i]) i++;
    if (i === KEY_WORDS && ((now - told[at + KEY_WORDS]!) | 0) < QUIET) return true;
    for (i = 0; i < KEY_WORDS; i++) told[at + i] = row[i]!;
    told[at + KEY_WORDS] = now;
    return false;
  }

  /** The consumer's: from now on somebody listens to these topics, and hears nothing of what was told before. */
  open(now: number, topics: number): void {
    const words = this.#words;
    Atomics.store(words, TAIL, Atomics.load(words, HEAD));
    Atomics.store(words, LOST, 0);
    Atomics.store(words, CLOCK, now);
    this.listen(topics);
  }

  /** The consumer's: what is listened to from now on. */
  listen(topics: number): void {
    Atomics.store(this.#words, TOPICS, topics);
  }

  /** The consumer's: nobody listens any more. */
  close(): void {
    this.listen(0);
  }

  /**
   * The consumer's: reads everything that was told.
   * @param now milliseconds of any clock that goes on, as a 32-bit integer
   * @returns how many found no room since the last call
   */
  drain(now: number, read: EventReader): number {
    const words = this.#words;
    Atomics.store(words, CLOCK, now);
    const head = Atomics.load(words, HEAD);
    for (let i = words[TAIL]!; i !== head; i = (i + 1) | 0) {
      const at = ROWS_AT + (i & (ROWS - 1)) * ROW_WORDS;
      read(words[at]!, words[at + 1]!, words, at + ABOUT);
    }
    Atomics.store(words, TAIL, head);
    return Atomics.exchange(words, LOST, 0);
  }
}
