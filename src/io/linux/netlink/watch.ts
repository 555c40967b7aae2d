/**
 * Hears what changes in the tables of this network namespace: links, addresses, routes and neighbours of both families,
 * on the event loop of the thread that asks. It does not keep the process alive.
 *
 * The kernel queues its messages in the socket's receive buffer, and when that is full it leaves out what follows until
 * somebody has read all of it (`netlink_overrun`, `netlink_rcv_wake`). It says so once, at the beginning (ENOBUFS). So
 * `lost` is called twice: at once, and when the queue is empty, since more may have been left out in between.
 */
import { ADDRESS_BYTES } from "../../../fdb/sockaddr.ts";
import { loadShim, POLLIN, type Watch } from "../shim.ts";
import { netlinkFilter, type Wanted } from "./filter.ts";
import { type NetlinkEvent, parseMessages } from "./message.ts";

// RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE
const GROUPS = [1, 3, 5, 7, 9, 11].reduce((mask, group) => mask | (1 << (group - 1)), 0);

/** Bytes of the socket's buffer: some two thousand messages. */
const RECEIVE_BUFFER = 1 << 20;
/** Bytes of the longest message: what is said of a link is its longest, and has a page or two. */
const LONGEST = 32 * 1024;
/** Messages that are read before somebody else on the event loop has his turn. */
const AT_ONCE = 64;
/**
 * Milliseconds from one look into the queue to the next while messages come. To be woken by each of thousands, as when
 * routes are made by a batch, costs us as much time as it costs whoever makes them.
 */
const GATHER = 10;
const EAGAIN = 11;

export interface NetlinkListener {
  /** Called with what came, in its order. */
  heard(events: readonly NetlinkEvent[]): void;
  /** Something may have changed of which nothing is said: everything is to be looked at. */
  lost(): void;
}

export class NetlinkWatch {
  readonly #shim = loadShim();
  readonly #listener: NetlinkListener;
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #buffer = new Uint8Array(LONGEST);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #row = new Uint8Array(ADDRESS_BYTES);
  readonly #sender = new DataView(this.#row.buffer);
  /** Until it is over nobody is told that messages wait. */
  #gathering: NodeJS.Timeout | undefined;
  /** Messages were left out, and there may be more until the queue is empty. */
  #missing = false;
  #closed = false;

  /**
   * Hears everything from now on, until `narrow`.
   * @param receiveBuffer bytes that messages may take until they are read
   * @throws Error of a system call
   */
  constructor(listener: NetlinkListener, receiveBuffer = RECEIVE_BUFFER) {
    this.#listener = listener;
    this.#fd = this.#shim.netlinkOpen(GROUPS, receiveBuffer);
    this.#watch = this.#shim.watch(this.#fd, () => this.#ready());
    this.#watch.update(POLLIN);
    this.#watch.unref();
  }

  /** From now on only what is wanted comes, and links and addresses. @throws Error of a system call */
  narrow(wanted: Wanted): void {
    this.#shim.attachFilter(this.#fd, netlinkFilter(wanted));
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#gathering);
    this.#watch.stop();
    this.#shim.close(this.#fd);
  }

  /** Messages wait, or the queue has overflown: for libuv that is an error, and it would watch no more. */
  #ready(): void {
    this.#watch.update(0);
    const events: NetlinkEvent[] = [];
    const { count, whole } = this.#read(events);
    // Before others hear of it, who may close this.
    if (count === 0) this.#watch.update(POLLIN);
    else this.#gathering = setTimeout(() => this.#ready(), count < AT_ONCE ? GATHER : 0).unref();
    if (!whole) this.#listener.lost();
    if (events.length > 0 && !this.#closed) this.#listener.heard(events);
  }

  /** @returns how many messages were read, and whether none is missing */
  #read(events: NetlinkEvent[]): { count: number; whole: boolean } {
    let whole = true;
    for (let count = 0; count < AT_ONCE; count++) {
      const got = this.#shim.receiveFrom(this.#fd, this.#buffer, this.#row);
      if (got === -EAGAIN) {
        if (this.#missing) whole = false;
        this.#missing = false;
        return { count, whole };
      }
      if (got < 0) {
        whole = false;
        this.#missing = true;
      } else if (this.#fromKernel() && !parseMessages(this.#view, got, events)) whole = false;
    }
    return { count: AT_ONCE, whole };
  }

  /** struct sockaddr_nl: family and padding, then the port: the kernel's is 0. */
  #fromKernel(): boolean {
    return this.#sender.getUint32(4, true) === 0;
  }
}
