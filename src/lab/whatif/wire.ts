/** An uplink whose other end is ours: what is written to it arrives at the host at once, and what the host sends is read. */
import type { DropTrace } from "../drop-trace.ts";
import { ip, TapEnd } from "../tap-end.ts";

/** As the host calls it. */
export const UPLINK = "wire0";

export interface WireOptions {
  /** Of the host's end. */
  readonly mac: string;
  /** The host's addresses, with prefix lengths. */
  readonly addresses: readonly string[];
}

export class Wire {
  readonly #tap: TapEnd;
  readonly #trace: DropTrace | null;

  /** @param trace null where the kernel has none: then it is not known why something was dropped */
  constructor({ mac, addresses }: WireOptions, trace: DropTrace | null) {
    this.#trace = trace;
    this.#tap = new TapEnd(UPLINK, mac);
    for (const address of addresses) {
      ip("address", "add", address, "dev", UPLINK, ...(address.includes(":") ? ["nodad"] : []));
    }
  }

  /**
   * A frame, of at least an Ethernet header, arrives at the host.
   * @returns the reasons of all that the kernel has dropped over it, which may be answers of its own, too
   */
  write(frame: Uint8Array): string[] {
    this.#trace?.take();
    this.#tap.write(frame);
    const reasons = this.#trace?.take() ?? [];
    // Its answers (ICMP, ARP) would fill the queue.
    this.#tap.read();
    return reasons;
  }
}
