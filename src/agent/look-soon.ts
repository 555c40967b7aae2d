/**
 * Many reasons to look, few looks: the first reason waits a moment for those that come with it, and no look begins while
 * another runs or within half a second after it. Where looks follow one another for seconds (a routing daemon that never
 * rests, a network manager that undoes what we do) they come more and more seldom, down to one in five seconds, until
 * there was a pause.
 *
 * What a look itself changes is heard, too, and asks for one more, which finds nothing to do.
 */

/** Milliseconds from the first reason to a look. */
const SOON = 50;
/** Milliseconds between a look and the next, and the most to which that grows. */
const GAP = 500;
const LONGEST_GAP = 5000;
/** Looks in a row after which the gap doubles with each. */
const PATIENCE = 10;

export class LookSoon {
  readonly #look: (why: string) => unknown;
  #why: string | null = null;
  #more = 0;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #closed = false;
  #endedAt = Number.NEGATIVE_INFINITY;
  /** Looks each of which began as soon as the one before allowed. */
  #inRow = 0;

  /** @param look may return a promise: then the look lasts until it is settled. What fails is its own to report */
  constructor(look: (why: string) => unknown) {
    this.#look = look;
  }

  /** @param why in words: the first reason is what `look` is told */
  ask(why: string): void {
    if (this.#closed) return;
    if (this.#why === null) this.#why = why;
    else this.#more++;
    this.#schedule();
  }

  /** No look begins any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed || this.#why === null || this.#timer !== undefined || this.#running) return;
    const gap = Math.min(GAP * 2 ** Math.max(0, this.#inRow - PATIENCE), LONGEST_GAP);
    const left = this.#endedAt + gap - performance.now();
    this.#inRow = left > SOON ? this.#inRow + 1 : 0;
    this.#timer = setTimeout(() => void this.#run(), Math.max(SOON, left));
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const why = this.#more === 0 ? this.#why! : `${this.#why} (and ${this.#more} more)`;
    this.#timer = undefined;
    this.#why = null;
    this.#more = 0;
    this.#running = true;
    try {
      await this.#look(why);
    } catch {
      // it has reported it
    }
    this.#running = false;
    this.#endedAt = performance.now();
    this.#schedule();
  }
}
