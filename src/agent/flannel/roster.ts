/**
 * The leases of a flannel cluster as this node has heard of them, and what follows from each: a peer, or a reason why it
 * cannot be one. Said in the log as it changes, a line each, and kept for `poplin status` and `poplin lease list`.
 */
import type { Family } from "../../control/address.ts";
import type { LeaseChange } from "../../control/flannel/mirror.ts";
import type { NodeLease } from "../../control/flannel/node-lease.ts";
import { type Ours, type Peers, peersOf } from "../../control/flannel/peers.ts";
import type { Lease } from "../../control/lease.ts";
import type { Watcher } from "../../stores/store.ts";
import type { LeaseStatus } from "../api/cluster-types.ts";
import type { Log } from "../log.ts";

/** More changes at once than these are told as a number: a thousand nodes that start are no news one by one. */
const TOLD_EACH = 20;

export class Roster implements Watcher {
  readonly #log: Log;
  readonly #news: (changes: number) => void;
  readonly #leases = new Map<string, { lease: NodeLease; since: Date }>();
  /** Entries of the store that are no leases. */
  readonly #broken = new Map<string, string>();
  /** What came of the leases at the last look, by family. */
  readonly #before = new Map<Family, Peers>();
  #trouble: string | null = null;
  #heardAll = false;
  /** For whoever waits for the first news. */
  #first: () => void = () => {};
  readonly ready = new Promise<void>((resolve) => {
    this.#first = resolve;
  });

  /** @param news called when other peers may follow from the leases, with the number of those that changed */
  constructor(log: Log, news: (changes: number) => void) {
    this.#log = log;
    this.#news = news;
  }

  changed(changes: readonly LeaseChange[]): void {
    for (const { kind, lease } of changes) {
      if (kind === "removed") this.#leases.delete(lease.key);
      else {
        const since = kind === "added" ? new Date() : (this.#leases.get(lease.key)?.since ?? new Date());
        this.#leases.set(lease.key, { lease, since });
      }
    }
    if (this.#heardAll) this.#tell(changes);
    else this.#log.info(`leases in the store: ${this.#leases.size}`);
    this.#heardAll = true;
    this.#first();
    this.#news(changes.length);
  }

  #tell(changes: readonly LeaseChange[]): void {
    if (changes.length <= TOLD_EACH) {
      for (const change of changes) this.#log.info(describe(change));
      return;
    }
    const count = (kind: LeaseChange["kind"]): number => changes.filter((one) => one.kind === kind).length;
    const [added, changed, removed] = (["added", "changed", "removed"] as const).map(count);
    this.#log.info(`leases: ${added} new, ${changed} changed, ${removed} gone`);
  }

  bad(key: string, reason: string | null): void {
    if (reason === null) {
      this.#broken.delete(key);
      this.#log.info(`${key}: it is a lease now`);
    } else {
      this.#broken.set(key, reason);
      this.#log.warn(`${key} is left out: ${reason}`);
    }
  }

  heard(trouble: string | null): void {
    this.#trouble = trouble;
    if (trouble === null) this.#log.info("the store is heard again");
    else this.#log.warn(`the store is not heard, what is known stays in force: ${trouble}`);
  }

  /** Why the store is not heard; null where it is. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * The peers of this node in one family; what is new about leases that make none is told.
   * @param ours the same object for as long as it says the same
   */
  peers(ours: Ours): Lease[] {
    const before = this.#before.get(ours.family);
    const leases = [...this.#leases.values()].map(({ lease }) => lease);
    const peers = peersOf(leases, ours, before);
    this.#before.set(ours.family, peers);
    this.#tellUnfit(reasonsOf(before), reasonsOf(peers));
    return [...peers.leases.values()];
  }

  #tellUnfit(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): void {
    for (const [key, reason] of now) {
      if (before.get(key) !== reason) this.#log.warn(`${key} is left out: ${reason}`);
    }
    for (const key of before.keys()) {
      if (!now.has(key) && this.#leases.has(key)) this.#log.info(`${key}: it can be followed now`);
    }
  }

  /** Every entry of the store, and what is wrong with it. @param own the key of this node's */
  status(own: string): LeaseStatus[] {
    const unfit = new Map([...this.#before.values()].flatMap((peers) => [...reasonsOf(peers)]));
    const leases = [...this.#leases.values()].map(({ lease, since }): LeaseStatus => {
      const { key, subnets, attributes } = lease;
      const { publicIp, publicIpv6, backendType, backendData, backendV6Data } = attributes;
      return {
        key,
        own: key === own,
        subnets: [subnets.ipv4, subnets.ipv6].filter((cidr) => cidr !== null),
        publicIps: [publicIp, publicIpv6].filter((address) => address !== null),
        backendType,
        vtepMacs: [backendData, backendV6Data].flatMap(macIn),
        since: since.toISOString(),
        problem: unfit.get(key) ?? null,
      };
    });
    const broken = [...this.#broken].map(
      ([key, problem]): LeaseStatus => ({
        ...{
          key,
          own: false,
          subnets: [],
          publicIps: [],
          backendType: "",
          vtepMacs: [],
          since: null,
          problem,
        },
      }),
    );
    return [...leases, ...broken];
  }
}

function reasonsOf(peers: Peers | undefined): ReadonlyMap<string, string> {
  return new Map((peers?.bad ?? []).map(({ key, reason }) => [key, reason]));
}

function macIn(data: unknown): string[] {
  const mac = (data as { VtepMAC?: unknown } | null)?.VtepMAC;
  return typeof mac === "string" ? [mac] : [];
}

function describe({ kind, lease }: LeaseChange): string {
  const { key, subnets, attributes } = lease;
  const cidrs = [subnets.ipv4, subnets.ipv6].filter((cidr) => cidr !== null).join(" and ");
  const where = [attributes.publicIp, attributes.publicIpv6]
    .filter((address) => address !== null)
    .join(" and ");
  if (kind === "removed") return `node ${key} is gone, and with it ${cidrs}`;
  const macs = [attributes.backendData, attributes.backendV6Data].flatMap(macIn).join(" and ");
  return `node ${key} ${kind === "added" ? "joined" : "changed"}: ${cidrs} at ${where}, ${macs || "no VTEP MAC"}`;
}
