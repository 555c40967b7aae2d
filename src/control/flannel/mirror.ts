/**
 * What a store holds, as far as we have heard. A store that watches tells of one change after the other; one that had to
 * look again (a break, a compaction) hands over all there is. Either way a listener hears of each difference once.
 */
import type { NodeLease } from "./node-lease.ts";

export interface LeaseChange {
  readonly kind: "added" | "changed" | "removed";
  /** As it is now; as it was, for one that was removed. */
  readonly lease: NodeLease;
}

export class LeaseMirror {
  readonly #leases = new Map<string, NodeLease>();

  /** In the order in which they came; one that changes keeps its place. */
  get leases(): ReadonlyMap<string, NodeLease> {
    return this.#leases;
  }

  /** @returns the change; null where the lease says what it said before */
  set(lease: NodeLease): LeaseChange | null {
    const before = this.#leases.get(lease.key);
    if (before !== undefined && (before === lease || isSame(before, lease))) return null;
    this.#leases.set(lease.key, lease);
    return { kind: before === undefined ? "added" : "changed", lease };
  }

  delete(key: string): LeaseChange | null {
    const lease = this.#leases.get(key);
    if (lease === undefined) return null;
    this.#leases.delete(key);
    return { kind: "removed", lease };
  }

  /**
   * @param leases all that there are now; of two with one key the last counts
   * @returns what has changed: first what is gone, which makes room; then the others by key, so that all nodes that
   *   hear of them at once have them in the same order
   */
  replaceAll(leases: readonly NodeLease[]): LeaseChange[] {
    const now = new Map(leases.map((lease) => [lease.key, lease]));
    const gone = [...this.#leases.keys()].filter((key) => !now.has(key));
    const there = [...now.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return [...gone.map((key) => this.delete(key)), ...there.map((lease) => this.set(lease))].filter(
      (change) => change !== null,
    );
  }
}

function isSame(a: NodeLease, b: NodeLease): boolean {
  return JSON.stringify([a.subnets, a.attributes]) === JSON.stringify([b.subnets, b.attributes]);
}
