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
import { HeldPackets } from "./held.ts";

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
    this.#held = new HeldPackets(this.#options.window, this.#options.holdMilliseconds);
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
    const { counts } = this;
    const before = ring.head;
    const most = Math.min(max, ring.room);
    if (this.#staging?.pool !== ring.pool) this.#staging = new Ring(ring.pool, ring.capacity, ring.reserve);
    const staging = this.#staging;
    const result = read(staging, most);
    const now = this.#options.now();
    const left = () => most - ((ring.head - before) | 0) - staging.length;
    while (staging.length > 0) {
      // Each staged row has its place in the ring; a copy, or a packet that was held, takes one of those left over.
      this.#one(ring, staging, left(), now);
      this.#held.release(ring, left(), counts.seen, now);
    }
    this.#held.release(ring, left(), counts.seen, now);
    this.#watchClock();
    const pushed = (ring.head - before) | 0;
    return pushed > 0 ? pushed : Math.min(result, 0);
  }

  setWake(wake: (() => void) | null): void {
    this.#wake = wake;
    if (wake === null) this.#stopClock();
    else this.#watchClock();
  }

  /** Drops what is held. */
  close(): void {
    this.setWake(null);
    this.#held.drop();
  }

  /** The oldest staged row: dropped, held, or pushed to `ring`. */
  #one(ring: Ring, staging: Ring, spare: number, now: number): void {
    const { counts } = this;
    const { seed, window, loss, flip, duplicate, reorder } = this.#options;
    const n = counts.seen++;
    if (draw(seed, n, LOSS) < loss) {
      staging.complete(1);
      counts.lost++;
      return;
    }
    if (draw(seed, n, FLIP) < flip) this.#flip(staging, draw(seed, n, FLIP_WHERE));
    if (draw(seed, n, DUPLICATE) < duplicate && spare > 0 && ring.pool.free > ring.reserve) {
      appendCopy(ring, staging);
      counts.duplicated++;
    }
    if (draw(seed, n, REORDER) < reorder && this.#held.length < window) {
      this.#held.hold(staging, n + 2 + Math.floor(draw(seed, n, REORDER_BY) * window), now);
      counts.reordered++;
    } else {
      ring.append(staging, staging.tail);
    }
    staging.forward(1);
  }

  #flip(staging: Ring, where: number): void {
    const row = staging.row(staging.tail);
    const length = staging.words[row + LENGTH]! - this.#skip;
    if (length <= 0) return;
    const bit = Math.floor(where * length * 8);
    const at = staging.words[row + OFFSET]! + this.#skip + (bit >>> 3);
    staging.bytes[at] = staging.bytes[at]! ^ (1 << (bit & 7));
    this.counts.flipped++;
  }

  /** As long as something is held and somebody can be woken, a timer runs. */
  #watchClock(): void {
    if (this.#timer !== null || this.#wake === null || this.#held.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wake?.();
      this.#watchClock();
    }, this.#options.holdMilliseconds);
  }

  #stopClock(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Pushes a copy of the oldest row of `from`, in a slot of its own. The caller has made sure that there is one. */
function appendCopy(ring: Ring, from: Ring): void {
  const row = from.row(from.tail);
  const slot = from.words[row + SLOT]!;
  const offset = from.words[row + OFFSET]!;
  const copy = ring.pool.take();
  ring.bytes.copyWithin(copy, slot, offset + from.words[row + LENGTH]!);
  const target = ring.row(ring.head);
  ring.append(from, from.tail);
  ring.words[target + SLOT] = copy;
  ring.words[target + OFFSET] = copy + (offset - slot);
}

function checked(options: FaultOptions): Required<FaultOptions> {
  const all = {
    loss: 0,
    duplicate: 0,
    reorder: 0,
    flip: 0,
    window: 8,
    holdMilliseconds: 20,
    now: () => performance.now(),
    ...options,
  };
  for (const name of ["loss", "duplicate", "reorder", "flip"] as const) {
    if (!(all[name] >= 0 && all[name] <= 1)) {
      throw new RangeError(`${name} is a probability, 0 to 1, and ${all[name]} is none`);
    }
  }
  if (!(Number.isInteger(all.window) && all.window >= 1 && all.window <= 1024)) {
    throw new RangeError(`window is a number of packets, 1 to 1024, and ${all.window} is none`);
  }
  if (!(all.holdMilliseconds >= 0 && all.holdMilliseconds <= 10_000)) {
    throw new RangeError(`holdMilliseconds is 0 to 10000, not ${all.holdMilliseconds}`);
  }
  return all;
}
