/** Packets that the fault middleware holds back, each with its slot, until others have overtaken them or time is up. */
import { Ring } from "../../dataplane/ring.ts";

export class HeldPackets {
  readonly #count: number;
  readonly #milliseconds: number;
  #ring: Ring | null = null;
  /** For each row of the ring: how many packets have been seen when it may go on, and the latest time for it. */
  #due: Float64Array;
  #deadline: Float64Array;

  /**
   * @param count how many may be held at once
   * @param milliseconds how long one is held at most
   */
  constructor(count: number, milliseconds: number) {
    this.#count = count;
    this.#milliseconds = milliseconds;
    this.#due = new Float64Array(0);
    this.#deadline = new Float64Array(0);
  }

  get length(): number {
    return this.#ring?.length ?? 0;
  }

  /** Takes over the oldest row of `from`, for the caller to end with `forward`. There must be room: see `length`. */
  hold(from: Ring, due: number, now: number): void {
    const ring = this.#ringFor(from);
    this.#due[ring.head & ring.mask] = due;
    this.#deadline[ring.head & ring.mask] = now + this.#milliseconds;
    ring.append(from, from.tail);
  }

  /** Pushes to `ring` up to `most` of those that `seen` packets or the time `now` allow to go on. */
  release(ring: Ring, most: number, seen: number, now: number): void {
    const held = this.#ring;
    if (held === null) return;
    // Once around: what stays is moved to the end of the line, so all stay in the order in which they came.
    for (let n = held.length, left = most; n > 0; n--) {
      const i = held.tail & held.mask;
      if (left > 0 && (this.#due[i]! <= seen || this.#deadline[i]! <= now)) {
        ring.append(held, held.tail);
        left--;
      } else {
        this.#due[held.head & held.mask] = this.#due[i]!;
        this.#deadline[held.head & held.mask] = this.#deadline[i]!;
        held.append(held, held.tail);
      }
      held.forward(1);
    }
  }

  /** Gives all slots back. */
  drop(): void {
    this.#ring?.complete(this.#ring.length);
  }

  #ringFor(from: Ring): Ring {
    if (this.#ring?.pool !== from.pool) {
      this.drop();
      this.#ring = new Ring(from.pool, this.#count + 1); // one row more, to move rows around
      this.#due = new Float64Array(this.#ring.capacity);
      this.#deadline = new Float64Array(this.#ring.capacity);
    }
    return this.#ring;
  }
}
