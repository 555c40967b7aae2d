/**
 * The loop of several overlays on one underlay. What `Loop` does for one TAP it does for each in turn:
 *
 *   overlay → underlay   the TAPs that have frames, one batch of each, round and round: one that always has more waits
 *                        for all others. What several have made leaves in one send.
 *   underlay → overlay   `Demux` says which rows are for which TAP, and each gets its run of them.
 *
 * The rings are shared. So a TAP that takes no frames holds up what came behind them for others, and an underlay that
 * takes no datagrams holds up all. What is received, and waits for nobody's TAP, is counted by the first overlay.
 */
import { Demux } from "./demux.ts";
import type { DropTeller } from "./drop-teller.ts";
import { type AddressSlab, LEAST_BATCH, Loop, type Rings, TAP_BATCH } from "./loop.ts";
import type { Overlay } from "./overlay.ts";
import type { PortFailure } from "./port-failures.ts";
import type { BlockedTaps, ReadyTaps, Tap, Underlay } from "./ports.ts";
import { LENGTH, OFFSET, type Ring } from "./ring.ts";
import { Runs } from "./runs.ts";

export class SharedLoop extends Loop implements BlockedTaps {
  readonly #overlays: readonly Overlay[];
  readonly #taps: ReadyTaps;
  readonly #demux: Demux;
  readonly #rxRuns: Runs;
  readonly #answerRuns: Runs;
  /** Whose frames are, or were last, in txFilled. */
  #at = 0;
  /** Who is read or written now. */
  #busy = 0;
  /** Frames to ask each TAP for. */
  readonly #batches: Int32Array;
  /** Places of TAPs that may have frames, oldest first, each once; and how many from `#next` on. */
  readonly #queue: Int32Array;
  readonly #queued: Uint8Array;
  #next = 0;
  #waiting = 0;
  /** How many of them are read before we ask again who is ready. */
  #round = 0;
  readonly #out: Int32Array;

  constructor(
    overlays: readonly Overlay[],
    taps: ReadyTaps,
    underlay: Underlay,
    rings: Rings,
    addresses: AddressSlab,
  ) {
    const [first] = overlays as [Overlay, ...Overlay[]];
    const runs = new Runs(rings.rxReady.capacity);
    const demux = new Demux(overlays, rings.rxReady.bytes, runs);
    super(first.tap, underlay, rings, first.encap, demux, addresses, first.drops);
    this.#overlays = overlays;
    this.#taps = taps;
    this.#demux = demux;
    this.#rxRuns = runs;
    this.#answerRuns = new Runs(rings.answers.capacity);
    this.#batches = new Int32Array(overlays.length).fill(LEAST_BATCH);
    this.#queue = new Int32Array(overlays.length);
    this.#queued = new Uint8Array(overlays.length);
    this.#out = new Int32Array(Math.min(overlays.length, TAP_BATCH));
  }

  override get blockedTaps(): BlockedTaps {
    return this;
  }

  /** The TAP for which received frames wait. */
  get frames(): Tap | null {
    return this.#overlays[this.#rxRuns.overlay]?.tap ?? null;
  }

  /** The TAP for which answers wait. */
  get answers(): Tap | null {
    return this.#overlays[this.#answerRuns.overlay]?.tap ?? null;
  }

  protected override transmit(ready: boolean): number {
    const { txFilled } = this.rings;
    let read = 0;
    // What is left of the TAP that was read last, and answers that it did not take.
    this.fill(false);
    if (ready && this.#round === 0 && txFilled.length === 0) this.#ask();
    while (this.#round > 0 && read < TAP_BATCH && txFilled.length === 0 && txFilled.readable > 0) {
      read += this.#readNext();
      if (this.failure !== undefined) break;
    }
    const moved = read + this.drain();
    if (this.#waiting > 0 && txFilled.readable > 0) this.idle = false;
    return moved;
  }

  /** Asks which TAPs have frames. Those that have been read before them, and had more, come first. */
  #ask(): void {
    const n = this.#taps.ready(this.#out);
    for (let i = 0; i < n; i++) this.#enqueue(this.#out[i]!);
    this.#round = this.#waiting;
  }

  #enqueue(place: number): void {
    if (this.#queued[place] === 1) return;
    this.#queued[place] = 1;
    this.#queue[(this.#next + this.#waiting) % this.#queue.length] = place;
    this.#waiting++;
  }

  /** A batch of the TAP whose turn it is. @returns how many frames were read */
  #readNext(): number {
    const place = this.#queue[this.#next]!;
    this.#next = (this.#next + 1) % this.#queue.length;
    this.#waiting--;
    this.#round--;
    this.#queued[place] = 0;
    this.#turnTo(place);
    const before = this.idle;
    this.idle = true;
    this.tapBatch = this.#batches[place]!;
    const read = this.fill(true);
    this.#batches[place] = this.tapBatch;
    if (!this.idle) this.#enqueue(place);
    this.idle &&= before;
    return read;
  }

  #turnTo(place: number): void {
    this.#busy = place;
    const overlay = this.#overlays[place]!;
    this.own = overlay.drops;
    if (place === this.#at) return;
    this.#at = place;
    this.tap = overlay.tap;
    this.encap = overlay.encap;
    this.encap.startOver(this.rings.txReady);
  }

  protected override encapsulate(): void {
    const { answers } = this.rings;
    const before = answers.head;
    super.encapsulate();
    this.#answerRuns.push(this.#at, (answers.head - before) | 0);
  }

  protected override address(ready: Ring): number {
    const runs = this.#runsOf(ready);
    const place = runs.overlay;
    this.#busy = place;
    this.sink = this.#overlays[place]!.tap;
    this.own = this.#overlays[place]!.drops;
    return runs.rows;
  }

  protected override completed(ring: Ring, rows: number): void {
    if (ring !== this.rings.txReady) this.#runsOf(ring).take(rows);
  }

  #runsOf(ring: Ring): Runs {
    return ring === this.rings.answers ? this.#answerRuns : this.#rxRuns;
  }

  /** Demux counts them by overlay. */
  protected override countDatagrams(): void {}

  protected override dropsOf(sent: Ring): DropTeller {
    const row = sent.row(sent.tail);
    const place = sent.words[row + LENGTH]! < 8 ? 0 : this.#demux.placeOf(sent.words[row + OFFSET]!);
    return (this.#overlays[place] ?? this.#overlays[0]!).drops;
  }

  protected override describe(port: "tap" | "underlay", errno: number): PortFailure {
    return port === "tap" ? { port, errno, overlay: this.#busy } : { port, errno };
  }
}
