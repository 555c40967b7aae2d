/** Where this node was when it published its lease last. */
import type { LeaseAttributes } from "../control/flannel/node-lease.ts";

/**
 * A connection from an address that this node has no more stays silent, and whoever waits for an answer over it waits for
 * the whole time that a server has for one. So a store whose node has moved connects anew.
 */
export class Whereabouts {
  #last: string | null = null;

  /** @param attributes what is to be published. @returns whether the public IPs are others than the last time */
  haveChanged({ publicIp, publicIpv6 }: LeaseAttributes): boolean {
    const [before, now] = [this.#last, `${publicIp} ${publicIpv6}`];
    this.#last = now;
    return before !== null && before !== now;
  }
}
