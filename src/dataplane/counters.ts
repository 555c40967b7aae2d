/**
 * What happened, in numbers: a row of doubles in shared memory. The dataplane's thread is the only writer; the
 * agent reads them whenever somebody asks, without a message. (Doubles count exactly to 2^53, and an aligned
 * 8-byte store is one store on every machine Node runs on.)
 *
 * `tx` is overlay → underlay (encapsulated here), `rx` is underlay → overlay (decapsulated here), as on a kernel
 * VXLAN device.
 */
import { DROP_REASONS, type DropReason } from "./drops.ts";

/** Counters that are no drops, in the order in which they lie in memory. */
export const COUNTER_NAMES = [
  /** Frames on the wire: each segment of a super-frame is one, and each packet of a train. */
  "txFrames",
  "txBytes",
  "rxFrames",
  "rxBytes",
  /** Datagrams received, before segments of a GRO batch are told apart. */
  "rxDatagrams",
  /** Frames whose partial inner checksum was left to the kernel (a VXLAN device on a veth sends those). */
  "rxPartialChecksums",
  /** Un-segmented super-frames passed on as one. */
  "rxSuperFrames",
  /** Super-frames from the TAP that were cut into segments. */
  "txSuperFrames",
  /** ARP requests and neighbour solicitations that were answered here, and did not leave. */
  "txProxied",
  /** Frames that went to the TAP as part of the one before them. */
  "rxCoalesced",
  /** Sends of several datagrams that the kernel refused, and that left again one by one. */
  "txGsoFallbacks",
  /** Super-frames of ours that the TAP refused, and that were written again one by one. */
  "rxGsoFallbacks",
  /**
   * Frames that senderCheck `mac` or `off` let in although their sender's address is not that of the VTEP their MAC
   * belongs to, or the MAC is no VTEP's.
   */
  "rxSenderMismatch",
  /** Outer CE carried to the inner header. */
  "rxEcnMarked",
  /** Frames that went to several VTEPs, or to a group: each once, where `txFrames` counts every copy. */
  "txFlooded",
  /** Rows that were learned from frames, got another VTEP, were forgotten after `ageing` (in the table of each queue). */
  "fdbLearned",
  "fdbMoved",
  "fdbAged",
  /** Frames of MACs that were not learned because there are `maxaddress` rows. */
  "fdbFull",
  /** Frames whose VXLAN header named a group (the G bit), with `gbp` on. */
  "rxGbp",
  /** Calls that moved something, by direction: frames per call is the batch size. */
  "txBatches",
  "rxBatches",
  /** Frames read from the TAP, a super-frame as one. */
  "txReads",
  /** The same calls by their size: of 1, of 2 and 3, of 4 to 7, … frames read, and datagrams received. */
  "txBatch1",
  "txBatch2",
  "txBatch4",
  "txBatch8",
  "txBatch16",
  "txBatch32",
  "txBatch64",
  "rxBatch1",
  "rxBatch2",
  "rxBatch4",
  "rxBatch8",
  /** Times a send or a TAP write could not take more, and the loop waited. */
  "txBackpressure",
  "rxBackpressure",
  /**
   * Batches that were timed (`turn-times.ts`), by microseconds from before the read until after the last write: up to 5, up to
   * 10, …
   */
  "txTook5",
  "txTook10",
  "txTook25",
  "txTook50",
  "txTook100",
  "txTook250",
  "txTook500",
  "txTook1000",
  "txTook2500",
  "txTook5000",
  "txTook10000",
  "txTookLonger",
  "rxTook5",
  "rxTook10",
  "rxTook25",
  "rxTook50",
  "rxTook100",
  "rxTook250",
  "rxTook500",
  "rxTook1000",
  "rxTook2500",
  "rxTook5000",
  "rxTook10000",
  "rxTookLonger",
  /** The same batches' time, and that of encap and decap alone: no system call is in it. */
  "txNanoseconds",
  "rxNanoseconds",
  "txStageNanoseconds",
  "rxStageNanoseconds",
  /** Packets that left in them: datagrams sent, frames and answers written to the TAP. */
  "txTimedPackets",
  "rxTimedPackets",
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];
export type Direction = "tx" | "rx";

const TX_DROPS = COUNTER_NAMES.length;
const RX_DROPS = TX_DROPS + DROP_REASONS.length;
const TOTAL = RX_DROPS + DROP_REASONS.length;

/** A snapshot for people and for JSON: zero drops are left out. */
export type CounterSnapshot = Record<CounterName, number> & {
  drops: Record<Direction, Partial<Record<DropReason, number>>>;
};

export class Counters {
  /** Hand this to another thread and build a `Counters` on it there. */
  readonly shared: SharedArrayBuffer;
  /** The numbers themselves; index with `counterIndex` and `dropIndex`. */
  readonly values: Float64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(TOTAL * 8)) {
    this.shared = shared;
    this.values = new Float64Array(shared);
  }

  get(name: CounterName): number {
    return this.values[counterIndex(name)]!;
  }

  drops(direction: Direction, reason: DropReason): number {
    return this.values[dropIndex(direction, reason)]!;
  }

  /** Goes on from what another's snapshot says; what it counted and nobody counts here is left out. */
  restore(from: CounterSnapshot): void {
    COUNTER_NAMES.forEach((name, i) => {
      this.values[i] = from[name] ?? 0;
    });
    DROP_REASONS.forEach((reason, i) => {
      this.values[TX_DROPS + i] = from.drops.tx[reason] ?? 0;
      this.values[RX_DROPS + i] = from.drops.rx[reason] ?? 0;
    });
  }

  snapshot(): CounterSnapshot {
    const counts = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, this.values[i]!]));
    return {
      ...(counts as Record<CounterName, number>),
      drops: { tx: this.#nonZero(TX_DROPS), rx: this.#nonZero(RX_DROPS) },
    };
  }

  #nonZero(from: number): Partial<Record<DropReason, number>> {
    const drops: Partial<Record<DropReason, number>> = {};
    DROP_REASONS.forEach((reason, i) => {
      const n = this.values[from + i]!;
      if (n > 0) drops[reason] = n;
    });
    return drops;
  }
}

/** The counters of one of several overlays, or without `overlay` all of them added up. */
export function snapshotOf(all: readonly Counters[], overlay?: number): CounterSnapshot {
  if (overlay !== undefined) return all[overlay]!.snapshot();
  if (all.length === 1) return all[0]!.snapshot();
  const total = new Counters();
  for (const { values } of all) for (let i = 0; i < TOTAL; i++) total.values[i]! += values[i]!;
  return total.snapshot();
}

/** Where a counter lies in `Counters.values`. Look it up once, outside the loop. */
export function counterIndex(name: CounterName): number {
  return COUNTER_NAMES.indexOf(name);
}

/** Where a drop counter lies in `Counters.values`. */
export function dropIndex(direction: Direction, reason: DropReason): number {
  return (direction === "tx" ? TX_DROPS : RX_DROPS) + DROP_REASONS.indexOf(reason);
}

/** What `dropIndex` made an index of. */
export function dropAt(index: number): { direction: Direction; reason: DropReason } {
  const [direction, from] = index < RX_DROPS ? (["tx", TX_DROPS] as const) : (["rx", RX_DROPS] as const);
  return { direction, reason: DROP_REASONS[index - from]! };
}
