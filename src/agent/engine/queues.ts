/**
 * Several dataplanes as one: a thread for each queue of the TAP, with a socket of its own on the same port. They share
 * nothing. The kernel keeps each flow with one of them: on the way in by the sender's address and port (SO_REUSEPORT),
 * on the way out by the queue to which the flow's answers were written (tun_automq_select_queue).
 *
 *   rows, why         the static ones are the same everywhere; of learned ones the latest word counts
 *   neighbours        the first is asked: all have the same
 *   update, …         the first decides; what it made, the others make, too, whatever they had before
 *   policy, age, paths all
 *   hold              all, or none; counters that are restored are the first one's
 *   flush             all; what they have learned is the same but for the last moment
 *   health, counters  added up
 *   probe             all; what is wrong with one is wrong
 */
import type { CounterSnapshot, Direction } from "../../dataplane/counters.ts";
import { COUNTER_NAMES } from "../../dataplane/counters.ts";
import type { DataplaneHealth, SlotUse } from "../../dataplane/dataplane.ts";
import { joinLearned } from "../../dataplane/learned.ts";
import type { OffloadReport } from "../../dataplane/offloads.ts";
import type { FdbReason, FdbRefusal, FdbRow, FdbUpdate, NeighbourUpdate } from "../../dataplane/options.ts";
import type { Refusal } from "../../dataplane/port-failures.ts";
import { isGroup } from "../../fdb/fdb.ts";
import { parseMac } from "../../wire/bytes.ts";
import type { Engine } from "./engine.ts";
import type { Command, Replies, ReplyTo } from "./protocol.ts";

/** One engine over `engines`, at least one. They were started with the same options, and with empty tables. */
export function joinQueues(engines: readonly Engine[]): Engine {
  if (engines.length === 1) return engines[0]!;
  const [first] = engines as [Engine, ...Engine[]];
  return {
    driver: first.driver,
    events: engines.flatMap(({ events }) => events),
    snapshot: (overlay) => addSnapshots(engines.map((engine) => engine.snapshot(overlay))),
    ask: <C extends Command>(command: C) => ask(engines, command) as Promise<ReplyTo<C>>,
    stop: async () => void (await Promise.all(engines.map((engine) => engine.stop()))),
    failed: Promise.race(engines.map((engine) => engine.failed)),
  };
}

async function ask(engines: readonly Engine[], command: Command): Promise<Replies[keyof Replies]> {
  const [first, ...others] = engines as [Engine, ...Engine[]];
  switch (command.type) {
    case "rows":
      return latestRows((await Promise.all(engines.map((engine) => engine.ask(command)))).flat());
    case "why":
      return latestReasons((await Promise.all(engines.map((engine) => engine.ask(command)))).flat());
    case "learned":
      return joinLearned(await Promise.all(engines.map((engine) => engine.ask(command))));
    case "neighbours":
    case "count":
      return first.ask(command);
    case "hold":
      return hold(engines);
    case "flush":
      return Math.max(...(await Promise.all(engines.map((engine) => engine.ask(command)))));
    case "release":
    case "relearn":
    case "age":
    case "policy":
    case "pathLimits":
      return (await Promise.all(engines.map((engine) => engine.ask(command))))[0]!;
    case "health":
      return addHealth(await Promise.all(engines.map((engine) => engine.ask(command))));
    case "probe": {
      const verdicts = await Promise.all(engines.map((engine) => engine.ask(command)));
      return (
        verdicts.find((one) => one !== null && one !== "busy") ?? verdicts.find((one) => one !== null) ?? null
      );
    }
    case "update":
      return update(first, others, command);
    case "updateNeighbours": {
      const refusals = await first.ask(command);
      const changes = command.changes.filter((_, i) => refusals[i] === null).map(replacing);
      if (changes.length > 0) {
        await Promise.all(others.map((engine) => engine.ask({ ...command, changes })));
      }
      return refusals;
    }
  }
}

async function hold(engines: readonly Engine[]): Promise<boolean> {
  const held = await Promise.all(engines.map((engine) => engine.ask({ type: "hold" })));
  if (held.every((one) => one)) return true;
  await Promise.all(engines.map((engine) => engine.ask({ type: "release" })));
  return false;
}

/** `add` refuses where there is a row; the first queue had none. */
function replacing(change: NeighbourUpdate): NeighbourUpdate {
  return change.op === "add" ? { ...change, op: "replace" } : change;
}

async function update(
  first: Engine,
  others: readonly Engine[],
  command: Extract<Command, { type: "update" }>,
): Promise<(FdbRefusal | null)[]> {
  const { changes } = command;
  const refusals = await first.ask(command);
  // A row that was learned may be another queue's alone for a moment: each is asked to delete it.
  const made = changes.map((_, i) => i).filter((i) => refusals[i] === null || changes[i]!.op === "del");
  if (made.length === 0) return [...refusals];
  // Two of these at a time: their answers come in the order of the questions, and so the others hear them in it.
  const theirs = made.map((i) => unconditionally(changes[i]!));
  const replies = await Promise.all(others.map((engine) => engine.ask({ ...command, changes: theirs })));
  return refusals.map((refusal, i) => {
    const at = made.indexOf(i);
    return at >= 0 && replies.some((reply) => reply[at] === null) ? null : refusal;
  });
}

/** `add` refuses where there is a row; the first queue had none. A group's row cannot be replaced, but appended to. */
function unconditionally(change: FdbUpdate): FdbUpdate {
  if (change.op !== "add") return change;
  const { hi, lo } = parseMac(change.mac);
  return { ...change, op: isGroup(hi, lo) ? "append" : "replace" };
}

/** One of each learned row, of whichever queue heard from its MAC last; static rows once. */
function latestRows(rows: readonly FdbRow[]): FdbRow[] {
  const byKey = new Map<string, FdbRow>();
  for (const row of rows) {
    const key =
      row.state === "learned" ? `${row.vni} ${row.mac}` : `${row.vni} ${row.mac} ${row.dst} ${row.port}`;
    const known = byKey.get(key);
    if (known === undefined || idleOf(row) < idleOf(known)) byKey.set(key, row);
  }
  return [...byKey.values()];
}

function idleOf({ learned }: FdbRow): number {
  return learned?.idle ?? 0;
}

/** The packet that taught a row is known to the queue that received it. */
function latestReasons(reasons: readonly FdbReason[]): FdbReason[] {
  const taught = new Map<string, NonNullable<FdbReason["lesson"]>>();
  const key = ({ mac, dst }: FdbRow): string => `${mac} ${dst}`;
  for (const { row, lesson } of reasons) {
    const known = taught.get(key(row));
    if (lesson !== null && (known === undefined || lesson.at > known.at)) taught.set(key(row), lesson);
  }
  return latestRows(reasons.map(({ row }) => row)).map((row) => {
    return { row, lesson: taught.get(key(row)) ?? null };
  });
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

/** Slots added up, of refusals the latest, of failures, switched-off offloads and received groups the first. */
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
    lastGroup: all.find(({ lastGroup }) => lastGroup !== null)?.lastGroup ?? null,
    // They have the same rows, but for what one has learned a moment ago.
    rows: all[0]!.rows.map(({ static: count }, i) => ({
      static: count,
      learned: Math.max(...all.map(({ rows }) => rows[i]!.learned)),
    })),
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
