/** `poplin stats` as text: traffic by direction, how well it came in batches, and every drop with its meaning. */
import type { StatsAnswer } from "../agent/api/answers.ts";
import {
  COUNTER_NAMES,
  type CounterName,
  type CounterSnapshot,
  type Direction,
} from "../dataplane/counters.ts";
import { DROP_REASONS, DROPS } from "../dataplane/drops.ts";
import { bytes, count, hang, paint, type Style, table } from "./output.ts";

/** Drops of both directions and all reasons. */
export function totalDrops(stats: StatsAnswer): number {
  return sum(Object.values(stats.drops.tx)) + sum(Object.values(stats.drops.rx));
}

export function renderStats(stats: StatsAnswer, style: Style): string[] {
  return [...traffic(stats, style), "", ...notes(stats, style), ...drops(stats, style)];
}

function traffic(stats: StatsAnswer, style: Style): string[] {
  const { tx, rx } = framesPerBatch(stats);
  const batchSizes = [tx, rx].map((n) => (n === null ? "-" : n.toFixed(1)));
  const rows = [
    ["frames", count(stats.txFrames), count(stats.rxFrames)],
    ["bytes", bytes(stats.txBytes), bytes(stats.rxBytes)],
    ["batches", count(stats.txBatches), count(stats.rxBatches)],
    ["frames per batch", ...batchSizes],
    ["waits for room", count(stats.txBackpressure), count(stats.rxBackpressure)],
    ["dropped", count(sum(Object.values(stats.drops.tx))), count(sum(Object.values(stats.drops.rx)))],
  ];
  const columns = [
    { title: "" },
    { title: "SENT (tx)", align: "right" },
    { title: "RECEIVED (rx)", align: "right" },
  ] as const;
  return table(columns, rows, style);
}

/**
 * Out: frames read from the TAP per read, those dropped or answered among them. In: datagrams per receive.
 * @returns null where nothing was read
 */
export function framesPerBatch(stats: CounterSnapshot): Record<Direction, number | null> {
  const dropped = sum(Object.values(stats.drops.tx)) - (stats.drops.tx.FULL_RING ?? 0);
  const read = stats.txFrames + stats.txProxied + dropped;
  return {
    tx: stats.txBatches === 0 ? null : read / stats.txBatches,
    rx: stats.rxBatches === 0 ? null : stats.rxDatagrams / stats.rxBatches,
  };
}

/** Counters that mean something only where they are not zero. */
const NOTES: Partial<Record<CounterName, string>> = {
  txProxied: "ARP requests and neighbour solicitations that were answered here (proxy)",
  rxDatagrams: "datagrams received: fewer than frames where the kernel joined some (GRO)",
  rxPartialChecksums:
    "frames whose inner checksum the sender left to us (a kernel VXLAN device on a veth does)",
  rxSuperFrames: "un-segmented super-frames passed on as one",
  rxSenderMismatch: "frames let in from an address that is not their VTEP's (senderCheck mac or off)",
  rxGbp: "frames whose VXLAN header named a group (gbp)",
  rxEcnMarked: "frames with a congestion mark carried from the outer header to the inner one",
};

function notes(stats: StatsAnswer, style: Style): string[] {
  const noted = (name: CounterName): boolean => name !== "rxDatagrams" || stats.rxDatagrams < stats.rxFrames;
  const rows = COUNTER_NAMES.filter(
    (name) => NOTES[name] !== undefined && stats[name] > 0 && noted(name),
  ).map((name): Row => [count(stats[name]), "", NOTES[name]!]);
  return rows.length === 0 ? [] : [...explained(rows, style), ""];
}

function drops(stats: StatsAnswer, style: Style): string[] {
  const out: string[] = [];
  for (const [direction, title] of [
    ["tx", "dropped on the way out (tx)"],
    ["rx", "dropped on the way in (rx)"],
  ] as const) {
    const rows = dropRows(stats, direction);
    if (rows.length === 0) continue;
    if (out.length > 0) out.push("");
    out.push(paint(style, "bold", title), ...explained(rows, style));
  }
  return out.length === 0 ? ["nothing dropped"] : out;
}

function dropRows(stats: StatsAnswer, direction: Direction): Row[] {
  const byReason = stats.drops[direction];
  return DROP_REASONS.filter((reason) => (byReason[reason] ?? 0) > 0).map((reason) => [
    count(byReason[reason]!),
    reason,
    DROPS[reason],
  ]);
}

/** A number, its name ("" for none), and what it means. */
export type Row = readonly [number: string, name: string, meaning: string];

/** The numbers right-aligned, the names left, the meanings wrapped beside them. */
export function explained(rows: readonly Row[], style: Style): string[] {
  const digits = Math.max(...rows.map(([n]) => n.length));
  const names = Math.max(...rows.map(([, name]) => name.length));
  return rows.flatMap(([n, name, meaning]) => {
    const first = `  ${n.padStart(digits)}  ${names === 0 ? "" : `${name.padEnd(names)}  `}`;
    return hang(first, meaning, style.width);
  });
}

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce((total: number, n) => total + (n ?? 0), 0);
}
