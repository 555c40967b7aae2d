/** The event-loop half of a port that has a descriptor: `setWake` and `setInterest` of `Port`, by uv_poll. */
import { loadShim, POLLIN, POLLOUT, type Watch } from "./shim.ts";

export class Watching {
  readonly #fd: number;
  #watch: Watch | undefined;
  #events = 0;

  /** Watches nothing yet. The descriptor stays the caller's, who calls `setWake(null)` before it is closed. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  setWake(wake: (() => void) | null): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#events = 0;
    if (wake === null) return;
    this.#watch = loadShim().watch(this.#fd, (events) => {
      // The descriptor has failed and is watched no more; the owner's next call learns why.
      if (events < 0) this.#events = 0;
      wake();
    });
  }

  setInterest(readable: boolean, writable: boolean): void {
    const events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
    if (events === this.#events || this.#watch === undefined) return;
    this.#watch.update(events);
    this.#events = events;
  }
}
