/**
 * The event-loop driver: for ports that live on libuv (`dgram`, `raw`, memory), in whatever thread they were made.
 * A port that becomes ready wakes it; it turns the loop a bounded number of times, so that timers, sockets and the
 * API in the same thread get their share, and then says which readiness it waits for next.
 */
import type { Loop } from "./loop.ts";
import type { Port } from "./ports.ts";

/** Turns before the event loop gets its share: about 500 packets. */
const TURNS = 8;

export class EventDriver {
  readonly #loop: Loop;
  readonly #tap: Port;
  readonly #underlay: Port;
  readonly #failed: () => void;
  #scheduled: NodeJS.Immediate | undefined;
  #stopped = false;

  /** @param failed called once when a port has failed; `loop.failure` says how */
  constructor(loop: Loop, tap: Port, underlay: Port, failed: () => void) {
    this.#loop = loop;
    this.#tap = tap;
    this.#underlay = underlay;
    this.#failed = failed;
  }

  start(): void {
    this.#tap.setWake(this.#run);
    this.#underlay.setWake(this.#run);
    this.#run();
  }

  /** No turn starts after this; the ports are the caller's to close. */
  stop(): void {
    this.#stopped = true;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#tap.setWake(null);
    this.#underlay.setWake(null);
  }

  readonly #run = (): void => {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#stopped) return;
    for (let i = 0; i < TURNS; i++) {
      this.#loop.turn();
      if (this.#loop.idle || this.#loop.failure !== undefined) {
        this.#rest();
        return;
      }
    }
    this.#scheduled = setImmediate(this.#run);
  };

  #rest(): void {
    const loop = this.#loop;
    if (loop.failure !== undefined) {
      this.stop();
      this.#failed();
      return;
    }
    this.#tap.setInterest(loop.canReadTap, loop.tapBlocked);
    this.#underlay.setInterest(loop.canReadUnderlay, loop.underlayBlocked);
  }
}
