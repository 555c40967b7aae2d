/**
 * Rates out of counters: what happened between two answers of an agent, per second. Pure; `top-poll.ts` asks,
 * `render-top.ts` shows.
 */
import type { StatsAnswer } from "../agent/api/answers.ts";
import type { AgentStatus } from "../agent/api/status-types.ts";
import { COUNTER_NAMES, type CounterSnapshot, type Direction } from "../dataplane/counters.ts";
import { DROP_REASONS, type DropReason } from "../dataplane/drops.ts";
import type { ThreadTime } from "../host/threads.ts";
import { framesPerBatch } from "./render-stats.ts";

/** One overlay, as it was asked. */
export interface DeviceSample {
  readonly dev: string;
  readonly vni: number;
  readonly stats: StatsAnswer;
  /** Rows of its forwarding table; null where they were not counted. */
  readonly fdb: number | null;
}

/** All that was asked at one moment. */
export interface Sample {
  /** Milliseconds, of a clock that nobody sets. */
  readonly at: number;
  readonly status: AgentStatus;
  /** How many of the agent's overlays are meant. */
  readonly meant: number;
  /** All of these added up. */
  readonly total: StatsAnswer;
  readonly devices: readonly DeviceSample[];
  readonly threads: readonly ThreadTime[];
}

/** One direction of an overlay, or of all. */
export interface Flow {
  /** Frames per second. */
  readonly packets: number;
  /** Bits of these frames per second, without what encapsulation adds. */
  readonly bits: number;
  /** Frames per batch; null where no batch was moved, or it is not known whose they were. */
  readonly batch: number | null;
  /** Dropped frames per second. */
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
}

export interface DeviceRates extends Readonly<Record<Direction, Flow>> {
  readonly dev: string;
  readonly vni: number;
  readonly fdb: number | null;
}

export interface ThreadRate {
  readonly tid: number;
  readonly name: string;
  /** Part of one CPU, 0 to 1. */
  readonly cpu: number;
}

/** What `poplin top` shows once. */
export interface Rates {
  /** Seconds between the two answers. */
  readonly seconds: number;
  readonly total: Readonly<Record<Direction, Flow>>;
  /** Dropped since the agent's start, for reasons that have a rate. */
  readonly dropped: CounterSnapshot["drops"];
  readonly devices: readonly DeviceRates[];
  /** Those that used a CPU, the busiest first. */
  readonly threads: readonly ThreadRate[];
}

/** @returns null where there is nothing to compare with: another process answers, or its counters began anew */
export function ratesBetween(before: Sample, after: Sample): Rates | null {
  const seconds = (after.at - before.at) / 1000;
  if (before.status.pid !== after.status.pid || seconds <= 0) return null;
  const total = difference(before.total, after.total);
  if (total === null) return null;
  // What is received is counted by the first overlay of an underlay, before it is known whose it is (shared-loop.ts).
  const all = after.status.overlays.length;
  const devices = after.devices.flatMap(({ dev, vni, stats, fdb }) => {
    const earlier = before.devices.find((one) => one.dev === dev && one.vni === vni);
    const change = earlier === undefined ? null : difference(earlier.stats, stats);
    if (change === null) return [];
    return [{ dev, vni, fdb, ...flows(change, seconds, all === 1) }];
  });
  return {
    seconds,
    total: flows(total, seconds, after.meant === all),
    dropped: after.total.drops,
    devices,
    threads: threadRates(before.threads, after.threads, seconds),
  };
}

/** @returns null where a counter went back */
function difference(before: CounterSnapshot, after: CounterSnapshot): CounterSnapshot | null {
  const counts = COUNTER_NAMES.map((name) => [name, after[name] - before[name]] as const);
  const drops = { tx: {}, rx: {} } as Record<Direction, Partial<Record<DropReason, number>>>;
  for (const direction of ["tx", "rx"] as const) {
    for (const reason of DROP_REASONS) {
      const n = (after.drops[direction][reason] ?? 0) - (before.drops[direction][reason] ?? 0);
      if (n !== 0) drops[direction][reason] = n;
    }
  }
  const all = [...counts.map(([, n]) => n), ...Object.values(drops.tx), ...Object.values(drops.rx)];
  if (all.some((n) => n < 0)) return null;
  return { ...(Object.fromEntries(counts) as Record<(typeof COUNTER_NAMES)[number], number>), drops };
}

function flows(change: CounterSnapshot, seconds: number, ownBatches: boolean): Record<Direction, Flow> {
  const rx = flow(change, "rx", seconds);
  return { tx: flow(change, "tx", seconds), rx: ownBatches ? rx : { ...rx, batch: null } };
}

function flow(change: CounterSnapshot, direction: Direction, seconds: number): Flow {
  const drops = Object.entries(change.drops[direction]).map(([reason, n]) => [reason, n / seconds]);
  return {
    packets: change[`${direction}Frames`] / seconds,
    bits: (change[`${direction}Bytes`] * 8) / seconds,
    batch: framesPerBatch(change)[direction],
    drops: Object.fromEntries(drops),
  };
}

function threadRates(
  before: readonly ThreadTime[],
  after: readonly ThreadTime[],
  seconds: number,
): ThreadRate[] {
  const earlier = new Map(before.map((thread) => [thread.tid, thread.seconds]));
  return after
    .map(({ tid, name, seconds: now }) => ({ tid, name, cpu: (now - (earlier.get(tid) ?? 0)) / seconds }))
    .filter(({ cpu }) => cpu > 0)
    .sort((a, b) => b.cpu - a.cpu);
}

/** Drops of all reasons per second. */
export function dropRate({ drops }: Flow): number {
  return Object.values(drops).reduce((sum, n) => sum + n, 0);
}
