/**
 * The default underlay: a UDP socket of the kernel, moved by sendmmsg(2) and recvmmsg(2) in batches. One socket has
 * one source port, so all it sends to a peer takes one path through an ECMP network; `raw` does that better.
 */
import { VXLAN_AT } from "../../dataplane/arena.ts";
import type { Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import type { Ring } from "../../dataplane/ring.ts";
import { loadShim, type UdpSocket } from "./shim.ts";
import { Watching } from "./watching.ts";

const EBADF = 9;

export class BatchUnderlay implements Underlay {
  readonly kind = "batch";
  readonly fd: number;
  readonly family: 4 | 6;
  readonly capabilities: UnderlayCapabilities;
  readonly #shim = loadShim();
  readonly #watching: Watching;
  /** The socket's own count, as of the latest batch; it wraps at 2^32. */
  readonly #overflow = new Uint32Array(1);
  #overflowSeen = 0;
  #overflows = 0;
  #closed = false;

  /**
   * Takes over a socket that `openUdp` returned, in this thread or another.
   * @param checksum what `UdpSocketOptions.noCheck` made of it
   */
  constructor(socket: UdpSocket, family: 4 | 6, checksum: "computed" | "zero") {
    this.fd = socket.fd;
    this.family = family;
    this.#watching = new Watching(socket.fd);
    this.capabilities = {
      sendTos: true,
      recvTos: true,
      df: true,
      ttl: true,
      sourcePort: false,
      gso: false,
      gro: socket.gro,
      checksum,
    };
  }

  recvBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    const prepared = ring.prepare(max, VXLAN_AT);
    if (prepared === 0) return 0;
    const { bytes, words, mask, head, addresses } = ring;
    const got = this.#shim.recvBatch(this.fd, bytes, words, mask, head, prepared, addresses, this.#overflow);
    ring.publish(prepared, Math.max(got, 0));
    return got;
  }

  sendBatch(ring: Ring, addresses: Uint8Array): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    const count = ring.length;
    if (count === 0) return 0;
    const { bytes, words, mask, tail } = ring;
    const sent = this.#shim.sendBatch(this.fd, bytes, words, mask, tail, count, addresses);
    if (sent > 0) ring.complete(sent);
    return sent;
  }

  overflows(): number {
    const now = this.#overflow[0]!;
    this.#overflows += (now - this.#overflowSeen) >>> 0;
    this.#overflowSeen = now;
    return this.#overflows;
  }

  setWake(wake: (() => void) | null): void {
    this.#watching.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#watching.setInterest(readable, writable);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watching.setWake(null);
    this.#shim.close(this.fd);
  }
}
