/**
 * The portable underlay: node:dgram and nothing native.
 *
 *   send      ring row → one of a fixed set of buffers → socket.send → the buffer is free again in the callback
 *   receive   "message" → a bounded queue → a slot, when the loop asks for it
 *
 * Per datagram it costs a system call, a copy on either side and some objects: node:dgram has no batches. When all
 * buffers are under way, `sendBatch` takes no more and the loop is woken when one comes back.
 *
 * Limits, all of node:dgram:
 * - The outer DF bit is the kernel's: with path MTU discovery on (net.ipv4.ip_no_pmtu_disc = 0, the default) it is set
 *   on every datagram that fits the path MTU, where flannel's VXLAN leaves it clear. A larger datagram is cut into
 *   fragments here, without DF: nothing is refused with EMSGSIZE. Give the overlay an MTU that avoids it.
 * - The outer TOS is 0 on what is sent and unknown on what is received; the source port is the socket's, and so is the
 *   TTL: `ttl: inherit` cannot be done. The IPv6 flow label is the kernel's, and a zero UDP checksum over IPv6 is refused.
 * - Buffers are asked for with SO_RCVBUF and SO_SNDBUF, never the *FORCE options, so net.core.rmem_max and wmem_max
 *   hold even for root.
 * - What the kernel refuses is told in the send callback, when the row is long gone: see `asyncErrors`.
 * - What the kernel drops for want of room is not told at all; `overflows` counts what our queue had no room for.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { VXLAN_AT } from "../dataplane/arena.ts";
import type { Underlay, UnderlayCapabilities } from "../dataplane/ports.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  PEER,
  type Ring,
  VTEP_MASK,
} from "../dataplane/ring.ts";
import { sockaddrPort } from "../fdb/sockaddr.ts";
import { copyBytes, viewsOf } from "./copy.ts";
import { Inbox } from "./dgram/inbox.ts";
import { isSystemCallFailure } from "./linux/errors.ts";
import type { UdpSocketOptions } from "./linux/shim.ts";
import { explainUdp } from "./linux/udp.ts";
import { EBADF, PeerTexts, refusal } from "./portable.ts";
import { Readiness } from "./readiness.ts";

/** Datagrams that may be on their way into the kernel. Their pages are touched only as far as datagrams are long. */
const SEND_BUFFERS = 256;
/** More than the longest UDP payload. */
const SEND_BUFFER_BYTES = 65_536;

const CAPABILITIES: UnderlayCapabilities = {
  sendTos: false,
  recvTos: false,
  df: false,
  ttl: true,
  ttlPerPacket: false,
  flowLabel: false,
  acceptsNoCheck6: false,
  sourcePort: false,
  gso: false,
  gro: false,
  checksum: "computed",
};

/** What can be asked of node:dgram. An address of "" is the wildcard, a buffer or TTL of 0 the kernel's default. */
export type DgramOptions = Pick<
  UdpSocketOptions,
  "family" | "address" | "port" | "receiveBuffer" | "sendBuffer" | "ttl"
> & {
  /** A multicast group to hear on `device`, and to send to through it. Then the socket is bound to no address. */
  readonly group?: string | null;
  readonly device?: string;
};

export class DgramUnderlay implements Underlay {
  readonly kind = "dgram";
  readonly fd = -1;
  readonly family: 4 | 6;
  readonly capabilities = CAPABILITIES;
  readonly sourcePorts = new Uint16Array(0);
  /** The port that is bound. */
  readonly port: number;
  /** Bytes the kernel really reserved, as SO_RCVBUF reports them. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** What the kernel granted only in part. */
  readonly warnings: readonly string[];
  /** Datagrams that `sendBatch` took over and the kernel then refused. */
  asyncErrors = 0;
  /** The errno of the last of them, 0 for none. */
  lastAsyncErrno = 0;
  readonly #socket: Socket;
  readonly #readiness: Readiness;
  readonly #inbox = new Inbox();
  readonly #peers = new PeerTexts();
  #closed = false;

  /** Numbers of the send buffers that are free: the first `#free` of these. */
  readonly #idle = Int32Array.from({ length: SEND_BUFFERS }, (_, i) => i);
  #free = SEND_BUFFERS;
  readonly #buffers = Buffer.allocUnsafeSlow(SEND_BUFFERS * SEND_BUFFER_BYTES);
  /** Send callbacks, one per buffer, made once. */
  readonly #sent = Array.from(this.#idle, (i) => (error: Error | null) => this.#taken(i, error));

  /**
   * Opens and binds a socket.
   * @throws PortTakenError, AddressNotLocalError, SystemCallError
   * @throws RangeError for a port that is none
   */
  static async open(options: DgramOptions): Promise<DgramUnderlay> {
    const { family, address, port } = options;
    // node:dgram takes any number and lets it wrap.
    if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff)) {
      throw new RangeError(`a UDP port is an integer from 0 to 65535, not ${port}`);
    }
    const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", ipv6Only: family === 6 });
    try {
      const listening = once(socket, "listening");
      const { group = null } = options;
      const bound = group === null ? address : "";
      socket.bind({ port, address: bound || (family === 4 ? "0.0.0.0" : "::"), exclusive: true });
      await listening;
      // As the sockets of the kernel's tunnels: what goes to a group is not for ourselves (setup_udp_tunnel_sock).
      socket.setMulticastLoopback(false);
      if (options.ttl !== 0) {
        socket.setTTL(options.ttl);
        socket.setMulticastTTL(options.ttl);
      }
      if (group !== null) join(socket, options);
      return new DgramUnderlay(socket, options);
    } catch (error) {
      socket.close();
      if (!isSystemCallFailure(error)) throw error;
      // libuv's errno is negative.
      const { code, errno, syscall } = error;
      throw explainUdp(options, { code, errno: Math.abs(errno), syscall });
    }
  }

  /** Takes over a socket that is bound. */
  constructor(socket: Socket, options: DgramOptions) {
    this.#socket = socket;
    this.family = options.family;
    this.port = socket.address().port;
    this.warnings = resize(socket, options);
    this.receiveBuffer = socket.getRecvBufferSize();
    this.sendBuffer = socket.getSendBufferSize();
    this.#readiness = new Readiness(
      () => this.#inbox.length > 0,
      () => this.#free > 0,
    );
    socket.on("message", (message, info) => {
      this.#inbox.push(message, info);
      this.#readiness.changed();
    });
    socket.on("error", (error) => this.#failed(error));
  }

  recvBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF;
    const prepared = ring.prepare(Math.min(max, this.#inbox.length), VXLAN_AT);
    for (let i = 0; i < prepared; i++) this.#inbox.receive(ring, ring.head + i);
    ring.publish(prepared, prepared);
    return prepared;
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    if (this.#closed) return -EBADF;
    let sent = 0;
    let refused = 0;
    while (sent < count && this.#free > 0) {
      const row = ring.row(ring.tail + sent);
      refused = refusal(ring, row, addresses, this.family);
      if (refused !== 0) break;
      this.#send(ring, row, addresses);
      sent++;
    }
    ring.complete(sent);
    return sent > 0 || refused === 0 ? sent : -refused; // never −0, which is no small integer
  }

  overflows(): number {
    return this.#inbox.overflows;
  }

  setWake(wake: (() => void) | null): void {
    this.#readiness.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#readiness.setInterest(readable, writable);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#readiness.setWake(null);
    this.#socket.close();
    this.#inbox.clear();
  }

  /** Hands one row to the socket, in a buffer of ours: the row's own slot may be filled anew before it is sent. */
  #send(ring: Ring, row: number, addresses: Uint8Array): void {
    const { words } = ring;
    const head = words[row + HEAD_LENGTH]!;
    const body = words[row + LENGTH]!;
    const peer = words[row + PEER]! & VTEP_MASK;
    const buffer = this.#idle[--this.#free]!;
    const at = buffer * SEND_BUFFER_BYTES;
    const from = viewsOf(ring.bytes);
    const to = viewsOf(this.#buffers);
    copyBytes(from, words[row + HEAD_OFFSET]!, to, at, head);
    copyBytes(from, words[row + OFFSET]!, to, at + head, body);
    const port = sockaddrPort(addresses, peer * ADDRESS_BYTES);
    this.#socket.send(
      this.#buffers,
      at,
      head + body,
      port,
      this.#peers.of(addresses, peer),
      this.#sent[buffer],
    );
  }

  /** The send callback: the datagram is in the kernel, or refused. */
  #taken(buffer: number, error: Error | null): void {
    this.#idle[this.#free++] = buffer;
    if (this.#closed) return; // those under way are cancelled, which is no news
    if (error !== null) this.#failed(error);
    this.#readiness.changed();
  }

  #failed(error: Error): void {
    this.asyncErrors++;
    if (isSystemCallFailure(error)) this.lastAsyncErrno = Math.abs(error.errno);
  }
}

/** node:dgram names an interface by an address of it over IPv4, by its zone over IPv6. */
function join(socket: Socket, { family, address, group, device }: DgramOptions): void {
  const through = family === 4 ? address : `::%${device}`;
  socket.addMembership(group!, through);
  socket.setMulticastInterface(through);
}

/** Asks for the buffers. @returns what the kernel granted only in part */
function resize(socket: Socket, { receiveBuffer, sendBuffer }: DgramOptions): string[] {
  const warnings: string[] = [];
  const check = (option: string, asked: number, reported: number, limit: string): void => {
    const got = reported / 2; // the kernel doubles what it is asked for, for its own bookkeeping (sock_setsockopt)
    if (got >= asked) return;
    warnings.push(
      `${option}: asked for ${asked} bytes, got ${got}; net.core.${limit} is the limit for dgram`,
    );
  };
  if (receiveBuffer > 0) {
    socket.setRecvBufferSize(receiveBuffer);
    check("SO_RCVBUF", receiveBuffer, socket.getRecvBufferSize(), "rmem_max");
  }
  if (sendBuffer > 0) {
    socket.setSendBufferSize(sendBuffer);
    check("SO_SNDBUF", sendBuffer, socket.getSendBufferSize(), "wmem_max");
  }
  return warnings;
}
