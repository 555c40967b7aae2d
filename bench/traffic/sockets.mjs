/**
 * What the traffic helper needs of the native shim: UDP sockets, batches and sleep. Every datagram is a send of its
 * own inside sendmmsg(2): no UDP_SEGMENT and no UDP_GRO, so what a tunnel gets is what an ordinary program sends.
 * The descriptor table is static: all its rows point at the same payload, and nothing is written between two sends.
 */
import { LENGTH, OFFSET, PEER, SLOT, WORDS } from "../../dist/dataplane/ring.js";
import { ADDRESS_BYTES, writeSockaddr } from "../../dist/fdb/index.js";
import { loadShim, POLLIN, POLLOUT } from "../../dist/io/linux/shim.js";

/** Rows of a table, and so the most datagrams in one call. */
export const ROWS = 64;
const MASK = ROWS - 1;
const ROOM = 2048;
/** Bytes of a socket's buffers, the same for every tunnel: some 3,000 small datagrams. */
const BUFFER = 2 << 20;

export const shim = loadShim();

/** @param address "" for any @returns the descriptor */
export function open(family, address, port) {
  return shim.udpOpen({
    ...{ family, address, port, receiveBuffer: BUFFER, sendBuffer: BUFFER, gro: false },
    ...{ reusePort: false, noCheck: false, dontFragment: false, ttl: 0 },
  }).fd;
}

/** An address as sendmmsg wants it, alone in a slab. */
export function slabOf(address, port) {
  const slab = new Uint8Array(ADDRESS_BYTES * ROWS);
  writeSockaddr(slab, 0, parse(address), port);
  return slab;
}

/** Bytes of an address; IPv6 in any spelling. */
export function parse(address) {
  if (!address.includes(":")) return Uint8Array.from(address.split(".").map(Number));
  const [front, back] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = back === undefined ? [] : Array(8 - front.length - back.length).fill("0");
  const groups = [...front, ...zeros, ...(back ?? [])].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

const NO_SENDERS = new Int32Array(0);

/** A table of rows to send, whose lengths follow `sizes` in turn. */
export class Outgoing {
  #arena = new Uint8Array(ROOM);
  #words = new Int32Array(ROWS * WORDS);
  #slab;
  #next = 0;

  constructor(address, port, sizes) {
    this.#slab = slabOf(address, port);
    for (let row = 0; row < ROWS; row++) {
      this.#words[row * WORDS + SLOT] = -1;
      this.#words[row * WORDS + LENGTH] = sizes[row % sizes.length];
    }
  }

  /** @returns how many of `count` the socket took; it never waits */
  send(fd, count) {
    const n = shim.sendBatch(
      fd,
      this.#arena,
      this.#words,
      MASK,
      this.#next,
      Math.min(count, ROWS),
      this.#slab,
      NO_SENDERS,
      false,
    );
    if (n > 0) this.#next = (this.#next + n) & MASK;
    return n;
  }
}

/** A table of rows to receive into. */
export class Incoming {
  #arena = new Uint8Array(ROWS * ROOM);
  #words = new Int32Array(ROWS * WORDS);
  #addresses = new Uint8Array(ROWS * ADDRESS_BYTES);

  /** @returns how many datagrams there were, at most ROWS; it never waits */
  receive(fd, rows = ROWS) {
    for (let row = 0; row < rows; row++) {
      this.#words[row * WORDS + OFFSET] = row * ROOM;
      this.#words[row * WORDS + LENGTH] = ROOM;
    }
    return shim.recvBatch(fd, this.#arena, this.#words, MASK, 0, rows, this.#addresses);
  }

  /** Sends row 0 back to where it came from. */
  answer(fd) {
    this.#words[PEER] = 0;
    return shim.sendBatch(fd, this.#arena, this.#words, MASK, 0, 1, this.#addresses, NO_SENDERS, false);
  }
}

/** Sleeps until one of the descriptors has something to read. @returns whether one has, or the time is over */
export function readable(fds, milliseconds) {
  const set = new Int32Array(fds.flatMap((fd) => [fd, POLLIN, 0]));
  shim.poll(set, milliseconds);
  return fds.map((_, i) => set[i * 3 + 2] !== 0);
}

/** Sleeps until the socket takes more, at most `milliseconds`. */
export function writable(fd, milliseconds) {
  shim.poll(Int32Array.of(fd, POLLOUT, 0), milliseconds);
}
