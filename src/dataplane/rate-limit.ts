/** So many per second, and as many at once: a token bucket. */
export class RateLimit {
  #perSecond = 0;
  #tokens = 0;
  #filledAt = 0;

  /** @param perSecond how many pass; 0: all */
  set(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAt = performance.now();
  }

  /** @returns whether one more may pass now */
  take(): boolean {
    if (this.#perSecond === 0) return true;
    if (this.#tokens < 1) {
      const now = performance.now();
      const earned = ((now - this.#filledAt) * this.#perSecond) / 1000;
      this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
      this.#filledAt = now;
      if (this.#tokens < 1) return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
