/**
 * Which rows of a ring belong to which overlay: runs of (overlay, rows), oldest first. A word in each row would say the
 * same, and cost a dataplane of one overlay as much as one of many.
 */
export class Runs {
  readonly #overlays: Int32Array;
  readonly #rows: Int32Array;
  readonly #mask: number;
  #head = 0;
  #tail = 0;

  /** @param capacity of the ring, a power of two: a run has at least one of its rows */
  constructor(capacity: number) {
    this.#overlays = new Int32Array(capacity);
    this.#rows = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  /** The overlay of the oldest rows; −1 where there are none. */
  get overlay(): number {
    return this.#head === this.#tail ? -1 : this.#overlays[this.#tail & this.#mask]!;
  }

  /** How many of the oldest rows are that overlay's. */
  get rows(): number {
    return this.#head === this.#tail ? 0 : this.#rows[this.#tail & this.#mask]!;
  }

  /** `rows` more rows were pushed to the ring. */
  push(overlay: number, rows: number): void {
    if (rows === 0) return;
    const last = (this.#head - 1) & this.#mask;
    if (this.#head !== this.#tail && this.#overlays[last] === overlay) {
      this.#rows[last]! += rows;
      return;
    }
    this.#overlays[this.#head & this.#mask] = overlay;
    this.#rows[this.#head & this.#mask] = rows;
    this.#head = (this.#head + 1) | 0;
  }

  /** The oldest `rows` rows have left the ring. They were of one run. */
  take(rows: number): void {
    const at = this.#tail & this.#mask;
    this.#rows[at]! -= rows;
    if (this.#rows[at] === 0) this.#tail = (this.#tail + 1) | 0;
  }
}
