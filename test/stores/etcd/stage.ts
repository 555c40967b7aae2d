/** etcd for the contract of all stores: each stage has a prefix of its own, and our nodes' way there can be cut. */
import {
  formatAttributes,
  type LeaseAttributes,
  type NodeSubnets,
  subnetKey,
} from "../../../src/control/flannel/node-lease.ts";
import { EtcdStore, type EtcdStoreOptions, type EtcdTimings } from "../../../src/stores/etcd/store.ts";
import type { Stage } from "../../contract/store.contract.ts";
import { Link } from "./link.ts";
import type { EtcdServer } from "./server.ts";

/** Quick where a test waits for it, and patient where a busy machine should not matter. */
export const QUICK: Partial<EtcdTimings> = { look: 300, backoffFirst: 20, backoffMost: 300, renewRetry: 200 };

export const PLAIN: Omit<EtcdStoreOptions, "endpoints"> = {
  prefix: "/coreos.com/network",
  keyFile: "",
  certFile: "",
  caFile: "",
  username: "",
  password: "",
  renewMargin: 60,
  timings: QUICK,
};

let stages = 0;

export class EtcdStage implements Stage {
  readonly #server: EtcdServer;
  readonly #link: Link;
  readonly #prefix = `/stage-${++stages}/network`;
  readonly #stores: EtcdStore[] = [];

  private constructor(server: EtcdServer, link: Link) {
    this.#server = server;
    this.#link = link;
  }

  static async make(server: EtcdServer, conf: string | null): Promise<EtcdStage> {
    const stage = new EtcdStage(server, await Link.to(server.url));
    if (conf !== null) await server.etcdctl("put", `${stage.#prefix}/config`, conf);
    return stage;
  }

  /** @param options others than the usual ones; timings beside the quick ones */
  async open(_node = "node-1", options: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
    const usual = { ...PLAIN, endpoints: this.#link.url, prefix: this.#prefix };
    const store = await EtcdStore.open({
      ...usual,
      ...options,
      timings: { ...QUICK, ...options.timings },
    });
    this.#stores.push(store);
    return store;
  }

  /** The whole key of a lease. */
  path(key: string): string {
    return `${this.#prefix}/subnets/${key}`;
  }

  async put(_stranger: string, subnets: NodeSubnets, attributes: LeaseAttributes): Promise<string> {
    return this.#write(subnets, formatAttributes(attributes));
  }

  async spoil(_stranger: string, subnets: NodeSubnets): Promise<string> {
    return this.#write(subnets, "{ no lease");
  }

  async #write(subnets: NodeSubnets, value: string): Promise<string> {
    const key = subnetKey(subnets);
    await this.#server.etcdctl("put", this.path(key), value);
    return key;
  }

  async remove(key: string): Promise<void> {
    await this.#server.etcdctl("del", this.path(key));
  }

  cut(): Promise<void> {
    return this.#link.cut();
  }

  mend(): Promise<void> {
    return this.#link.mend();
  }

  /** What an address that is gone does to the connections from it. */
  silence(): void {
    this.#link.silence();
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
    await this.#link.cut();
  }
}
