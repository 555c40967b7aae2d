/**
 * A network in memory: underlays with addresses that reach each other, and nothing else.
 *
 * A datagram goes straight into the receive queue of the underlay that has its destination address and port; nobody
 * there, and it is gone, as on a network. The outer TOS and the source port arrive with it. A full receive queue
 * drops, as a socket's receive buffer does, or makes the sender wait (`whenFull`), which no real network can: it lets
 * a test count on every packet.
 *
 * Bytes are copied once on each side and nothing is allocated per datagram. The way to the receiver is a walk over
 * all underlays: right for some dozens.
 */
import { VXLAN_AT } from "../../dataplane/arena.ts";
import { portsBetween } from "../../dataplane/entropy.ts";
import type { Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  type Ring,
  SEGMENT,
  TRUNCATED,
  VTEP_MASK,
} from "../../dataplane/ring.ts";
import { AF_INET, AF_INET6, sockaddrFamily, sockaddrPort, writeSockaddr } from "../../fdb/sockaddr.ts";
import { putU16 } from "../../wire/bytes.ts";
import { copyBytes, viewsOf } from "../copy.ts";
import { Readiness } from "../readiness.ts";
import { hasRoom, packetQueue } from "./queue.ts";

const EBADF = 9;
const EINVAL = 22;
const EMSGSIZE = 90;
const EADDRINUSE = 98;
const EAFNOSUPPORT = 97;
/** Largest UDP payloads: 65,535 less the headers that IPv4 counts in its length, and IPv6 does not. */
const LARGEST = { 4: 65_507, 6: 65_527 } as const;

const CAPABILITIES: UnderlayCapabilities = {
  sendTos: true,
  recvTos: true,
  df: false,
  ttl: false,
  ttlPerPacket: false,
  flowLabel: false,
  acceptsNoCheck6: false,
  sourcePort: true,
  gso: false,
  gro: false,
  checksum: "computed",
};

export interface MemoryUnderlayOptions {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** UDP port that is bound, 1 to 65535. */
  readonly port: number;
  /** Datagrams that may wait to be received. */
  readonly datagrams?: number;
  /** Bytes of the longest datagram; the default holds any. */
  readonly datagramBytes?: number;
}

export interface MemoryNetworkOptions {
  /** What happens to a datagram whose receiver's queue is full. */
  readonly whenFull?: "drop" | "wait";
}

export class MemoryNetwork {
  readonly whenFull: "drop" | "wait";
  /** Datagrams sent to an address that nobody has. */
  lost = 0;
  readonly #underlays: MemoryUnderlay[] = [];

  constructor({ whenFull = "drop" }: MemoryNetworkOptions = {}) {
    this.whenFull = whenFull;
  }

  /**
   * Adds an underlay; its `close` takes it off again.
   * @throws Error with code EADDRINUSE when another one has that address and port
   * @throws RangeError for an address or port that is none
   */
  attach(options: MemoryUnderlayOptions): MemoryUnderlay {
    const underlay = new MemoryUnderlay(this, options);
    if (this.find(underlay.sockaddr, 0) !== null) {
      throw Object.assign(new Error(`another underlay has this address and port ${options.port}`), {
        code: "EADDRINUSE",
        errno: EADDRINUSE,
      });
    }
    this.#underlays.push(underlay);
    return underlay;
  }

  /** @returns the underlay bound to the sockaddr at `at`, or null. */
  find(bytes: Uint8Array, at: number): MemoryUnderlay | null {
    for (let i = 0; i < this.#underlays.length; i++) {
      if (this.#underlays[i]!.isAt(bytes, at)) return this.#underlays[i]!;
    }
    return null;
  }

  /** Takes an underlay off the network. */
  detach(underlay: MemoryUnderlay): void {
    const i = this.#underlays.indexOf(underlay);
    if (i >= 0) this.#underlays.splice(i, 1);
    this.drained();
  }

  /** A receive queue has room again: senders may go on. */
  drained(): void {
    for (let i = 0; i < this.#underlays.length; i++) this.#underlays[i]!.mayGoOn();
  }
}

export class MemoryUnderlay implements Underlay {
  readonly kind = "memory";
  readonly fd = -1;
  readonly family: 4 | 6;
  readonly capabilities = CAPABILITIES;
  readonly sourcePorts = portsBetween();
  /** Our address and port. */
  readonly sockaddr = new Uint8Array(ADDRESS_BYTES);
  readonly #network: MemoryNetwork;
  readonly #queue: Ring;
  readonly #readiness: Readiness;
  #overflows = 0;
  /** Whose queue was full when we last sent: we may send again when it is not. */
  #blockedBy: MemoryUnderlay | null = null;
  #closed = false;

  /** Made by `MemoryNetwork.attach`. */
  constructor(network: MemoryNetwork, options: MemoryUnderlayOptions) {
    const { address, port, datagrams = 256, datagramBytes = LARGEST[6] } = options;
    if (!(Number.isInteger(port) && port > 0 && port <= 0xffff)) {
      throw new RangeError(`a UDP port to bind is an integer from 1 to 65535, not ${port}`);
    }
    writeSockaddr(this.sockaddr, 0, address, port);
    this.family = address.length === 4 ? 4 : 6;
    this.#network = network;
    this.#queue = packetQueue(datagrams, datagramBytes);
    this.#readiness = new Readiness(
      () => this.#queue.length > 0,
      () => this.#blockedBy === null || !this.#blockedBy.isFull,
    );
  }

  recvBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF;
    const queue = this.#queue;
    const prepared = ring.prepare(Math.min(max, queue.length), VXLAN_AT);
    for (let i = 0; i < prepared; i++) this.#receive(ring, ring.head + i, queue.tail + i);
    queue.complete(prepared);
    ring.publish(prepared, prepared);
    if (prepared > 0 && this.#network.whenFull === "wait") this.#network.drained();
    return prepared;
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    if (this.#closed) return -EBADF;
    this.#blockedBy = null;
    let sent = 0;
    let refused = 0;
    while (sent < count) {
      refused = this.#send(ring, ring.row(ring.tail + sent), addresses);
      if (refused !== 0 || this.#blockedBy !== null) break;
      sent++;
    }
    ring.complete(sent);
    return sent > 0 ? sent : refused;
  }

  overflows(): number {
    return this.#overflows;
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
    this.#queue.complete(this.#queue.length);
    this.#network.detach(this);
  }

  // For the network and for other underlays

  get isFull(): boolean {
    return !hasRoom(this.#queue);
  }

  /** Whether the sockaddr at `at` is ours. */
  isAt(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < ADDRESS_BYTES; i++) {
      if (bytes[at + i] !== this.sockaddr[i]) return false;
    }
    return true;
  }

  /** Somebody's queue has room again. */
  mayGoOn(): void {
    this.#readiness.changed();
  }

  /** Sends one row. @returns 0, also when it has to wait (`#blockedBy`), or −errno as sendmsg(2) has it */
  #send(ring: Ring, row: number, addresses: Uint8Array): number {
    const { words } = ring;
    const to = (words[row + PEER]! & VTEP_MASK) * ADDRESS_BYTES;
    const family = sockaddrFamily(addresses, to);
    const length = words[row + HEAD_LENGTH]! + words[row + LENGTH]!;
    const segment = words[row + SEGMENT]! & 0xffff;
    if (sockaddrPort(addresses, to) === 0) return -EINVAL;
    if (family !== (this.family === 4 ? AF_INET : AF_INET6)) return -EAFNOSUPPORT;
    if (segment !== 0 && segment < length) return -EINVAL; // what a socket without UDP_SEGMENT says
    if (length > LARGEST[this.family]) return -EMSGSIZE;
    const receiver = this.#network.find(addresses, to);
    if (receiver === null) this.#network.lost++;
    else if (receiver.isFull && this.#network.whenFull === "wait") this.#blockedBy = receiver;
    else receiver.#arrive(ring, row, this.sockaddr);
    return 0;
  }

  /** Queues a datagram that somebody sends us. */
  #arrive(ring: Ring, row: number, sender: Uint8Array): void {
    const queue = this.#queue;
    const { words } = ring;
    const head = words[row + HEAD_LENGTH]!;
    const body = words[row + LENGTH]!;
    if (head + body > queue.pool.slotSize - VXLAN_AT || queue.prepare(1, VXLAN_AT) === 0) {
      this.#overflows++;
      return;
    }
    const target = queue.row(queue.head);
    const at = queue.words[target + OFFSET]!;
    const from = viewsOf(ring.bytes);
    const to = viewsOf(queue.bytes);
    copyBytes(from, words[row + HEAD_OFFSET]!, to, at, head);
    copyBytes(from, words[row + OFFSET]!, to, at + head, body);
    const port = words[row + OUTER]! >>> 16 || sockaddrPort(sender, 0);
    const address = (queue.head & queue.mask) * ADDRESS_BYTES;
    for (let i = 0; i < ADDRESS_BYTES; i++) queue.addresses[address + i] = sender[i]!;
    putU16(queue.addresses, address + 2, port);
    queue.words[target + LENGTH] = head + body;
    queue.words[target + OUTER] = (words[row + OUTER]! & 0xff) | (port << 16);
    queue.publish(1, 1);
    this.#readiness.changed();
  }

  /** Copies the datagram at position `from` of our queue to position `to` of `ring`. */
  #receive(ring: Ring, to: number, from: number): void {
    const queue = this.#queue;
    const source = queue.row(from);
    const target = ring.row(to);
    const length = queue.words[source + LENGTH]!;
    const room = ring.words[target + LENGTH]!;
    const kept = Math.min(length, room);
    copyBytes(
      viewsOf(queue.bytes),
      queue.words[source + OFFSET]!,
      viewsOf(ring.bytes),
      ring.words[target + OFFSET]!,
      kept,
    );
    ring.words[target + LENGTH] = kept;
    ring.words[target + OUTER] = queue.words[source + OUTER]! | (length > room ? TRUNCATED : 0);
    const read = (from & queue.mask) * ADDRESS_BYTES;
    const write = (to & ring.mask) * ADDRESS_BYTES;
    for (let i = 0; i < ADDRESS_BYTES; i++) ring.addresses[write + i] = queue.addresses[read + i]!;
  }
}
