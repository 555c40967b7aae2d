/**
 * (rows there are, rows there should be) → what to change, in order, with the way back. Pure: nobody is asked and
 * nothing is done here; `apply.ts` carries a plan out.
 *
 * What is stale: rows that no lease asks for. The reader of the actual rows hands over only what looks like ours
 * (permanent neighbours and flannel-shaped routes of our device, direct routes of the uplink), so nothing else can be
 * removed.
 */
import { parseCidr } from "./address.ts";
import type { DesiredRows, LeaseRows } from "./desired.ts";
import type { Lease } from "./lease.ts";
import type { FdbStep, FdbTarget, HostStep, NeighbourRow, RouteRow, Step } from "./rows.ts";

/** What there is. */
export interface ActualRows {
  readonly neighbours: readonly NeighbourRow[];
  readonly routes: readonly RouteRow[];
  readonly fdb: readonly FdbTarget[];
  /** CIDRs on our device, without the kernel's own link-local one. */
  readonly addresses: readonly string[];
}

/** A step, and what undoes it. */
export interface Change {
  readonly step: Step;
  readonly undo: Step;
}

export interface LeasePlan {
  readonly lease: Lease;
  /** In flannel's order: neighbours, FDB, routes. */
  readonly changes: readonly Change[];
}

export interface Plan {
  readonly addAddresses: readonly HostStep[];
  /** Leases with something to do. */
  readonly leases: readonly LeasePlan[];
  /** Rows that no lease asks for, in flannel's order too: neighbours, FDB, routes. */
  readonly removals: readonly Step[];
  readonly removeAddresses: readonly HostStep[];
}

export interface DifferenceOptions {
  /** MACs whose FDB rows somebody added by hand: they stay, unless a lease has the MAC. */
  readonly manualFdb?: ReadonlySet<string>;
  /**
   * Addresses that we put on the device ourselves, and may take away. Left out (at start, when nobody knows any more):
   * those that look like ours, see `looksOurs`.
   */
  readonly ownAddresses?: readonly string[];
}

/** What has to change for `actual` to become `desired`. */
export function difference(actual: ActualRows, desired: DesiredRows, options: DifferenceOptions = {}): Plan {
  const index: Index = {
    neighbours: new Map(actual.neighbours.map((row) => [row.address, row])),
    routes: new Set(actual.routes.map(routeKey)),
    // Of several to a subnet the first: it counts, and it is the one that the kernel replaces.
    routeTo: new Map(actual.routes.toReversed().map((row) => [row.subnet, row])),
    fdb: new Map(actual.fdb.map((row) => [row.mac, row])),
  };
  const leases = desired.leases
    .map((rows) => ({ lease: rows.lease, changes: changesFor(rows, index) }))
    .filter((plan) => plan.changes.length > 0);
  const removals = removalsOf(actual, desired, options.manualFdb ?? new Set(), replacedRoutes(leases));
  const addresses = addressSteps(actual.addresses, desired.addresses, options.ownAddresses);
  return { leases, removals, ...addresses };
}

/** @returns whether a plan changes nothing. */
export function isEmpty(plan: Plan): boolean {
  return (
    plan.leases.length + plan.removals.length + plan.addAddresses.length + plan.removeAddresses.length === 0
  );
}

/**
 * Which addresses of a device that has to be made anew belong on the new one although the configuration does not name
 * them: what somebody else put there.
 */
export function addressesToReplay(before: readonly string[], configured: readonly string[]): string[] {
  return before.filter((cidr) => !configured.includes(cidr) && !looksOurs(cidr, configured));
}

interface Index {
  readonly neighbours: ReadonlyMap<string, NeighbourRow>;
  readonly routes: ReadonlySet<string>;
  readonly routeTo: ReadonlyMap<string, RouteRow>;
  readonly fdb: ReadonlyMap<string, FdbTarget>;
}

function changesFor(rows: LeaseRows, actual: Index): Change[] {
  const changes: Change[] = [];
  for (const row of rows.neighbours) {
    const before = actual.neighbours.get(row.address);
    if (before?.mac === row.mac) continue;
    const table = "neighbour";
    const undo: HostStep = before ? { table, op: "replace", ...before } : { table, op: "del", ...row };
    changes.push({ step: { table, op: "replace", ...row }, undo });
  }
  const before = actual.fdb.get(rows.fdb.mac);
  if (before?.dst !== rows.fdb.dst || before.port !== rows.fdb.port) {
    const table = "fdb";
    const undo: FdbStep = before ? { table, op: "replace", ...before } : { table, op: "del", ...rows.fdb };
    changes.push({ step: { table, op: "replace", ...rows.fdb }, undo });
  }
  for (const row of rows.routes) {
    if (actual.routes.has(routeKey(row))) continue;
    const table = "route";
    const before = actual.routeTo.get(row.subnet);
    changes.push(
      before
        ? { step: { table, op: "replace", ...row }, undo: { table, op: "replace", ...before } }
        : { step: { table, op: "add", ...row }, undo: { table, op: "del", ...row } },
    );
  }
  return changes;
}

/** Keys of routes that go by being replaced, or stay because their lease's steps fail. */
function replacedRoutes(leases: readonly LeasePlan[]): Set<string> {
  const undone = leases.flatMap(({ changes }) => changes.map(({ undo }) => undo));
  return new Set(
    undone.flatMap((step) => (step.table === "route" && step.op === "replace" ? [routeKey(step)] : [])),
  );
}

function removalsOf(
  actual: ActualRows,
  desired: DesiredRows,
  manual: ReadonlySet<string>,
  replaced: ReadonlySet<string>,
): Step[] {
  const addresses = new Set<string>();
  const macs = new Set(manual);
  const routes = new Set(replaced);
  for (const rows of desired.leases) {
    for (const row of rows.neighbours) addresses.add(row.address);
    macs.add(rows.fdb.mac);
    for (const row of rows.routes) routes.add(routeKey(row));
  }
  const op = "del";
  const neighbours = actual.neighbours.filter((row) => !addresses.has(row.address));
  const fdb = actual.fdb.filter((row) => !macs.has(row.mac));
  const stale = actual.routes.filter((row) => !routes.has(routeKey(row)));
  return [
    ...neighbours.map((row): Step => ({ table: "neighbour", op, ...row })),
    ...fdb.map((row): Step => ({ table: "fdb", op, mac: row.mac, dst: row.dst, port: row.port })),
    ...stale.map((row): Step => ({ table: "route", op, ...row })),
  ];
}

function addressSteps(
  actual: readonly string[],
  desired: readonly string[],
  own: readonly string[] | undefined,
): Pick<Plan, "addAddresses" | "removeAddresses"> {
  const ours = (cidr: string): boolean => own?.includes(cidr) ?? looksOurs(cidr, desired);
  const table = "address";
  const missing = desired.filter((cidr) => !actual.includes(cidr));
  const stale = actual.filter((cidr) => !desired.includes(cidr) && ours(cidr));
  return {
    addAddresses: missing.map((cidr) => ({ table, op: "replace", cidr })),
    removeAddresses: stale.map((cidr) => ({ table, op: "del", cidr })),
  };
}

/**
 * Whether an address on our device was most likely put there by an earlier run of ours, or of flannel: a single
 * address (/32, /128) of a family for which the configuration now names another one.
 */
function looksOurs(cidr: string, configured: readonly string[]): boolean {
  const { family, prefix } = parseCidr(cidr);
  if (prefix !== (family === 4 ? 32 : 128)) return false;
  return configured.some((other) => parseCidr(other).family === family);
}

function routeKey(row: RouteRow): string {
  return `${row.subnet} ${row.via} ${row.dev ?? ""}`;
}
