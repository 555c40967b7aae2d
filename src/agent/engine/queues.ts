/**
 * Several dataplanes as one: a thread for each queue of the TAP, with a socket of its own on the same port. They share
 * nothing. The kernel keeps each flow with one of them: on the way in by the sender's address and port (SO_REUSEPORT),
 * on the way out by the queue to which the flow's answers were written (tun_automq_select_queue).
 *
 *   rows              the first is asked: all have the same
 *   update            the first decides; what it made, the others make, too, whatever they had before
 *   policy, paths     all
 *   health, counters  added up
 */
import type { CounterSnapshot, Direction } from "../../dataplane/counters.ts";
import { COUNTER_NAMES } from "../../dataplane/counters.ts";
import type { DataplaneHealth, SlotUse } from "../../dataplane/dataplane.ts";
import type { Refusal } from "../../dataplane/loop.ts";
import type { OffloadReport } from "../../dataplane/offloads.ts";
import type { FdbUpdate } from "../../dataplane/options.ts";
import type { Engine } from "./engine.ts";
import type { Command, Replies, ReplyTo } from "./protocol.ts";

/** One engine over `engines`, at least one. They were started with the same options, and with empty tables. */
export function joinQueues(engines: readonly Engine[]): Engine {
  if (engines.length === 1) return engines[0]!;
  const [first] = engines as [Engine, ...Engine[]];
  return {
    driver: first.driver,
    snapshot: () => addSnapshots(engines.map((engine) => engine.snapshot())),
    ask: <C extends Command>(command: C) => ask(engines, command) as Promise<ReplyTo<C>>,
    stop: async () => void (await Promise.all(engines.map((engine) => engine.stop()))),
    failed: Promise.race(engines.map((engine) => engine.failed)),
  };
}

async function ask(engines: readonly Engine[], command: Command): Promise<Replies[keyof Replies]> {
  const [first, ...others] = engines as [Engine, ...Engine[]];
  switch (command.type) {
    case "rows":
      return first.ask(command);
    case "policy":
    case "pathLimits":
      return (await Promise.all(engines.map((engine) => engine.ask(command))))[0]!;
    case "health":
      return addHealth(await Promise.all(engines.map((engine) => engine.ask(command))));
    case "update": {
      const refusals = await first.ask(command);
      // Two of these at a time: their answers come in the order of the questions, and so the others hear them in it.
      const changes = command.changes.filter((_, i) => refusals[i] === null).map(unconditionally);
      if (changes.length > 0) {
        await Promise.all(others.map((engine) => engine.ask({ type: "update", changes })));
      }
      return refusals;
    }
  }
}

/** `add` refuses where there is a row; the first queue had none. */
function unconditionally(change: FdbUpdate): FdbUpdate {
  return change.op === "add" ? { ...change, op: "replace" } : change;
}

/** @returns the sums */
export function addSnapshots(snapshots: readonly CounterSnapshot[]): CounterSnapshot {
  const counts = COUNTER_NAMES.map((name) => [name, sum(snapshots.map((one) => one[name]))]);
  return {
    ...(Object.fromEntries(counts) as Record<(typeof COUNTER_NAMES)[number], number>),
    drops: { tx: addDrops(snapshots, "tx"), rx: addDrops(snapshots, "rx") },
  };
}

function addDrops(
  snapshots: readonly CounterSnapshot[],
  direction: Direction,
): CounterSnapshot["drops"]["tx"] {
  const total: CounterSnapshot["drops"]["tx"] = {};
  for (const { drops } of snapshots) {
    for (const [reason, n] of Object.entries(drops[direction]) as [keyof typeof total, number][]) {
      total[reason] = (total[reason] ?? 0) + n;
    }
  }
  return total;
}

/** Slots added up, of refusals the latest, of failures and switched-off offloads the first. */
function addHealth(all: readonly DataplaneHealth[]): DataplaneHealth {
  const offloads: Partial<OffloadReport> = Object.assign({}, ...all.map((one) => one.offloads).reverse());
  return {
    slots: { tx: addSlots(all.map(({ slots }) => slots.tx)), rx: addSlots(all.map(({ slots }) => slots.rx)) },
    lastRefused: {
      tx: latest(all.map(({ lastRefused }) => lastRefused.tx)),
      rx: latest(all.map(({ lastRefused }) => lastRefused.rx)),
    },
    failure: all.find(({ failure }) => failure !== null)?.failure ?? null,
    offloads,
  };
}

function addSlots(all: readonly SlotUse[]): SlotUse {
  return { free: sum(all.map(({ free }) => free)), count: sum(all.map(({ count }) => count)) };
}

function latest(refusals: readonly Refusal[]): Refusal {
  return refusals.reduce((last, one) => (one.at > last.at ? one : last));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
