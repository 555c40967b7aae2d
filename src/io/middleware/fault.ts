/**
 * A bad network in front of a port: loses, repeats, reorders and damages what the dataplane reads or receives. What
 * it writes or sends passes. Every decision follows from the seed and the packet's number, nothing else.
 *
 * The wrapped port reads into a staging ring over the same pool of slots; from there each row goes on, is dropped (its
 * slot goes back), or is held to be overtaken by later ones. A held packet comes out when as many others have passed
 * as were drawn for it, or after a time. With an event-loop driver a timer sees to that; a driver that blocks on
 * descriptors cannot be woken by one, so there it waits for the next packet.
 *
 * Limits: a row is one packet here. With UDP_GRO on it may be a train of them, which then share their fate.
 */
import { VNET_LENGTH } from "../../dataplane/arena.ts";
import type { Tap, Underlay } from "../../dataplane/ports.ts";
import { LENGTH, OFFSET, Ring, SLOT } from "../../dataplane/ring.ts";
import { draw } from "./dice.ts";
import { ForwardingTap, ForwardingUnderlay } from "./forward.ts";

export interface FaultOptions {
  /** The same seed gives the same faults to the same sequence of packets. */
  readonly seed: number;
  /** Probabilities per packet, 0 to 1; left out, 0. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  /** One bit anywhere in the packet is inverted. */
  readonly flip?: number;
  /** How many later packets may overtake a reordered one, at most, and how many are held at once. */
  readonly window?: number;
  /** Milliseconds after which a held packet goes on although nothing overtook it. */
  readonly holdMilliseconds?: number;
  /** The clock for that, in milliseconds. */
  readonly now?: () => number;
}

/** What has been done so far, in packets. */
export interface FaultCounts {
  seen: number;
  lost: number;
  duplicated: number;
  reordered: number;
  flipped: number;
}

// A packet's questions.
const LOSS = 0;
const FLIP = 1;
const FLIP_WHERE = 2;
const REORDER = 3;
const REORDER_BY = 4;
const DUPLICATE = 5;

/** A TAP whose frames from the pods suffer. The vnet header is not on any wire, and no bit of it is flipped. */
export class FaultyTap extends ForwardingTap {
  readonly faults: Faults;
  readonly #read = (ring: Ring, max: number): number => this.inner.readBatch(ring, max);

  /** @throws RangeError for a probability, window or time that is none. */
  constructor(inner: Tap, options: FaultOptions) {
    super(inner);
    this.faults = new Faults(options, VNET_LENGTH);
  }

  override readBatch(ring: Ring, max: number): number {
    return this.faults.receive(ring, max, this.#read);
  }

  override setWake(wake: (() => void) | null): void {
    this.faults.setWake(wake);
    this.inner.setWake(wake);
  }

  override close(): void {
    this.faults.close();
    this.inner.close();
  }
}

/** An underlay whose datagrams from other VTEPs suffer. */
export class FaultyUnderlay extends ForwardingUnderlay {
  readonly faults: Faults;
  readonly #receive = (ring: Ring, max: number): number => this.inner.recvBatch(ring, max);

  /** @throws RangeError for a probability, window or time that is none. */
  constructor(inner: Underlay, options: FaultOptions) {
    super(inner);
    this.faults = new Faults(options, 0);
  }

  override recvBatch(ring: Ring, max: number): number {
    return this.faults.receive(ring, max, this.#receive);
  }

  override setWake(wake: (() => void) | null): void {
    this.faults.setWake(wake);
    this.inner.setWake(wake);
  }

  override close(): void {
    this.faults.close();
    this.inner.close();
  }
}

/** The faults of one port. */
export class Faults {
  readonly counts: FaultCounts = { seen: 0, lost: 0, duplicated: 0, reordered: 0, flipped: 0 };
  readonly #options: Required<FaultOptions>;
  /** Bytes at the start of a row's body that are not on the wire. */
  readonly #skip: number;
  readonly #held: HeldPackets;
  #staging: Ring | null = null;
  #wake: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: FaultOptions, skip: number) {
    this.#options = checked(options);
    this.#skip = skip;
    this.#held = new HeldPackets(this.#options.window);
  }

  /** Packets that wait to be overtaken. */
  get held(): number {
    return this.#held.length;
  }

  /**
   * One batch: reads with `read`, and pushes to `ring` what the network lets through, never more than `max`.
   * @returns rows pushed, or what `read` returned when it failed and there were none
   */
  receive(ring: Ring, max: number, read: (into: Ring, max: number) => number): number {
    const before = ring.head;
    const most = Math.min(max, ring.room);
    const staging = this.#stagingFor(ring);
    const result = read(staging, most);
    while (staging.length > 0) {
      this.#one(ring, staging);
      // Each staged row has its place in the ring; what is left over may be used for others.
      this.#held.release(ring, most - (ring.head - before) - staging.length, this.counts.seen, Number.NaN);
      this.#again(ring, most - (ring.head - before) - staging.length);
    }
    this.#held.release(ring, most - (ring.head - before), this.counts.seen, this.#options.now());
    this.#watchClock();
    const pushed = ring.head - before;
    return pushed > 0 ? pushed : Math.min(result, 0);
  }

  setWake(wake: (() => void) | null): void {
    this.#wake = wake;
    if (wake === null) this.#stopClock();
    else this.#watchClock();
  }

  /** Drops what is held. */
  close(): void {
    this.#stopClock();
    this.#wake = null;
    this.#held.drop();
  }
}
