/**
 * Looks again and again at something that does not tell, one look at a time: a look that hangs (a server that does not
 * answer) holds up the looks behind it and nothing else.
 */
export class Poller {
  readonly #look: () => Promise<number>;
  #timer: NodeJS.Timeout | undefined;
  /** When the next look is due, on the clock of `performance.now`. */
  #due = Number.POSITIVE_INFINITY;
  #looking = false;
  #closed = false;

  /** @param look never rejects; resolves to the milliseconds until the next one */
  constructor(look: () => Promise<number>) {
    this.#look = look;
  }

  /** Looks within `ms`, or sooner where that is due already. Asked during a look, it is another one after it. */
  within(ms: number): void {
    const due = performance.now() + ms;
    if (this.#closed || due >= this.#due) return;
    this.#due = due;
    if (!this.#looking) this.#wait(ms);
  }

  /** Ends it. A look that is under way goes on to its end. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), ms);
  }

  async #run(): Promise<void> {
    this.#looking = true;
    this.#due = Number.POSITIVE_INFINITY;
    const next = await this.#look();
    this.#looking = false;
    this.within(next);
    if (!this.#closed) this.#wait(Math.max(0, this.#due - performance.now()));
  }
}
