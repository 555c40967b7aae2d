/**
 * This node's own lease: got, kept, given back. One thing at a time, each on what etcd says at that moment.
 *
 *   acquire   list → choose (`control/flannel/choose.ts`) → make or write again; ten times where others are faster
 *   renew     an hour before its end, with a new etcd lease, as flannel does it; each minute where that fails
 *   verify    when something happened to the key:
 *               gone (deleted, or ended while etcd was away) → put back, unless another node has the subnet by now
 *               written by somebody else                     → lost: two nodes have one public IP
 *
 * A reservation (a key without an etcd lease, put there by an administrator) has no end, is not renewed and not given
 * back. flannel makes an ordinary lease of it, which ends a day after its node (#1329).
 *
 * Ends are etcd's; here only a monotonic clock says when to renew.
 */
import { chooseSubnets } from "../../control/flannel/choose.ts";
import { formatAttributes, type NodeLease } from "../../control/flannel/node-lease.ts";
import { ATTEMPTS, inTheWay, noneLeft, outrun } from "../picked.ts";
import { LeaseLost, type LeaseRequest } from "../store.ts";
import { type BadEntry, type Entry, NO_LEASE, takenByBad } from "./entry.ts";
import type { EtcdTimings } from "./options.ts";
import type { Registry, Snapshot } from "./registry.ts";

/** The lease that this process holds, if it does. */
export class OwnLease {
  readonly #registry: Registry;
  readonly #timings: EtcdTimings;
  readonly #store: string;
  #held: Entry | null = null;
  /** All values that we have written: one of them may have arrived although nobody told us. */
  readonly #written = new Set<string>();
  /** Everything runs after what was asked for before. */
  #queue: Promise<unknown> = Promise.resolve();
  #renewal: NodeJS.Timeout | undefined;
  #keeping: { lost: (error: LeaseLost) => void; say: (line: string) => void } | null = null;
  #trouble = false;

  /** @param store its name, for messages */
  constructor(registry: Registry, timings: EtcdTimings, store: string) {
    this.#registry = registry;
    this.#timings = timings;
    this.#store = store;
  }

  /** The name of the lease; null without one. */
  get key(): string | null {
    return this.#held?.lease.key ?? null;
  }

  /** @throws StoreError */
  acquire(request: LeaseRequest): Promise<Entry> {
    return this.#next(async () => {
      this.#written.add(formatAttributes(request.attributes));
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const entry = await this.#tryAcquire(request);
        if (entry !== null) return this.#hold(entry);
        await new Promise((resolve) => setTimeout(resolve, 20 * attempt * Math.random()));
      }
      throw outrun(this.#store);
    });
  }

  async #tryAcquire({ conf, attributes, previous }: LeaseRequest): Promise<Entry | null> {
    const snapshot = await this.#registry.list();
    const byKey = new Map(snapshot.entries.map((entry) => [entry.lease.key, entry]));
    const leases = claimsIn(snapshot);
    const held = this.#held?.lease;
    // By the time our lease has ended another node may have its key.
    const there = held === undefined ? undefined : byKey.get(held.key);
    const ownKey = there !== undefined && this.#isOurs(there) ? there.lease.key : null;
    const choice = chooseSubnets(conf, attributes, held?.subnets ?? previous, leases, ownKey);
    for (const { key } of choice.drop) await this.#registry.remove(byKey.get(key)!);
    if (choice.reuse !== null) {
      return this.#registry.update(byKey.get(choice.reuse.key)!, attributes, this.#timings.ttl);
    }
    if (choice.create !== null) return this.#registry.create(choice.create, attributes, this.#timings.ttl);
    throw noneLeft(this.#store, choice.exhausted);
  }

  /** Renews from now on, and looks after the lease when told to. */
  keep(lost: (error: LeaseLost) => void, say: (line: string) => void): void {
    this.#keeping = { lost, say };
    this.#planRenewal(this.#timings.ttl * 1000 - this.#timings.renewBefore);
  }

  /** Something happened to the key: looks what, and puts it right. */
  verify(): void {
    this.#keep(async (held) => {
      const { entry, changed } = await this.#confirm(held);
      if (changed) this.#hold(entry);
      else this.#held = entry;
      return changed;
    });
  }

  #renew(): void {
    this.#keep(async (held) => {
      const { entry, changed } = await this.#confirm(held);
      if (!changed && entry.etcdLease !== NO_LEASE) {
        const next = await this.#registry.update(entry, entry.lease.attributes, this.#timings.ttl);
        // Between our look and our change somebody made one.
        if (next === null) throw new Error("somebody else writes it at the same moment");
        this.#hold(next);
      } else this.#hold(entry);
      return true;
    });
  }

  /**
   * Runs what keeps the lease; tries again later where etcd does not answer.
   * @param work says whether the lease was renewed
   */
  #keep(work: (held: Entry) => Promise<boolean>): void {
    void this.#next(async () => {
      const keeping = this.#keeping;
      if (keeping === null || this.#held === null) return;
      try {
        const renewed = await work(this.#held);
        if (renewed && this.#trouble) keeping.say(`our lease ${this.key} is renewed again`);
        if (renewed) this.#trouble = false;
      } catch (error) {
        if (this.#keeping !== keeping) return;
        if (error instanceof LeaseLost) {
          this.stop();
          this.#held = null;
          // Not in the queue, which would swallow a mistake of theirs.
          queueMicrotask(() => keeping.lost(error));
          return;
        }
        if (!this.#trouble) {
          keeping.say(
            `our lease ${this.key} could not be renewed: ${(error as Error).message}; it is tried again`,
          );
        }
        this.#trouble = true;
        this.#planRenewal(this.#timings.renewRetry);
      }
    });
  }

  /**
   * Makes sure that the key is there and says what it should.
   * @returns the entry as it is, and whether we have just written it
   * @throws LeaseLost, StoreError
   */
  async #confirm(held: Entry): Promise<{ entry: Entry; changed: boolean }> {
    const { key, subnets, attributes } = held.lease;
    const { ttl } = this.#timings;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const now = await this.#registry.find(key);
      let next: Entry | null;
      if (now === null) {
        const other = inTheWay(held.lease, claimsIn(await this.#registry.list()));
        if (other !== null) {
          throw new LeaseLost(
            `our lease ${key} is gone from ${this.#store}, and ${other.key} has its subnet now`,
          );
        }
        next = await this.#registry.create(subnets, attributes, ttl);
        if (next !== null) this.#keeping?.say(`our lease ${key} was gone from ${this.#store}: put back`);
      } else {
        if ("reason" in now || !this.#isOurs(now)) {
          throw new LeaseLost(`our lease ${key} in ${this.#store} ${theirs(now)}`);
        }
        if (formatAttributes(now.lease.attributes) === formatAttributes(attributes)) {
          return { entry: now, changed: false };
        }
        next = await this.#registry.update(now, attributes, ttl);
      }
      if (next !== null) return { entry: next, changed: true };
    }
    throw new Error(`others were faster ${ATTEMPTS} times`);
  }

  /** Removes the lease, unless it is a reservation or somebody else's by now. */
  release(): Promise<void> {
    this.stop();
    return this.#next(async () => {
      const held = this.#held;
      this.#held = null;
      if (held === null) return;
      const now = await this.#registry.find(held.lease.key);
      if (now === null || "reason" in now || now.etcdLease === NO_LEASE) return;
      if (this.#isOurs(now)) await this.#registry.remove(now);
    });
  }

  /** Ends keeping. */
  stop(): void {
    this.#keeping = null;
    clearTimeout(this.#renewal);
  }

  #isOurs({ lease }: Entry): boolean {
    return this.#written.has(formatAttributes(lease.attributes));
  }

  #hold(entry: Entry): Entry {
    this.#held = entry;
    if (this.#keeping !== null) this.#planRenewal(this.#timings.ttl * 1000 - this.#timings.renewBefore);
    return entry;
  }

  /** @param wait milliseconds */
  #planRenewal(wait: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => this.#renew(), Math.max(wait, 0));
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** @returns leases, and as leases of nobody what keeps a subnet without being one */
function claimsIn({ entries, bad }: Snapshot): NodeLease[] {
  return [...entries.map(({ lease }) => lease), ...takenByBad(bad)];
}

/** What somebody else made of our lease. */
function theirs(now: Entry | BadEntry): string {
  if ("reason" in now) return `was overwritten: ${now.reason}`;
  const { publicIp, publicIpv6 } = now.lease.attributes;
  const who = publicIp ?? publicIpv6 ?? "no address";
  return `was written by another node (${who}): does it have the same public IP as this one, or its subnet.env?`;
}
