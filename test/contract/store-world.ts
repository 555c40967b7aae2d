/**
 * What the contract of stores (`store.contract.ts`) happens in. Each store brings a stage: a world of its own for one
 * test, in which nodes open the store, others write to it past us, and the way to it breaks.
 *
 *   our nodes     "node-1", "node-2", …: they open the store. Where the cluster assigns subnets the stage gives node-N
 *                 10.244.N.0/24, and fd00:10:244:N::/64 where the configuration has IPv6
 *   strangers     "stranger-1", …: flannel nodes that the stage writes down; 10.244.(100+N).0/24
 */
import { expect } from "vitest";
import { type NetConf, parseNetConf, type SubnetSource } from "../../src/control/flannel/net-conf.ts";
import {
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
  vxlanData,
} from "../../src/control/flannel/node-lease.ts";
import type { LeaseLost, Store } from "../../src/stores/store.ts";
import { Heard } from "./heard.ts";

/** One store's world, empty but for the configuration. */
export interface Stage {
  /** Opens the store as the process of this node would when it starts; twice for two processes of one node. */
  open(node: string): Promise<Store>;
  /**
   * Makes or replaces the entry of a stranger, whole, as flannel writes it.
   * @returns its key
   */
  put(stranger: string, subnets: NodeSubnets, attributes: LeaseAttributes): Promise<string>;
  /**
   * Makes or replaces the same entry by one that is no lease.
   * @returns its key, the one that `put` returns
   */
  spoil(stranger: string, subnets: NodeSubnets): Promise<string>;
  /** Removes an entry, whoever's, past the stores: a file, an etcd key, a node of Kubernetes. */
  remove(key: string): Promise<void>;
  /** Puts the store out of reach of all that `open` returned. `put`, `spoil` and `remove` still reach it. */
  cut(): Promise<void>;
  /** Undoes `cut`. */
  mend(): Promise<void>;
  /** Closes whatever is open still, and removes all of it; also while the way is cut. */
  close(): Promise<void>;
}

export interface StoreSubject {
  readonly subnets: SubnetSource;
  /** @param conf the text of net-conf.json; null: there is none */
  make(conf: string | null): Promise<Stage>;
}

export const IPV4 = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
export const DUAL =
  '{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48", "Backend": {"Type": "vxlan"}}';

/** What node n publishes. */
export function attributesOf(n: number, dual = false): LeaseAttributes {
  return {
    publicIp: `192.0.2.${n}`,
    publicIpv6: dual ? `2001:db8::${n}` : null,
    backendType: "vxlan",
    backendData: vxlanData(1, `0a:00:00:00:04:${n.toString(16).padStart(2, "0")}`),
    backendV6Data: dual ? vxlanData(1, `0a:00:00:00:06:${n.toString(16).padStart(2, "0")}`) : null,
  };
}

/** The subnet of stranger n. */
export function subnetsOf(n: number): NodeSubnets {
  return { ipv4: `10.244.${100 + n}.0/24`, ipv6: null };
}

export function confOf(text: string, source: SubnetSource): NetConf {
  const { conf, problems } = parseNetConf(text, source);
  if (conf === null) throw new Error(JSON.stringify(problems));
  return conf;
}

/** Puts stranger n, with MAC and address of node `look`. @returns its lease */
export async function putStranger(stage: Stage, n: number, look = n): Promise<NodeLease> {
  const [subnets, attributes] = [subnetsOf(n), attributesOf(look)];
  return { key: await stage.put(`stranger-${n}`, subnets, attributes), subnets, attributes };
}

/** The world of a test: a stage, nodes that want subnets, and those who watch, of whom none may be told anything twice. */
export class World {
  readonly #subject: StoreSubject;
  #stage: Stage | null = null;
  #heards: Heard[] = [];

  constructor(subject: StoreSubject) {
    this.#subject = subject;
  }

  get subnets(): SubnetSource {
    return this.#subject.subnets;
  }

  /** Whether nodes pick their subnets. */
  get picked(): boolean {
    return this.subnets === "picked";
  }

  async begin(conf: string | null = IPV4): Promise<void> {
    this.#stage = await this.#subject.make(conf);
  }

  get stage(): Stage {
    if (this.#stage === null) throw new Error("a test begins its world first");
    return this.#stage;
  }

  async end(): Promise<void> {
    await this.#stage?.close();
    this.#stage = null;
    const heards = this.#heards;
    this.#heards = [];
    expect(heards.flatMap(({ faults }) => faults)).toEqual([]);
  }

  watch(store: Store, heard: Heard = new Heard()): Heard {
    this.#heards.push(heard);
    store.watch(heard);
    return heard;
  }

  /** A watcher who has heard all there is. */
  async listen(store: Store): Promise<Heard> {
    const heard = await Heard.all(store);
    this.#heards.push(heard);
    return heard;
  }

  /** What somebody who looks now sees: the observer has no lease. */
  async observe(node = "node-99"): Promise<Heard> {
    return this.listen(await this.stage.open(node));
  }

  put(n: number, look = n): Promise<NodeLease> {
    return putStranger(this.stage, n, look);
  }

  acquire(
    store: Store,
    n: number,
    { conf = IPV4, previous = null as NodeSubnets | null, attributes = attributesOf(n) } = {},
  ): Promise<NodeLease> {
    return store.acquire({ conf: confOf(conf, this.subnets), attributes, previous });
  }
  /** @returns to which the loss of the lease is added, if it is lost */
  keep(store: Store): readonly LeaseLost[] {
    const lost: LeaseLost[] = [];
    store.keep(
      (error) => lost.push(error),
      () => {},
    );
    return lost;
  }
}
