/**
 * The default underlay: UDP sockets of the kernel, moved by sendmmsg(2) and recvmmsg(2) in batches. It receives on one
 * socket, and sends from a pool of others (`senders.ts`), one for each source port.
 *
 * A message of several rows leaves as one send (UDP_SEGMENT). Where the kernel refuses that (EIO: an egress without
 * checksum offload, before 6.11; EINVAL, EMSGSIZE: segments larger than the MTU on the way, which it would have
 * fragmented one by one), the same rows leave again as datagrams of their own.
 */
import { VXLAN_AT } from "../../dataplane/arena.ts";
import type { Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import { DONT_FRAGMENT, OUTER, type Ring, SEGMENT } from "../../dataplane/ring.ts";
import { loadShim, type UdpSocket } from "./shim.ts";
import { Watching } from "./watching.ts";

const EIO = 5;
const EBADF = 9;
const EINVAL = 22;
const EMSGSIZE = 90;

/** The bits of OUTER that decide by which socket a row leaves (`socket_of`, `native-shims/src/message.c`). */
const SENDER = (0xffff << 16) | DONT_FRAGMENT;

/**
 * What the kernel refuses a send of several datagrams with, and would not have refused each of them with. EIO is about
 * the egress, and ends it; the others are about the size of these datagrams, which is one flow's matter.
 */
const NO_GSO: ReadonlySet<number> = new Set([EIO, EINVAL, EMSGSIZE]);

export interface BatchOptions {
  readonly family: 4 | 6;
  /** What `UdpSocketOptions.noCheck` made of it. */
  readonly checksum: "computed" | "zero";
  /** Sockets to send from, by source port (`openSenders`); left out, everything leaves by the one that receives. */
  readonly senders?: readonly Pick<UdpSocket, "fd" | "port">[];
  /** The same for rows with DONT_FRAGMENT, on the same ports (`openTwins`); left out, those leave as all others. */
  readonly dfSenders?: readonly Pick<UdpSocket, "fd" | "port">[];
  /** Whether several datagrams may leave in one send. */
  readonly gso?: boolean;
}

export class BatchUnderlay implements Underlay {
  readonly kind = "batch";
  readonly fd: number;
  readonly family: 4 | 6;
  readonly capabilities: UnderlayCapabilities & { gso: boolean };
  readonly sourcePorts: Uint16Array;
  writeFd: number;
  gsoRefused: string | undefined;
  gsoFallbacks = 0;
  readonly #shim = loadShim();
  readonly #watching: Watching;
  /** (bits of OUTER, descriptor) of each sender. */
  readonly #senders: Int32Array;
  #overflowSeen = 0;
  #overflows = 0;
  #closed = false;

  /** Takes over a socket that `openUdp` returned, in this thread or another. The senders stay the caller's to close. */
  constructor(socket: UdpSocket, options: BatchOptions) {
    const { family, checksum, senders = [], dfSenders = [], gso = false } = options;
    this.fd = socket.fd;
    this.writeFd = socket.fd;
    this.family = family;
    this.#watching = new Watching(socket.fd);
    this.sourcePorts = Uint16Array.from(senders, ({ port }) => port);
    this.#senders = Int32Array.from([
      ...senders.flatMap(({ port, fd }) => [port << 16, fd]),
      ...dfSenders.flatMap(({ port, fd }) => [(port << 16) | DONT_FRAGMENT, fd]),
    ]);
    this.capabilities = {
      sendTos: true,
      recvTos: true,
      df: true,
      ttl: true,
      ttlPerPacket: true,
      flowLabel: true,
      acceptsNoCheck6: true,
      sourcePort: senders.length > 1,
      gso,
      gro: socket.gro,
      checksum,
    };
  }

  recvBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    const prepared = ring.prepare(max, VXLAN_AT);
    if (prepared === 0) return 0;
    const { bytes, words, mask, head, addresses } = ring;
    const got = this.#shim.recvBatch(this.fd, bytes, words, mask, head, prepared, addresses);
    ring.publish(prepared, Math.max(got, 0));
    return got;
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    if (count === 0) return 0;
    const sent = this.#send(ring, count, addresses, false);
    if (sent === 0) this.writeFd = this.#socketOf(ring);
    if (sent >= 0) return sent;
    const rows = ring.oldest;
    if (rows === 1 || !NO_GSO.has(-sent)) return sent;
    // From here on each row is a message of its own: what is refused again concerns that one only.
    ring.words[ring.row(ring.tail) + SEGMENT] = 0;
    const again = this.#send(ring, rows, addresses, true);
    if (again > 0 || -sent === EIO) this.#refused(-sent);
    return again;
  }

  overflows(): number {
    const now = this.#closed ? this.#overflowSeen : this.#shim.socketDrops(this.fd);
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

  #send(ring: Ring, count: number, addresses: Uint8Array, single: boolean): number {
    const { bytes, words, mask, tail } = ring;
    const senders = this.#senders;
    const sent = this.#shim.sendBatch(this.fd, bytes, words, mask, tail, count, addresses, senders, single);
    if (sent > 0) ring.complete(sent);
    return sent;
  }

  /** The socket by which the oldest row leaves. */
  #socketOf(ring: Ring): number {
    const wanted = ring.words[ring.row(ring.tail) + OUTER]! & SENDER;
    const senders = this.#senders;
    for (let i = 0; i < senders.length; i += 2) if (senders[i] === wanted) return senders[i + 1]!;
    return this.fd;
  }

  #refused(errno: number): void {
    this.gsoFallbacks++;
    if (errno !== EIO) return;
    this.capabilities.gso = false;
    this.gsoRefused = "the kernel refused it while packets flowed (EIO): the egress has no checksum offload";
  }
}
