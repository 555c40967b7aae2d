/** Where others begin a conversation (`channel.ts`). */
import { Channel } from "./channel.ts";
import { loadShim, POLLIN, type Watch } from "./shim.ts";

/** Accepts conversations on a listening descriptor, which stays the caller's. */
export class ChannelServer {
  readonly #watch: Watch;

  /** @param accepted told of each; from then on it is his to close */
  constructor(fd: number, accepted: (channel: Channel) => void) {
    const shim = loadShim();
    this.#watch = shim.watch(fd, () => {
      for (let peer = shim.unixAccept(fd); peer >= 0; peer = shim.unixAccept(fd)) accepted(new Channel(peer));
    });
    this.#watch.update(POLLIN);
  }

  /** Accepts no more. Safe to call twice. */
  close(): void {
    this.#watch.stop();
  }
}
