/**
 * Leases as keys of etcd, flannel's way (`pkg/subnet/etcd/registry.go`): PREFIX/config, and PREFIX/subnets/KEY for each
 * node. A key without an etcd lease is a reservation: it was put there by hand, for good.
 *
 * A key is made, changed and removed by transactions that fail where it is not what we saw: nobody's change is lost.
 */
import type { IKeyValue, IRequestOp } from "etcd3";
import {
  formatAttributes,
  type LeaseAttributes,
  type NodeSubnets,
  subnetKey,
} from "../../control/flannel/node-lease.ts";
import { isNamed } from "../picked.ts";
import { StoreError } from "../store.ts";
import type { EtcdClient } from "./client.ts";
import { type BadEntry, type Entry, NO_LEASE, readEntry } from "./entry.ts";
import { Compacted } from "./errors.ts";

/** How often a list is begun again. */
const MOST_LISTS = 5;

/** All keys of leases at one revision. */
export interface Snapshot {
  readonly entries: readonly Entry[];
  readonly bad: readonly BadEntry[];
  readonly revision: bigint;
  /** Revisions of another cluster have nothing to do with these. */
  readonly cluster: string;
}

/** The keys of one flannel network. All of it throws StoreError where etcd does not do what it is asked. */
export class Registry {
  readonly #client: EtcdClient;
  readonly #page: number;
  readonly configKey: string;
  readonly #subnets: string;

  /** @param page how many keys are read in one call */
  constructor(client: EtcdClient, prefix: string, page: number) {
    this.#client = client;
    this.#page = page;
    this.configKey = `${prefix}/config`;
    this.#subnets = `${prefix}/subnets/`;
  }

  /** All keys of leases, for a range or a watch. */
  get range(): { key: Buffer; range_end: Buffer } {
    return { key: Buffer.from(this.#subnets), range_end: endOfPrefix(this.#subnets) };
  }

  /** @returns net-conf.json; null where there is none */
  async readConfig(): Promise<string | null> {
    const { kvs } = await this.#client.range({ key: Buffer.from(this.configKey) });
    return kvs[0]?.value.toString() ?? null;
  }

  /** Asks for next to nothing: whether etcd answers, who it is, and how far it is. */
  async look(): Promise<{ cluster: string; revision: bigint }> {
    const { header } = await this.#client.range({ key: Buffer.from(this.configKey), count_only: true });
    return { cluster: header.cluster_id, revision: BigInt(header.revision) };
  }

  /** All there is at one revision. @throws StoreError */
  async list(): Promise<Snapshot> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listPages();
      } catch (error) {
        // A compaction between two pages.
        if (!(error instanceof Compacted)) throw error;
        if (attempt === MOST_LISTS) {
          const message = "etcd compacts its history faster than we can read all leases";
          throw new StoreError("STORE_REFUSED", message, "see its --auto-compaction-retention", true, error);
        }
      }
    }
  }

  async #listPages(): Promise<Snapshot> {
    const { key, range_end } = this.range;
    const kvs: IKeyValue[] = [];
    let from = key;
    let revision = "0";
    let cluster = "";
    for (;;) {
      const page = await this.#client.range({ key: from, range_end, limit: this.#page, revision });
      if (revision === "0") revision = page.header.revision;
      cluster = page.header.cluster_id;
      kvs.push(...page.kvs);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
    const read = kvs.map((kv) => this.read(kv));
    return {
      entries: read.filter((one): one is Entry => "lease" in one),
      bad: read.filter((one): one is BadEntry => "reason" in one),
      revision: BigInt(revision),
      cluster,
    };
  }

  /** @returns the name of a lease: what its key has after PREFIX/subnets/ */
  nameOf(key: Buffer): string {
    return key.toString().slice(this.#subnets.length);
  }

  /** Never throws, whatever it holds. */
  read(kv: IKeyValue): Entry | BadEntry {
    return readEntry(this.nameOf(kv.key), kv);
  }

  /** @returns the key as it is now; null where there is none */
  async find(key: string): Promise<Entry | BadEntry | null> {
    const { kvs } = await this.#client.range({ key: this.#keyOf(key) });
    return kvs[0] === undefined ? null : this.read(kvs[0]);
  }

  /**
   * Makes a lease that is not there yet, with an etcd lease of its own.
   *
   * Two nodes may want one subnet by two keys: of two with IPv4 and IPv6 only one half may be the same. So the keys that
   * stand beside the new one are read in the same transaction, and who finds one that overlaps takes its own away again.
   * @param ttl seconds
   * @returns null where somebody was faster
   */
  async create(subnets: NodeSubnets, attributes: LeaseAttributes, ttl: number): Promise<Entry | null> {
    const key = subnetKey(subnets);
    const { ID: etcdLease } = await this.#client.grant(ttl);
    try {
      const at = this.#keyOf(key);
      const { succeeded, responses, header } = await this.#client.txn({
        compare: [{ key: at, target: "Version", result: "Equal", version: 0 }],
        success: [
          { request_put: { key: at, value: textOf(attributes), lease: etcdLease } },
          { request_range: { ...this.range, keys_only: true } },
        ],
        failure: [{ request_range: { key: at } }],
      });
      const seen = responses.at(-1)?.response_range.kvs ?? [];
      const entry = { lease: { key, subnets, attributes }, etcdLease, modRevision: header.revision };
      const names = seen.map((kv) => this.nameOf(kv.key));
      if (succeeded && !isNamed(entry.lease, names)) return entry;
      // Ours, by a first try whose answer was lost.
      const mine = seen[0];
      if (!succeeded && mine?.lease === etcdLease) return { ...entry, modRevision: mine.mod_revision };
    } catch (error) {
      // Nobody waits for it: whoever did not answer just now will hardly do so.
      this.#client.revoke(etcdLease).catch(() => {});
      throw error;
    }
    await this.#client.revoke(etcdLease).catch(() => {});
    return null;
  }

  /**
   * Writes a lease again: with a new etcd lease, as flannel renews it, or without one where it is a reservation.
   * @param ttl seconds
   * @returns null where somebody has changed it since it was read
   */
  async update(
    { lease, etcdLease, modRevision }: Entry,
    attributes: LeaseAttributes,
    ttl: number,
  ): Promise<Entry | null> {
    const next = etcdLease === NO_LEASE ? NO_LEASE : (await this.#client.grant(ttl)).ID;
    const { done, revision, now } = await this.#ifUnchanged(lease.key, modRevision, {
      request_put: { key: this.#keyOf(lease.key), value: textOf(attributes), lease: next },
    });
    // What has our new etcd lease is ours, by a first try whose answer was lost.
    const isOurs = done || (next !== NO_LEASE && now?.lease === next);
    if (isOurs) {
      return { lease: { ...lease, attributes }, etcdLease: next, modRevision: now?.mod_revision ?? revision };
    }
    if (next !== NO_LEASE) await this.#client.revoke(next).catch(() => {});
    return null;
  }

  /** Removes a lease, unless somebody has changed it since it was read. */
  async remove({ lease, modRevision }: Entry): Promise<void> {
    await this.#ifUnchanged(lease.key, modRevision, {
      request_delete_range: { key: this.#keyOf(lease.key) },
    });
  }

  /** @returns whether it was done, and what is there where it was not */
  async #ifUnchanged(
    key: string,
    modRevision: string,
    change: IRequestOp,
  ): Promise<{ done: boolean; revision: string; now: IKeyValue | undefined }> {
    const at = this.#keyOf(key);
    const { succeeded, header, responses } = await this.#client.txn({
      compare: [{ key: at, target: "Mod", result: "Equal", mod_revision: modRevision }],
      success: [change],
      failure: [{ request_range: { key: at } }],
    });
    const now = succeeded ? undefined : responses[0]?.response_range.kvs[0];
    return { done: succeeded, revision: header.revision, now };
  }

  #keyOf(name: string): Buffer {
    return Buffer.from(this.#subnets + name);
  }
}

function textOf(attributes: LeaseAttributes): Buffer {
  return Buffer.from(formatAttributes(attributes));
}

/** The first key behind all that begin with a text that ends in "/". */
function endOfPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}
