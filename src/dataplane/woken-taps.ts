/**
 * Several TAPs as the one port that the event-loop driver waits for. Each that wakes us is marked, and named when the
 * loop asks who is ready.
 */
import type { BlockedTaps, Port, ReadyTaps, Tap } from "./ports.ts";

const EXCLUDED = 0;
const READ = 1;
const WRITE = 2;

export class WokenTaps implements Port, ReadyTaps {
  readonly fd = -1;
  readonly #taps: readonly Tap[];
  /** Places that have woken us, each once. */
  readonly #woken: Int32Array;
  readonly #isWoken: Uint8Array;
  #count: number;
  /** What we wait for of each. */
  readonly #interest: Uint8Array;
  #blocked: BlockedTaps | null = null;

  constructor(taps: readonly Tap[]) {
    this.#taps = taps;
    // At first nobody knows: each is looked at.
    this.#woken = Int32Array.from(taps, (_, place) => place);
    this.#isWoken = new Uint8Array(taps.length).fill(1);
    this.#count = taps.length;
    this.#interest = new Uint8Array(taps.length);
  }

  /** Says which TAPs take nothing: only those are waited for to be written. */
  follow(blocked: BlockedTaps | null): void {
    this.#blocked = blocked;
  }

  ready(out: Int32Array): number {
    const n = Math.min(out.length, this.#count);
    for (let i = 0; i < n; i++) {
      const place = this.#woken[--this.#count]!;
      this.#isWoken[place] = 0;
      this.#interest[place] = EXCLUDED; // to be said anew: it may have frames left
      out[i] = place;
    }
    return n;
  }

  setWake(wake: (() => void) | null): void {
    this.#taps.forEach((tap, place) => {
      tap.setWake(wake === null ? null : () => this.#wakes(place, wake));
    });
    this.#interest.fill(EXCLUDED);
  }

  setInterest(readable: boolean, writable: boolean): void {
    const { frames = null, answers = null } = this.#blocked ?? {};
    for (let place = 0; place < this.#taps.length; place++) {
      const tap = this.#taps[place]!;
      const writes = writable && (tap === frames || tap === answers);
      const wanted = (readable ? READ : EXCLUDED) | (writes ? WRITE : EXCLUDED);
      if (wanted === this.#interest[place]) continue;
      this.#interest[place] = wanted;
      tap.setInterest(readable, writes);
    }
  }

  close(): void {
    for (const tap of this.#taps) tap.close();
  }

  #wakes(place: number, wake: () => void): void {
    if (this.#isWoken[place] === 0) {
      this.#isWoken[place] = 1;
      this.#woken[this.#count++] = place;
    }
    wake();
  }
}
