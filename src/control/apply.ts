/**
 * Carries a plan out, in flannel's order, through an executor that knows how.
 *
 *   addresses + neighbours ─▶ FDB ─▶ routes ─▶ what is stale: neighbours ─▶ FDB ─▶ routes + addresses
 *
 * Each arrow is one call for all leases, so a thousand peers cost as many processes as one. New rows come before the
 * removal of stale ones: a peer that gets a new MAC is never without one. A lease of which one step fails gets what
 * was done for it undone, in reverse order, and takes no part in the later calls; the others go on (flannel skips
 * them). What it had before, and has again, then works on: where a route leads via a neighbour, or a neighbour has a MAC,
 * that no lease asks for any more, that neighbour and that MAC's FDB row are not removed as stale.
 *
 * An executor that throws (iproute2 is missing, no permission) ends all of it: the caller compares and applies again
 * when the cause is gone; steps are written so that this is always safe.
 */
import type { Change, LeasePlan, Plan } from "./difference.ts";
import type { Lease } from "./lease.ts";
import type { FdbStep, HostStep, Step } from "./rows.ts";

/** Does steps, in their order; one that fails does not stop the others. */
export interface Executor {
  /** @returns for each step null, or why it failed */
  host(steps: readonly HostStep[]): Promise<readonly (string | null)[]>;
  /** @returns for each step null, or why it failed */
  fdb(steps: readonly FdbStep[]): Promise<readonly (string | null)[]>;
}

/** One step that failed. */
export interface Failure {
  /** Whose step it was; null for an address of the device and for the removal of a stale row. */
  readonly lease: Lease | null;
  readonly step: Step;
  /** The kernel's words, or the dataplane's. */
  readonly reason: string;
}

export interface Outcome {
  /** Steps that were done and stand. */
  readonly done: number;
  /** Empty when `actual` is now `desired`. Undo steps that failed are among them, under their lease. */
  readonly failures: readonly Failure[];
}

/** Carries out `plan`. */
export async function applyPlan(plan: Plan, executor: Executor): Promise<Outcome> {
  const run = new Run(executor);
  const leases = plan.leases.map((lease) => new LeaseRun(lease));
  await run.steps(plan.addAddresses);
  await run.leases(leases, "neighbour");
  await run.leases(leases, "fdb");
  await run.leases(leases, "route");
  const removals = run.withoutNeeded(plan.removals);
  await run.steps(removals.filter((step) => step.table === "neighbour"));
  await run.steps(removals.filter((step) => step.table === "fdb"));
  await run.steps([...removals.filter((step) => step.table === "route"), ...plan.removeAddresses]);
  return { done: run.done, failures: run.failures };
}

/** How far one lease has come. */
class LeaseRun {
  readonly lease: Lease;
  readonly changes: readonly Change[];
  readonly applied: Change[] = [];
  failed = false;

  constructor(plan: LeasePlan) {
    this.lease = plan.lease;
    this.changes = plan.changes;
  }
}

class Run {
  done = 0;
  readonly failures: Failure[] = [];
  /** Neighbours that a route leads via, and MACs that a neighbour has, again or still, because a lease failed. */
  readonly #neededNeighbours = new Set<string>();
  readonly #neededMacs = new Set<string>();
  readonly #executor: Executor;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** Steps of no lease. */
  async steps(steps: readonly Step[]): Promise<void> {
    const reasons = await this.#execute(steps);
    reasons.forEach((reason, i) => {
      if (reason === null) this.done++;
      else this.failures.push({ lease: null, step: steps[i]!, reason });
    });
  }

  /** One table's changes of every lease that has not failed yet; then the way back for those that did now. */
  async leases(leases: readonly LeaseRun[], table: Step["table"]): Promise<void> {
    const todo = leases
      .filter((lease) => !lease.failed)
      .flatMap((lease) => lease.changes.map((change) => ({ lease, change })))
      .filter(({ change }) => change.step.table === table);
    const reasons = await this.#execute(todo.map(({ change }) => change.step));
    const failing = new Set<LeaseRun>();
    reasons.forEach((reason, i) => {
      const { lease, change } = todo[i]!;
      if (reason === null) {
        this.done++;
        lease.applied.push(change);
        return;
      }
      lease.failed = true;
      failing.add(lease);
      this.failures.push({ lease: lease.lease, step: change.step, reason });
    });
    for (const lease of failing) this.#remember(lease);
    await this.#undo([...failing]);
  }

  #remember(lease: LeaseRun): void {
    for (const { undo } of lease.changes) {
      if (undo.op !== "replace") continue;
      if (undo.table === "neighbour") this.#neededMacs.add(undo.mac);
      if (undo.table === "route") this.#neededNeighbours.add(undo.via);
    }
  }

  /** @returns those removals that take nothing from a lease that failed */
  withoutNeeded(removals: readonly Step[]): Step[] {
    const macs = new Set(this.#neededMacs);
    const isNeeded = (step: Step): boolean => {
      if (step.table === "neighbour") return this.#neededNeighbours.has(step.address);
      return step.table === "fdb" && macs.has(step.mac);
    };
    for (const step of removals) {
      if (step.table === "neighbour" && isNeeded(step)) macs.add(step.mac);
    }
    return removals.filter((step) => !isNeeded(step));
  }

  async #undo(leases: readonly LeaseRun[]): Promise<void> {
    for (const table of ["route", "fdb", "neighbour"] as const) {
      const todo = leases
        .flatMap((lease) => lease.applied.toReversed().map((change) => ({ lease, step: change.undo })))
        .filter(({ step }) => step.table === table);
      const reasons = await this.#execute(todo.map(({ step }) => step));
      reasons.forEach((reason, i) => {
        if (reason === null) this.done--;
        else this.failures.push({ lease: todo[i]!.lease.lease, step: todo[i]!.step, reason });
      });
    }
  }

  /** Steps of one call: all for the kernel, or all for the dataplane. */
  async #execute(steps: readonly Step[]): Promise<readonly (string | null)[]> {
    if (steps.length === 0) return [];
    return isFdb(steps) ? this.#executor.fdb(steps) : this.#executor.host(steps as readonly HostStep[]);
  }
}

function isFdb(steps: readonly Step[]): steps is readonly FdbStep[] {
  return steps[0]!.table === "fdb";
}
