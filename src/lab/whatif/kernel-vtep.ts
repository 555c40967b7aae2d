/** The kernel's VXLAN device behind a `Wire`: what a packet does there for real. */
import { existsSync, readFileSync } from "node:fs";
import type { Receiver } from "../../teach/judge/judgement.ts";
import { ip } from "../tap-end.ts";
import type { Wire } from "./wire.ts";

const DEVICE = "vxlan1";

/** What became of a frame that arrived. */
export interface Arrival {
  /** Whether a frame came out of the tunnel. */
  readonly in: boolean;
  /** Why the kernel dropped something meanwhile. */
  readonly reasons: readonly string[];
}

export class KernelVtep {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Makes the device anew. @param local its address on the wire */
  become({ vni, port, mac, learning, gbp }: Receiver, local: string): void {
    if (existsSync(`/sys/class/net/${DEVICE}`)) ip("link", "del", DEVICE);
    const options = [learning ? "learning" : "nolearning", ...(gbp ? ["gbp"] : [])];
    const numbers = ["id", String(vni), "dstport", String(port), "local", local];
    ip("link", "add", DEVICE, "type", "vxlan", ...numbers, ...options);
    ip("link", "set", DEVICE, "address", mac, "addrgenmode", "none");
    ip("link", "set", DEVICE, "up");
  }

  receive(frame: Uint8Array): Arrival {
    const before = this.#received();
    const reasons = this.#wire.write(frame);
    return { in: this.#received() > before, reasons };
  }

  #received(): number {
    return Number(readFileSync(`/sys/class/net/${DEVICE}/statistics/rx_packets`, "utf8"));
  }
}
