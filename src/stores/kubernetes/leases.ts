/** The leases of a cluster's nodes, and the nodes that have a bad one, told to a watcher as they change. */
import { LeaseMirror } from "../../control/flannel/mirror.ts";
import type { NodeLease } from "../../control/flannel/node-lease.ts";
import type { Watcher } from "../store.ts";
import { isManaged, leaseOf, type NodeFacts } from "./annotations.ts";

export class ClusterLeases {
  readonly #mirror = new LeaseMirror();
  readonly #bad = new Map<string, string>();
  #isListed = false;
  #watcher: Watcher | null = null;

  /** Tells this watcher from now on; at once all there is, if that is known. */
  tell(watcher: Watcher): void {
    this.#watcher = watcher;
    if (!this.#isListed) return;
    for (const [key, reason] of this.#bad) watcher.bad(key, reason);
    watcher.changed([...this.#mirror.leases.values()].map((lease) => ({ kind: "added", lease })));
  }

  /** These are all the nodes that there are. */
  all(nodes: readonly NodeFacts[]): void {
    const names = new Set(nodes.map(({ name }) => name));
    for (const key of [...this.#bad.keys()]) if (!names.has(key)) this.#setBad(key, null);
    const leases = nodes.map((node) => this.#leaseOf(node)).filter((lease) => lease !== null);
    const changes = this.#mirror.replaceAll(leases);
    const isFirst = !this.#isListed;
    this.#isListed = true;
    if (isFirst || changes.length > 0) this.#watcher?.changed(changes);
  }

  /** A node is new, or another than it was. */
  node(node: NodeFacts): void {
    const lease = this.#leaseOf(node);
    const change = lease === null ? this.#mirror.delete(node.name) : this.#mirror.set(lease);
    if (change !== null) this.#watcher?.changed([change]);
  }

  gone(name: string): void {
    this.#setBad(name, null);
    const change = this.#mirror.delete(name);
    if (change !== null) this.#watcher?.changed([change]);
  }

  /** @returns null where the node has none, or a bad one */
  #leaseOf(node: NodeFacts): NodeLease | null {
    const lease = isManaged(node) ? leaseOf(node) : null;
    this.#setBad(node.name, typeof lease === "string" ? lease : null);
    return typeof lease === "string" ? null : lease;
  }

  #setBad(key: string, reason: string | null): void {
    if ((this.#bad.get(key) ?? null) === reason) return;
    if (reason === null) this.#bad.delete(key);
    else this.#bad.set(key, reason);
    this.#watcher?.bad(key, reason);
  }
}
