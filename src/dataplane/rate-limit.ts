/** So many per second, and so many at once: a token bucket. */
export class RateLimit {
  #perSecond = 0;
  #burst = 0;
  #tokens = 0;
  #filledAt = 0;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * @param perSecond how many pass; 0: all
   * @param burst how many at once, after a while without any; left out: those of a second
   */
  set(perSecond: number, burst = perSecond): void {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = this.#now();
  }

  /** @returns whether one more may pass now */
  take(): boolean {
    if (this.#perSecond === 0) return true;
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** The last one that was let through has not passed after all. */
  giveBack(): void {
    this.#tokens += 1;
  }
}
