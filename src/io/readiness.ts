/**
 * The event-loop half of a memory port: `setWake` and `setInterest` of `Port`. As with poll(2), the owner is woken
 * as long as something it waits for is possible; in a later turn of the event loop, never inside the call that
 * made it possible.
 */

/** Browsers have no setImmediate. */
const later: (task: () => void) => void =
  typeof setImmediate === "function" ? setImmediate : (task) => setTimeout(task, 0);

export class Readiness {
  readonly #readable: () => boolean;
  readonly #writable: () => boolean;
  #wake: (() => void) | null = null;
  #wantsRead = false;
  #wantsWrite = false;
  #scheduled = false;

  /** @param readable and `writable`: what is possible now */
  constructor(readable: () => boolean, writable: () => boolean) {
    this.#readable = readable;
    this.#writable = writable;
  }

  setWake(wake: (() => void) | null): void {
    this.#wake = wake;
    if (wake === null) this.#wantsRead = this.#wantsWrite = false;
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#wantsRead = readable;
    this.#wantsWrite = writable;
    this.changed();
  }

  /** Something may have become possible. */
  changed(): void {
    if (this.#scheduled || this.#wake === null || !this.#due()) return;
    this.#scheduled = true;
    later(this.#fire);
  }

  #due(): boolean {
    return (this.#wantsRead && this.#readable()) || (this.#wantsWrite && this.#writable());
  }

  readonly #fire = (): void => {
    this.#scheduled = false;
    if (this.#wake === null || !this.#due()) return;
    this.#wake();
    this.changed();
  };
}
