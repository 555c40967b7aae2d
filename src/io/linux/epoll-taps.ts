/**
 * Several TAPs behind one epoll(7) descriptor: the thread polls that one, and asks it which TAPs have frames. So a
 * thousand TAPs that carry nothing cost nothing when one of them does.
 */
import type { ReadyTaps } from "../../dataplane/ports.ts";
import { loadShim } from "./shim.ts";

export class EpollTaps implements ReadyTaps {
  /** Readable as long as one of the TAPs is. */
  readonly fd: number;
  readonly #shim = loadShim();

  /** @param taps descriptors that stay the caller's; each is named by its place here */
  constructor(taps: readonly { readonly fd: number }[]) {
    this.fd = this.#shim.epollOpen();
    try {
      taps.forEach(({ fd }, place) => {
        this.#shim.epollAdd(this.fd, fd, place);
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  ready(out: Int32Array): number {
    return this.#shim.epollReady(this.fd, out);
  }

  close(): void {
    this.#shim.close(this.fd);
  }
}
