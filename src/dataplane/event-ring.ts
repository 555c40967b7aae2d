/**
 * What the dataplane's thread tells the agent's: a ring in memory that both share, one producer, one consumer, no
 * message and no wake-up. The consumer looks when it likes (`agent/events.ts`), and only while somebody listens; the
 * producer writes only then. Nothing here allocates when something is told.
 *
 *   head │ tail │ lost │ clock │ listening │ rows …        row: kind │ VNI │ four words of what it is about
 *
 * The producer has no clock of its own: the consumer stores its milliseconds each time it looks. What was told within
 * the last half second is not told again, so that a host that sends a thousand frames to nowhere is one event. (Half a
 * second, as Linux repeats its questions every second: each of those is told.) What finds no room is lost, and counted.
 */

/** No row for a unicast destination MAC: the words are its first 16 and its last 32 bits. */
export const L2_MISS = 1;
/** An ARP request for an address that `proxy` does not know: one word. */
export const L3_MISS_IPV4 = 2;
/** The same for a neighbour solicitation: four words. */
export const L3_MISS_IPV6 = 3;

const HEAD = 0;
const TAIL = 1;
const LOST = 2;
const CLOCK = 3;
const LISTENING = 4;
const ROWS_AT = 8;
const ROW_WORDS = 6;
const ROWS = 512;

/** Milliseconds for which the same is not told again. */
const QUIET = 500;
/** Keys that are remembered for it: one each by hash, the later replaces the earlier. */
const REMEMBERED = 64;
/** Words of a remembered key: the row's, and when. */
const MEMORY_WORDS = ROW_WORDS + 1;

/** Takes a row apart: what was told, and where its words lie. */
export type EventReader = (kind: number, vni: number, words: Int32Array, at: number) => void;

export class EventRing {
  /** Hand this to another thread and build an `EventRing` on it there. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** The producer's. */
  readonly #told = new Int32Array(REMEMBERED * MEMORY_WORDS);

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer((ROWS_AT + ROWS * ROW_WORDS) * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** The producer's question, before it makes words of what it has to say. */
  get listening(): boolean {
    return Atomics.load(this.#words, LISTENING) !== 0;
  }

  /** Tells it, unless the same was told just now, or nobody listens. */
  tell(kind: number, vni: number, a: number, b: number, c: number, d: number): void {
    if (!this.listening || this.#repeats(kind, vni, a, b, c, d)) return;
    const words = this.#words;
    const head = words[HEAD]!;
    if (((head - Atomics.load(words, TAIL)) | 0) >= ROWS) {
      Atomics.add(words, LOST, 1);
      return;
    }
    const at = ROWS_AT + (head & (ROWS - 1)) * ROW_WORDS;
    words[at] = kind;
    words[at + 1] = vni;
    words[at + 2] = a;
    words[at + 3] = b;
    words[at + 4] = c;
    words[at + 5] = d;
    Atomics.store(words, HEAD, (head + 1) | 0);
  }

  /** Whether it was told within the last half second; remembers it if not. */
  #repeats(kind: number, vni: number, a: number, b: number, c: number, d: number): boolean {
    const now = Atomics.load(this.#words, CLOCK);
    const told = this.#told;
    const mixed = Math.imul(a ^ Math.imul(b ^ Math.imul(c ^ Math.imul(d ^ kind, 5), 5), 5), 0x9e3779b1);
    const at = (mixed >>> 26) * MEMORY_WORDS;
    if (
      told[at] === kind &&
      told[at + 1] === vni &&
      told[at + 2] === a &&
      told[at + 3] === b &&
      told[at + 4] === c &&
      told[at + 5] === d &&
      ((now - told[at + 6]!) | 0) < QUIET
    ) {
      return true;
    }
    told[at] = kind;
    told[at + 1] = vni;
    told[at + 2] = a;
    told[at + 3] = b;
    told[at + 4] = c;
    told[at + 5] = d;
    told[at + 6] = now;
    return false;
  }

  /** The consumer's: from now on somebody listens, and hears nothing of what was told before. */
  open(now: number): void {
    const words = this.#words;
    Atomics.store(words, TAIL, Atomics.load(words, HEAD));
    Atomics.store(words, LOST, 0);
    Atomics.store(words, CLOCK, now);
    Atomics.store(words, LISTENING, 1);
  }

  /** The consumer's: nobody listens any more. */
  close(): void {
    Atomics.store(this.#words, LISTENING, 0);
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
      read(words[at]!, words[at + 1]!, words, at + 2);
    }
    Atomics.store(words, TAIL, head);
    return Atomics.exchange(words, LOST, 0);
  }
}
