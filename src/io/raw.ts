/**
 * The underlay that writes its own outer headers: a source port per flow for ECMP and RSS, no UDP checksum, and TOS,
 * TTL and DF as asked for. It sends through a raw socket (`raw/socket.ts`) and receives through a UDP socket that is
 * bound as that of `batch` is: so the port is ours, TOS is known, and the kernel answers nobody with "port
 * unreachable".
 *
 *   send      ring row → behind the headers in one buffer → sendto(2), one call per datagram
 *   receive   BatchUnderlay
 *
 * Limits:
 * - IPv4 only: a raw IPv6 socket does not take the header from us, and a zero UDP checksum is refused there by default.
 * - A datagram longer than the MTU of its interface is refused with EMSGSIZE, DF or not: with IP_HDRINCL the kernel
 *   does not fragment (raw_send_hdrinc). Give the overlay an MTU of 50 less.
 * - The path MTU is not learned: "fragmentation needed" names a source port that no socket has, and the kernel passes
 *   over it. With DF set, a smaller MTU on the way swallows what is too long for it.
 * - Main thread, CAP_NET_RAW.
 */
import { portsBetween } from "../dataplane/entropy.ts";
import type { Underlay, UnderlayCapabilities } from "../dataplane/ports.ts";
import {
  ADDRESS_BYTES,
  DONT_FRAGMENT,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  type Ring,
  TTL_SHIFT,
  VTEP_MASK,
} from "../dataplane/ring.ts";
import { copyBytes, viewsOf } from "./copy.ts";
import { BatchUnderlay } from "./linux/batch.ts";
import type { PortRange } from "./linux/senders.ts";
import type { UdpSocket, UdpSocketOptions } from "./linux/shim.ts";
import { openUdp } from "./linux/udp.ts";
import { EBADF, LARGEST_PAYLOAD, PeerTexts, refusal } from "./portable.ts";
import { OUTER_LENGTH, OuterHeaders } from "./raw/outer.ts";
import { RawSocket, RawSocketError } from "./raw/socket.ts";
import { EAGAIN } from "./raw/strerror.ts";

export { RawSocketError, type RawSocketErrorCode } from "./raw/socket.ts";

/** As for a UDP socket; `noCheck` is not asked, the checksum is always zero. */
export type RawOptions = Omit<UdpSocketOptions, "noCheck"> & {
  /** Where source ports come from; null: all datagrams leave from the port that is bound. Left out: RFC 7348's range. */
  readonly sourcePorts?: PortRange | null;
};

export class RawUnderlay implements Underlay {
  readonly kind = "raw";
  readonly fd = -1;
  readonly family = 4;
  readonly capabilities: UnderlayCapabilities;
  readonly sourcePorts: Uint16Array;
  /** The port that is bound. */
  readonly port: number;
  /** Bytes the kernel really reserved, as SO_RCVBUF and SO_SNDBUF report them. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** What the kernel granted only in part. */
  readonly warnings: readonly string[];
  readonly #receiver: BatchUnderlay;
  readonly #sender: RawSocket;
  readonly #packet = Buffer.alloc(OUTER_LENGTH + LARGEST_PAYLOAD[4]);
  readonly #headers: OuterHeaders;
  readonly #peers = new PeerTexts();
  #wake: (() => void) | null = null;
  #polling = false;

  /**
   * Opens both sockets.
   * @throws RawSocketError; PortTakenError, AddressNotLocalError, SystemCallError as `openUdp`
   */
  static open(options: RawOptions): RawUnderlay {
    if (options.family !== 4) {
      throw new RawSocketError(
        "RAW_SOCKET_FAMILY",
        "the raw underlay sends over IPv4 only",
        "choose the batch or dgram underlay for IPv6",
      );
    }
    const sender = new RawSocket(options.sendBuffer);
    try {
      return new RawUnderlay(sender, openUdp({ ...options, noCheck: false, sendBuffer: 0 }), options);
    } catch (error) {
      sender.close();
      throw error;
    }
  }

  /** Takes over both sockets. */
  constructor(sender: RawSocket, socket: UdpSocket, options: RawOptions) {
    this.#sender = sender;
    this.#receiver = new BatchUnderlay(socket, { family: 4, checksum: "zero" });
    this.#headers = new OuterHeaders(this.#packet, { ...options, port: socket.port });
    this.port = socket.port;
    this.receiveBuffer = socket.receiveBuffer;
    this.sendBuffer = sender.sendBuffer;
    this.warnings = [...socket.warnings, ...sender.warnings];
    this.capabilities = {
      ...this.#receiver.capabilities,
      sourcePort: options.sourcePorts !== null,
      gso: false,
      checksum: "zero",
    };
    const { sourcePorts: range } = options;
    this.sourcePorts = range === null ? new Uint16Array(0) : portsBetween(range?.first, range?.last);
    sender.onWritable(() => this.#wake?.());
  }

  recvBatch(ring: Ring, max: number): number {
    return this.#receiver.recvBatch(ring, max);
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    let sent = 0;
    let errno = 0;
    while (sent < count) {
      errno = this.#send(ring, ring.row(ring.tail + sent), addresses);
      if (errno !== 0) break;
      sent++;
    }
    ring.complete(sent);
    return sent > 0 || errno === 0 || errno === EAGAIN ? sent : -errno;
  }

  overflows(): number {
    return this.#receiver.overflows();
  }

  setWake(wake: (() => void) | null): void {
    this.#wake = wake;
    this.#receiver.setWake(wake);
    if (wake === null) this.#poll(false);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#receiver.setInterest(readable, false);
    this.#poll(writable && this.#wake !== null);
  }

  close(): void {
    this.setWake(null);
    this.#receiver.close();
    this.#sender.close();
  }

  /** Sends one row. @returns 0 or the errno */
  #send(ring: Ring, row: number, addresses: Uint8Array): number {
    if (this.#sender.closed) return EBADF;
    const errno = refusal(ring, row, addresses, 4);
    if (errno !== 0) return errno;
    const { words } = ring;
    const head = words[row + HEAD_LENGTH]!;
    const body = words[row + LENGTH]!;
    const word = words[row + PEER]!;
    const peer = word & VTEP_MASK;
    const outer = words[row + OUTER]!;
    this.#headers.vary(word >>> TTL_SHIFT, (outer & DONT_FRAGMENT) !== 0);
    this.#headers.write(outer & 0xff, outer >>> 16, addresses, peer * ADDRESS_BYTES, head + body);
    const from = viewsOf(ring.bytes);
    const to = viewsOf(this.#packet);
    copyBytes(from, words[row + HEAD_OFFSET]!, to, OUTER_LENGTH, head);
    copyBytes(from, words[row + OFFSET]!, to, OUTER_LENGTH + head, body);
    return this.#sender.send(this.#packet, OUTER_LENGTH + head + body, this.#peers.of(addresses, peer));
  }

  #poll(on: boolean): void {
    if (on === this.#polling) return;
    this.#polling = on;
    this.#sender.poll(on);
  }
}
