/** An uplink whose other end is ours: a TAP in this namespace. What is written to it arrives at the host at once. */
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { VNET_LENGTH } from "../../dataplane/arena.ts";
import { openTap } from "../../io/linux/tap.ts";
import { type DropTrace, readAvailable } from "../drop-trace.ts";

/** As the host calls it. */
export const UPLINK = "wire0";

export interface WireOptions {
  /** Of the host's end. */
  readonly mac: string;
  /** The host's addresses, with prefix lengths. */
  readonly addresses: readonly string[];
}

/** Runs `ip` in this namespace. */
export function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

export class Wire {
  readonly #tap: number;
  readonly #trace: DropTrace | null;
  readonly #buffer = Buffer.alloc(65_600);

  /** @param trace null where the kernel has none: then it is not known why something was dropped */
  constructor({ mac, addresses }: WireOptions, trace: DropTrace | null) {
    this.#trace = trace;
    this.#tap = openTap(UPLINK).fd;
    // Without a word of autoconfiguration.
    ip("link", "set", UPLINK, "address", mac, "addrgenmode", "none");
    ip("link", "set", UPLINK, "up");
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
    writeSync(this.#tap, Buffer.concat([new Uint8Array(VNET_LENGTH), frame]));
    const reasons = this.#trace?.take() ?? [];
    // Its answers (ICMP, ARP) would fill the queue.
    while (readAvailable(this.#tap, this.#buffer) > 0);
    return reasons;
  }
}
