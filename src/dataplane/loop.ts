/**
 * One turn of the dataplane, in packet order:
 *
 *   overlay → underlay   tap.readBatch → txFilled → encap → txReady → underlay.sendBatch
 *   underlay → overlay   underlay.recvBatch → rxFilled → decap → rxReady → tap.writeBatch
 *   overlay → overlay    what encap answers itself, instead of sending it: answers → tap.writeBatch
 *
 * A turn reads one batch in each direction and writes what it can, but for a message that the next turn is sure to look
 * at again (`messages.ts`); it never waits. What a port does not take stays
 * in its ring, a full ring stops the reads before it, and the kernel's own queue behind the port fills: that is the
 * back-pressure. The drivers (`drive-blocking.ts`, `drive-events.ts`) decide what happens between two turns.
 *
 * A port that fails for good (the device was deleted, the socket closed) shows as an errno in `failure`.
 */
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";
import { counterIndex, type Direction, dropIndex } from "./counters.ts";
import type { Decap } from "./decap.ts";
import type { DropTeller } from "./drop-teller.ts";
import type { Encap } from "./encap.ts";
import { type PortFailure, PortFailures } from "./port-failures.ts";
import type { BlockedTaps, Tap, Underlay } from "./ports.ts";
import { LENGTH, OFFSET, OUTER, PEER, type Ring, VTEP_MASK } from "./ring.ts";
import { TurnTimes } from "./turn-times.ts";

/** Frames read from the TAP in one turn, at most. */
export const TAP_BATCH = 64;
/** Datagrams received in one turn, at most: trains of 64 KB, so that more would leave the cache before they are written. */
export const UNDERLAY_BATCH = 8;

/** The smallest batch that is asked for: to make many rows ready for the one packet of a ping would take longer than it. */
export const LEAST_BATCH = 4;
/** Batches after which a busy loop asks how many datagrams found no room. */
const ASK_EVERY = 64;

const EINVAL = 22;
/** Super-frames of ours that the TAP may refuse before no more are made. */
const REFUSED_SUPER_FRAMES = 16;

/** The rings between the two ports. */
export interface Rings {
  readonly txFilled: Ring;
  readonly txReady: Ring;
  readonly rxFilled: Ring;
  readonly rxReady: Ring;
  /** Frames for the TAP that no datagram brought: `answers.ts`. Over the pool of the other direction. */
  readonly answers: Ring;
}

/** The slab of sockaddrs to send to; it may be replaced when it grows, so it is read anew for every batch. */
export interface AddressSlab {
  readonly slab: Uint8Array;
}

/** What the loop asks of decap; `Demux` is the same for several overlays. */
export type DecapStage = Pick<Decap, "run" | "takeApart" | "joinNothing">;

export class Loop {
  /** The TAP that is read, and its stage; of several overlays, those of the one whose turn it is. */
  protected tap: Tap;
  protected encap: Encap;
  /** The TAP that is written. */
  protected sink: Tap;
  /** Drops and counters of the overlay at hand; `#drops` and `#values` are of what belongs to none. */
  protected own: DropTeller;
  protected readonly rings: Rings;
  protected tapBatch = LEAST_BATCH;
  readonly #underlay: Underlay;
  readonly #decap: DecapStage;
  readonly #addresses: AddressSlab;
  readonly #drops: DropTeller;
  readonly #values: Float64Array;
  readonly #times: TurnTimes;
  readonly #txBatches = counterIndex("txBatches");
  readonly #rxBatches = counterIndex("rxBatches");
  readonly #txReads = counterIndex("txReads");
  readonly #txSizes = counterIndex("txBatch1");
  readonly #rxSizes = counterIndex("rxBatch1");
  readonly #rxDatagrams = counterIndex("rxDatagrams");
  readonly #txBackpressure = counterIndex("txBackpressure");
  readonly #rxBackpressure = counterIndex("rxBackpressure");
  readonly #underlayRefused = dropIndex("tx", "UNDERLAY_REFUSED");
  readonly #tapRefused = dropIndex("rx", "TAP_REFUSED");
  readonly #overflowed = dropIndex("rx", "SOCKET_RCVBUFF");
  readonly #txFallbacks = counterIndex("txGsoFallbacks");
  readonly #rxFallbacks = counterIndex("rxGsoFallbacks");
  #apart = 0;
  /** The last message that was made may grow by what the next turn reads. */
  #growing = false;
  /** Batches since we asked how many datagrams found no room. */
  #unasked = 0;
  #underlayBatch = LEAST_BATCH;
  #asyncErrors = 0;
  #fallbacks = 0;
  /** Both ports had less than a batch in the last turn: to look again at once would be a system call for nothing. */
  idle = false;
  /** No turn is to be made until this is false again: `Dataplane.hold`. */
  held = false;
  /** Why segments are not joined any more, in words, since the TAP refused super-frames. */
  coalesceRefused: string | undefined;
  readonly #failures = new PortFailures((port, errno) => this.describe(port, errno));
  constructor(
    tap: Tap,
    underlay: Underlay,
    rings: Rings,
    encap: Encap,
    decap: DecapStage,
    addresses: AddressSlab,
    drops: DropTeller,
  ) {
    this.tap = tap;
    this.sink = tap;
    this.encap = encap;
    this.own = drops;
    this.rings = rings;
    this.#underlay = underlay;
    this.#decap = decap;
    this.#addresses = addresses;
    this.#drops = drops;
    this.#values = drops.values;
    this.#times = new TurnTimes(drops);
  }

  /**
   * Underlay to overlay goes first: what the kernel answers to a frame (an echo reply, an acknowledgement) stands in the
   * TAP's queue as soon as the frame is written, and leaves in the same turn.
   * @param tap and `underlay`: false where a read is known to bring nothing, and a system call can be spared
   * @returns how many packets were read or written; after it, `idle` says whether to wait
   */
  turn(tap = true, underlay = true): number {
    this.idle = true;
    this.#times.begin();
    const received = this.#receive(underlay);
    this.#times.end("rx", received);
    const sent = this.transmit(tap || received > 0);
    this.#times.end("tx", sent);
    const moved = received + sent;
    this.#times.turned(moved);
    if (this.#unasked > 0 && (this.idle || this.#unasked >= ASK_EVERY)) this.#askOverflows();
    return moved;
  }

  /**
   * A turn that reads nothing: what was read before goes on its way.
   * @returns whether nothing is left of it
   */
  settle(): boolean {
    this.#receive(false);
    this.transmit(false);
    this.#askOverflows();
    const { txFilled, txReady, rxFilled, rxReady, answers } = this.rings;
    return txFilled.length + txReady.length + rxFilled.length + rxReady.length + answers.length === 0;
  }

  /** How many datagrams found no room. It costs a system call, so it is asked when there is nothing else to do. */
  #askOverflows(): void {
    this.#unasked = 0;
    this.#values[this.#overflowed] = this.#underlay.overflows();
  }

  /** The errno that ended a port, and which; undefined while both live. */
  get failure(): PortFailure | undefined {
    return this.#failures.failure;
  }

  /** What a port last refused a packet with, by direction. */
  get lastRefused(): PortFailures["lastRefused"] {
    return this.#failures.lastRefused;
  }

  /** A frame from the TAP would find a slot and a row. */
  get canReadTap(): boolean {
    return this.rings.txFilled.readable > 0;
  }

  /** A datagram would find a slot and a row. */
  get canReadUnderlay(): boolean {
    return this.rings.rxFilled.readable > 0;
  }

  /** Of several overlays, whose TAPs take no frames now (`SharedLoop`). */
  get blockedTaps(): BlockedTaps | null {
    return null;
  }

  /** Frames wait for the TAP. */
  get tapBlocked(): boolean {
    return this.rings.rxReady.length > 0 || this.rings.answers.length > 0;
  }

  /** Datagrams wait for the underlay. */
  get underlayBlocked(): boolean {
    return this.rings.txReady.length > 0;
  }

  /** One batch from the overlay to the underlay. @returns packets that moved */
  protected transmit(ready: boolean): number {
    const read = this.fill(ready);
    return read + this.drain();
  }

  /** Reads a batch from the TAP, and makes datagrams and answers of it. @returns how many frames were read */
  protected fill(ready: boolean): number {
    const { txFilled, txReady, answers } = this.rings;
    const want = this.tapBatch;
    const read = ready ? this.tap.readBatch(txFilled, want) : 0;
    if (read < 0) this.#failures.unreadable("tap", -read);
    else if (read > 0) {
      this.#failures.readable();
      this.own.values[this.#txBatches]! += 1;
      this.own.values[this.#txReads]! += read;
      this.own.values[this.#txSizes + sizeClass(read)]! += 1;
    }
    const more = ready && this.tap.more === true;
    if (read === want || more) this.idle = false;
    this.tapBatch = nextBatch(read, want, TAP_BATCH);
    const before = txReady.length;
    if (txFilled.length > 0) {
      this.#times.enter();
      this.encapsulate();
      this.#times.leave();
      const { packets } = this.own;
      const from = (txReady.tail + before) | 0;
      if (packets.watched) packets.sent(txReady, from, txReady.head, this.#addresses.slab);
    }
    if (answers.length > 0) this.#write(answers);
    // The next turn reads what there is more: a message that has just grown waits for it, because it may grow again.
    this.#growing = more && txReady.length > before;
    return Math.max(read, 0);
  }

  protected encapsulate(): void {
    this.encap.run(this.rings.txFilled, this.rings.txReady);
  }

  /** Sends what is ready. @returns rows that are done with */
  protected drain(): number {
    const { txFilled, txReady } = this.rings;
    let written = 0;
    for (;;) {
      const count = this.#growing ? this.encap.closed(txReady) : txReady.length;
      if (count === 0) break;
      const sent = this.#underlay.sendBatch(txReady, this.#addresses.slab, count);
      if (sent > 0) {
        written += sent;
      } else if (sent === 0) {
        this.#values[this.#txBackpressure]! += 1;
        break;
      } else {
        if (this.#failures.ended("underlay", -sent)) break;
        this.#unsendable(txReady, -sent);
        written++;
      }
    }
    const { gsoFallbacks = 0 } = this.#underlay;
    if (gsoFallbacks !== this.#fallbacks) {
      this.#values[this.#txFallbacks]! += gsoFallbacks - this.#fallbacks;
      this.#fallbacks = gsoFallbacks;
    }
    this.#lateRefusals();
    this.#times.packets += written;
    // Frames that encap had no room for: there is room now.
    if (txFilled.length > 0 && txReady.length === 0) this.idle = false;
    return written;
  }

  /** Datagrams that the underlay took over in an earlier turn and then could not send. */
  #lateRefusals(): void {
    const total = this.#underlay.asyncErrors;
    if (total === undefined || total === this.#asyncErrors) return;
    this.#values[this.#underlayRefused]! += total - this.#asyncErrors;
    this.#asyncErrors = total;
    this.#failures.note("tx", this.#underlay.lastAsyncErrno ?? 0);
  }

  #receive(ready: boolean): number {
    const { rxFilled, rxReady } = this.rings;
    const want = this.#underlayBatch;
    const read = ready ? this.#underlay.recvBatch(rxFilled, want) : 0;
    if (read < 0) this.#failures.unreadable("underlay", -read);
    else if (read > 0) {
      this.#failures.readable();
      this.#values[this.#rxBatches]! += 1;
      this.#values[this.#rxSizes + sizeClass(read)]! += 1;
      this.countDatagrams(read);
      this.#unasked++;
    }
    if (read === want) this.idle = false;
    this.#underlayBatch = nextBatch(read, want, UNDERLAY_BATCH);
    const { packets } = this.#drops;
    const isWatched = read > 0 && packets.watched;
    if (isWatched) packets.received(rxFilled, (rxFilled.head - read) | 0, rxFilled.head);
    if (rxFilled.length > 0) {
      this.#times.enter();
      this.#decap.run(rxFilled, rxReady);
      this.#times.leave();
    }
    if (isWatched) packets.settle();
    const written = this.#write(rxReady);
    if (rxFilled.length > 0 && rxReady.length === 0) this.idle = false;
    return Math.max(read, 0) + written;
  }

  /** Writes what is ready to the TAP. @returns rows that are done with, those it refused among them */
  #write(ready: Ring): number {
    let written = 0;
    while (ready.length > 0) {
      const count = this.address(ready);
      const n = this.sink.writeBatch(ready, count);
      if (n > 0) {
        written += n;
        this.completed(ready, n);
      } else if (n === 0) {
        this.own.values[this.#rxBackpressure]! += 1;
        break;
      } else {
        if (this.#failures.ended("tap", -n)) break;
        if (-n === EINVAL && this.#tryApart(ready)) continue;
        this.#unwritable(ready, -n);
        written++;
      }
    }
    this.#times.packets += written;
    return written;
  }

  /** Turns to the TAP that the oldest rows are for. @returns how many of them are */
  protected address(ready: Ring): number {
    return ready.length;
  }

  /** The oldest `rows` of a ring have left it. */
  protected completed(_ring: Ring, _rows: number): void {}

  protected countDatagrams(received: number): void {
    this.#values[this.#rxDatagrams]! += received;
  }

  /** The drops of whoever the oldest row to send is from. */
  protected dropsOf(_sent: Ring): DropTeller {
    return this.#drops;
  }

  /** A super-frame that we made was refused: its segments go one by one. Some kernels (6.6, 6.10) took none at all. */
  #tryApart(ready: Ring): boolean {
    if (!this.#decap.takeApart(ready)) return false;
    this.own.values[this.#rxFallbacks]! += 1;
    if (++this.#apart === REFUSED_SUPER_FRAMES) {
      this.#decap.joinNothing();
      this.coalesceRefused = "the TAP refused super-frames while packets flowed (EINVAL)";
    }
    return true;
  }

  /** The underlay refused the oldest message: on with the next. */
  #unsendable(ring: Ring, errno: number): void {
    const { words } = ring;
    const row = ring.row(ring.tail);
    const to = (words[row + PEER]! & VTEP_MASK) * ADDRESS_BYTES;
    const drops = this.dropsOf(ring);
    const counter = this.#underlayRefused;
    const outer = words[row + OUTER]!;
    drops.refused(
      counter,
      errno,
      this.#addresses.slab,
      to,
      words[row + OFFSET]!,
      words[row + LENGTH]!,
      outer,
    );
    this.#skip(ring, "tx", drops.values, counter, errno);
  }

  /** The TAP refused the oldest message: on with the next. */
  #unwritable(ring: Ring, errno: number): void {
    const row = ring.row(ring.tail);
    const drops = this.own;
    drops.frame(this.#tapRefused, ring.words[row + OFFSET]!, ring.words[row + LENGTH]!, errno);
    this.#skip(ring, "rx", drops.values, this.#tapRefused, errno);
  }

  /** Leaves out the oldest message, whose first row has been counted. */
  #skip(ring: Ring, direction: Direction, values: Float64Array, counter: number, errno: number): void {
    const rows = ring.oldest;
    values[counter]! += rows - 1;
    this.#failures.note(direction, errno);
    ring.complete(rows);
    this.completed(ring, rows);
  }

  /** What `failure` says of a port. */
  protected describe(port: "tap" | "underlay", errno: number): PortFailure {
    return { port, errno };
  }
}

/** @returns 0 for 1, 1 for 2 and 3, 2 for 4 to 7, …: counters of batches stand in this order (`counters.ts`) */
function sizeClass(packets: number): number {
  return 31 - Math.clz32(packets);
}

/** Batches grow as long as they come full, and shrink to what comes. */
function nextBatch(read: number, asked: number, most: number): number {
  if (read === asked) return Math.min(asked * 2, most);
  return read * 2 < asked && asked > LEAST_BATCH ? asked >> 1 : asked;
}
