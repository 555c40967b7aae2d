/**
 * One turn of the dataplane, in packet order:
 *
 *   overlay → underlay   tap.readBatch → txFilled → encap → txReady → underlay.sendBatch
 *   underlay → overlay   underlay.recvBatch → rxFilled → decap → rxReady → tap.writeBatch
 *
 * A turn reads one batch in each direction and writes what it can; it never waits. What a port does not take stays
 * in its ring, a full ring stops the reads before it, and the kernel's own queue behind the port fills: that is the
 * back-pressure. The drivers (`drive-blocking.ts`, `drive-events.ts`) decide what happens between two turns.
 *
 * A port that fails for good (the device was deleted, the socket closed) shows as an errno in `failure`.
 */
import { type Counters, counterIndex, type Direction, dropIndex } from "./counters.ts";
import type { Decap } from "./decap.ts";
import type { Encap } from "./encap.ts";
import type { Tap, Underlay } from "./ports.ts";
import type { Ring } from "./ring.ts";

/** Frames read from the TAP in one turn, at most. */
export const TAP_BATCH = 64;
/** Datagrams received in one turn, at most. */
export const UNDERLAY_BATCH = 32;

/** errno values after which a descriptor is of no more use: EBADF, EBADFD (the TAP was deleted), ENOTSOCK, ENODEV. */
const GONE = new Set([9, 77, 88, 19]);

/** A port that is of no more use, and the errno that said so. */
export interface PortFailure {
  readonly port: "tap" | "underlay";
  readonly errno: number;
}

/** The four rings between the two ports. */
export interface Rings {
  readonly txFilled: Ring;
  readonly txReady: Ring;
  readonly rxFilled: Ring;
  readonly rxReady: Ring;
}

/** The slab of sockaddrs to send to; it may be replaced when it grows, so it is read anew for every batch. */
export interface AddressSlab {
  readonly slab: Uint8Array;
}

export class Loop {
  readonly #tap: Tap;
  readonly #underlay: Underlay;
  readonly #rings: Rings;
  readonly #encap: Encap;
  readonly #decap: Decap;
  readonly #addresses: AddressSlab;
  readonly #values: Float64Array;
  readonly #txBatches = counterIndex("txBatches");
  readonly #rxBatches = counterIndex("rxBatches");
  readonly #rxDatagrams = counterIndex("rxDatagrams");
  readonly #txBackpressure = counterIndex("txBackpressure");
  readonly #rxBackpressure = counterIndex("rxBackpressure");
  readonly #underlayRefused = dropIndex("tx", "UNDERLAY_REFUSED");
  readonly #tapRefused = dropIndex("rx", "TAP_REFUSED");
  readonly #overflowed = dropIndex("rx", "SOCKET_RCVBUFF");
  #asyncErrors = 0;
  /** The errno a port refused a packet with, last: what `poplin status` explains. 0 when none was. */
  readonly lastRefused: Record<Direction, number> = { tx: 0, rx: 0 };
  /** The errno that ended a port, and which; undefined while both live. */
  failure: PortFailure | undefined;

  constructor(
    tap: Tap,
    underlay: Underlay,
    rings: Rings,
    encap: Encap,
    decap: Decap,
    addresses: AddressSlab,
    counters: Counters,
  ) {
    this.#tap = tap;
    this.#underlay = underlay;
    this.#rings = rings;
    this.#encap = encap;
    this.#decap = decap;
    this.#addresses = addresses;
    this.#values = counters.values;
  }

  /** @returns how many packets were read or written: 0 means that there is nothing to do until a port wakes us. */
  turn(): number {
    return this.#transmit() + this.#receive();
  }

  /** A frame from the TAP would find a slot and a row. */
  get canReadTap(): boolean {
    const { txFilled } = this.#rings;
    return txFilled.room > 0 && txFilled.pool.free > 0;
  }

  /** A datagram would find a slot and a row. */
  get canReadUnderlay(): boolean {
    const { rxFilled } = this.#rings;
    return rxFilled.room > 0 && rxFilled.pool.free > 0;
  }

  /** Frames wait for the TAP. */
  get tapBlocked(): boolean {
    return this.#rings.rxReady.length > 0;
  }

  /** Datagrams wait for the underlay. */
  get underlayBlocked(): boolean {
    return this.#rings.txReady.length > 0;
  }

  #transmit(): number {
    const { txFilled, txReady } = this.#rings;
    const read = this.#tap.readBatch(txFilled, TAP_BATCH);
    if (read < 0) this.#ended("tap", -read);
    else if (read > 0) this.#values[this.#txBatches]! += 1;
    if (txFilled.length > 0) this.#encap.run(txFilled, txReady);
    let written = 0;
    while (txReady.length > 0) {
      const sent = this.#underlay.sendBatch(txReady, this.#addresses.slab);
      if (sent > 0) {
        written += sent;
      } else if (sent === 0) {
        this.#values[this.#txBackpressure]! += 1;
        break;
      } else {
        if (this.#ended("underlay", -sent)) break;
        this.#refused(txReady, "tx", this.#underlayRefused, -sent);
        written++;
      }
    }
    this.#lateRefusals();
    return Math.max(read, 0) + written;
  }

  /** Datagrams that the underlay took over in an earlier turn and then could not send. */
  #lateRefusals(): void {
    const total = this.#underlay.asyncErrors;
    if (total === undefined || total === this.#asyncErrors) return;
    this.#values[this.#underlayRefused]! += total - this.#asyncErrors;
    this.#asyncErrors = total;
    this.lastRefused.tx = this.#underlay.lastAsyncErrno ?? 0;
  }

  #receive(): number {
    const { rxFilled, rxReady } = this.#rings;
    const read = this.#underlay.recvBatch(rxFilled, UNDERLAY_BATCH);
    if (read < 0) this.#ended("underlay", -read);
    else if (read > 0) {
      this.#values[this.#rxBatches]! += 1;
      this.#values[this.#rxDatagrams]! += read;
      this.#values[this.#overflowed] = this.#underlay.overflows();
    }
    if (rxFilled.length > 0) this.#decap.run(rxFilled, rxReady);
    let written = 0;
    while (rxReady.length > 0) {
      const n = this.#tap.writeBatch(rxReady);
      if (n > 0) {
        written += n;
      } else if (n === 0) {
        this.#values[this.#rxBackpressure]! += 1;
        break;
      } else {
        if (this.#ended("tap", -n)) break;
        this.#refused(rxReady, "rx", this.#tapRefused, -n);
        written++;
      }
    }
    return Math.max(read, 0) + written;
  }

  /** The oldest packet of `ring` was refused: count it and go on with the next. */
  #refused(ring: Ring, direction: Direction, counter: number, errno: number): void {
    this.#values[counter]! += 1;
    this.lastRefused[direction] = errno;
    ring.complete(1);
  }

  /** Notes a port that is gone. @returns whether it is: other errors concern one packet only. */
  #ended(port: "tap" | "underlay", errno: number): boolean {
    if (!GONE.has(errno)) return false;
    this.failure ??= { port, errno };
    return true;
  }
}
