/**
 * The etcd store: flannel's keys in etcd's v3 API, read and written as flanneld does (`pkg/subnet/etcd/`), so that nodes
 * of both kinds can share a network.
 *
 *   PREFIX/config                     net-conf.json
 *   PREFIX/subnets/10.244.1.0-24      a lease; etcd ends it a day after its last renewal
 *
 *   `registry.ts` keys ⇄ leases · `own-lease.ts` ours · `feed.ts` everybody's · `client.ts` calls · `errors.ts` words
 */
import type { NodeLease } from "../../control/flannel/node-lease.ts";
import { type Meter, NO_METER } from "../meter.ts";
import { sheltered } from "../sheltered.ts";
import {
  type LeaseLost,
  type LeaseRequest,
  NO_HINTS,
  type NodeHints,
  type Store,
  StoreError,
  type Watcher,
} from "../store.ts";
import { Whereabouts } from "../whereabouts.ts";
import { EtcdClient } from "./client.ts";
import { Feed } from "./feed.ts";
import { type EtcdSettings, type EtcdStoreOptions, readEtcdOptions } from "./options.ts";
import { OwnLease } from "./own-lease.ts";
import { Registry } from "./registry.ts";

export type { EtcdStoreOptions, EtcdTimings } from "./options.ts";

const EXAMPLE = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';

/** A flannel network in etcd, as one node sees it. */
export class EtcdStore implements Store {
  readonly name: string;
  readonly subnets = "picked";
  /** What the options ask for and do not get, or not as from flannel: a line each. */
  readonly warnings: readonly string[];
  readonly #client: EtcdClient;
  readonly #registry: Registry;
  readonly #own: OwnLease;
  readonly #feed: Feed;
  readonly #tlsFlags: string;
  readonly #whereabouts = new Whereabouts();
  /** Whether our own lease is looked after where something happens to it. */
  #keeps = false;

  private constructor(client: EtcdClient, settings: EtcdSettings, tlsFlags: string) {
    const { endpoints, prefix, timings, warnings } = settings;
    this.name = `etcd at ${endpoints.map(({ url }) => url).join(", ")}`;
    this.warnings = warnings;
    this.#client = client;
    this.#registry = new Registry(client, prefix, timings.page);
    this.#own = new OwnLease(this.#registry, timings, this.name);
    this.#feed = new Feed(client, this.#registry, timings);
    this.#tlsFlags = tlsFlags;
  }

  /** Reads the options and loads what speaks to etcd; connects with the first call. @throws StoreError STORE_BAD_OPTION */
  static async open(options: EtcdStoreOptions, meter: Meter = NO_METER): Promise<EtcdStore> {
    const settings = readEtcdOptions(options);
    return new EtcdStore(await EtcdClient.open(settings, meter), settings, etcdctlFlags(options));
  }

  async readNetConf(): Promise<string> {
    const text = await this.#registry.readConfig();
    if (text !== null) return text;
    const { configKey } = this.#registry;
    const command = `etcdctl --endpoints ${this.#client.endpoint}${this.#tlsFlags} put ${configKey} '${EXAMPLE}'`;
    const message = `there is no network configuration in ${this.name}: no key ${configKey}`;
    throw new StoreError("STORE_NO_CONFIG", message, `write it: ${command}`, true);
  }

  async readHints(): Promise<NodeHints> {
    return NO_HINTS;
  }

  async acquire(request: LeaseRequest): Promise<NodeLease> {
    if (this.#whereabouts.haveChanged(request.attributes)) this.#client.reconnect();
    return (await this.#own.acquire(request)).lease;
  }

  keep(lost: (error: LeaseLost) => void, say: (line: string) => void): void {
    this.#own.keep(lost, say);
    if (this.#keeps) return;
    this.#keeps = true;
    this.#feed.add({
      changed: (changes) => {
        if (changes.some(({ lease }) => lease.key === this.#own.key)) this.#own.verify();
      },
      bad: (key, reason) => {
        if (reason !== null && key === this.#own.key) this.#own.verify();
      },
      heard: () => {},
    });
    // Of what has happened to it since we got it nobody tells us.
    this.#own.verify();
  }

  watch(watcher: Watcher): void {
    this.#feed.add(sheltered(watcher));
  }

  async announce(): Promise<void> {}

  release(): Promise<void> {
    return this.#own.release();
  }

  async close(): Promise<void> {
    this.#feed.close();
    this.#own.stop();
    this.#client.close();
  }
}

/** How etcdctl is told what we were told. The password is nothing to print. */
function etcdctlFlags({ caFile, certFile, keyFile, username }: EtcdStoreOptions): string {
  return [
    ["--cacert", caFile],
    ["--cert", certFile],
    ["--key", keyFile],
    ["--user", username],
  ]
    .filter(([, value]) => value !== "")
    .map(([flag, value]) => ` ${flag} ${value}`)
    .join("");
}
