/** A watcher that writes down what a store tells, and checks that it tells each thing once. */
import assert from "node:assert/strict";
import type { LeaseChange } from "../../src/control/flannel/mirror.ts";
import type { NodeLease } from "../../src/control/flannel/node-lease.ts";
import type { Store, Watcher } from "../../src/stores/store.ts";
import { until } from "../helpers/until.ts";

export class Heard implements Watcher {
  /** How often `changed` was called: 0 until the store has told what there is. */
  calls = 0;
  /** All changes in their order. */
  readonly changes: LeaseChange[] = [];
  /** What there is after them. */
  readonly leases = new Map<string, NodeLease>();
  /** What is no lease, and why. */
  readonly badNow = new Map<string, string>();
  /** All that was said of bad entries, and of the store itself. */
  readonly badSaid: [key: string, reason: string | null][] = [];
  readonly troubles: (string | null)[] = [];
  /** What a store must not do: assertions inside of a callback would be lost. */
  readonly faults: string[] = [];

  /** Begins to listen. @returns once all there is has been told */
  static async all(store: Store): Promise<Heard> {
    const heard = new Heard();
    store.watch(heard);
    await until("a watcher hears what there is", () => heard.calls > 0);
    return heard;
  }

  changed(changes: readonly LeaseChange[]): void {
    if (this.calls++ > 0 && changes.length === 0) this.faults.push("told of no changes");
    for (const change of changes) {
      const { kind, lease } = change;
      const before = this.leases.get(lease.key);
      if ((kind === "added") !== (before === undefined)) this.faults.push(`${kind}: ${lease.key}`);
      if (kind === "changed" && isSame(before, lease)) this.faults.push(`unchanged: ${lease.key}`);
      if (kind === "removed" && !isSame(before, lease)) this.faults.push(`removed another: ${lease.key}`);
      if (kind === "removed") this.leases.delete(lease.key);
      else this.leases.set(lease.key, lease);
      this.changes.push(change);
    }
  }

  bad(key: string, reason: string | null): void {
    if ((this.badNow.get(key) ?? null) === reason) this.faults.push(`told twice: ${key} ${reason}`);
    if (reason === null) this.badNow.delete(key);
    else this.badNow.set(key, reason);
    this.badSaid.push([key, reason]);
  }

  heard(trouble: string | null): void {
    const before = this.troubles.at(-1) ?? null;
    if ((before === null) === (trouble === null)) this.faults.push(`heard(${trouble}) after ${before}`);
    this.troubles.push(trouble);
  }

  /** Waits until the leases are exactly these. */
  async has(...leases: readonly NodeLease[]): Promise<void> {
    const wanted = new Map(leases.map((lease) => [lease.key, lease]));
    await until(
      `a watcher knows ${[...wanted.keys()].join(", ") || "no lease"}`,
      () =>
        this.leases.size === wanted.size &&
        [...wanted].every(([key, lease]) => isSame(this.leases.get(key), lease)),
    );
  }

  /** What was told of one lease, in its order. */
  kinds(key: string): string[] {
    return this.changes.filter(({ lease }) => lease.key === key).map(({ kind }) => kind);
  }
}

/** A watcher with a mistake in it. */
export class Clumsy extends Heard {
  override changed(changes: readonly LeaseChange[]): void {
    super.changed(changes);
    throw new Error("clumsy");
  }

  override bad(key: string, reason: string | null): void {
    super.bad(key, reason);
    throw new Error("clumsy");
  }

  override heard(trouble: string | null): void {
    super.heard(trouble);
    throw new Error("clumsy");
  }
}

/** @returns what was thrown meanwhile and would have ended the process */
export async function uncaught(work: () => Promise<void>): Promise<unknown[]> {
  const usual = process.listeners("uncaughtException");
  const errors: unknown[] = [];
  process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => errors.push(error));
  try {
    await work();
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of usual) process.on("uncaughtException", listener);
  }
  return errors;
}

function isSame(a: NodeLease | undefined, b: NodeLease): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
