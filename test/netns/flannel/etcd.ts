/** A cluster whose nodes meet in a real etcd, on a machine of its own in their network: the switch. */
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { UNDERLAY } from "../../../src/lab/plan.ts";
import { lab, type Need, optionalPackage, tool } from "../../helpers/needs.ts";
import { EtcdServer } from "../../stores/etcd/server.ts";
import { allKnown, FlannelLab, NET_CONF } from "./cluster.ts";

const PREFIX = "/coreos.com/network";

export function etcdNeeds(): Need[] {
  return [lab(), tool("ping"), tool("iptables"), tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")];
}

export class EtcdLab extends FlannelLab {
  etcd!: EtcdServer;

  /** @param conf the network's configuration; null: none is written */
  static async make(conf: object | null = NET_CONF): Promise<EtcdLab> {
    const lab = new EtcdLab();
    const { middle } = lab.network;
    middle.ip(`addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`);
    const wrapper = ["ip", "netns", "exec", middle.namespace];
    lab.etcd = await EtcdServer.start({ address: UNDERLAY.gateway, wrapper });
    if (conf !== null) await lab.setConf(conf);
    return lab;
  }

  async setConf(conf: object): Promise<void> {
    await this.etcd.etcdctl("put", `${PREFIX}/config`, JSON.stringify(conf));
  }

  /** @param flags beside those that say where the store is */
  node(name: string, flags: readonly string[] = ["--ip-masq"]): FlannelNode {
    return this.add(name, { flags: ["--etcd-endpoints", this.etcd.url, ...flags] });
  }

  /** Starts nodes of these names at once, and waits until they know each other. */
  async start(...names: string[]): Promise<FlannelNode[]> {
    const nodes = names.map((name) => this.node(name));
    await Promise.all(nodes.map((node) => node.start()));
    await allKnown(nodes);
    return nodes;
  }

  /** The value of a lease. */
  async read(key: string): Promise<string> {
    const text = await this.etcd.etcdctl("get", `${PREFIX}/subnets/${key}`, "--print-value-only");
    return text.trimEnd();
  }

  /** Seconds until the lease of this key ends. */
  async secondsLeft(key: string): Promise<number> {
    const path = `${PREFIX}/subnets/${key}`;
    // The number of a lease is too large for JSON.parse.
    const [, lease] = /"lease":(\d+)/.exec(await this.etcd.etcdctl("get", path, "--write-out=json")) ?? [];
    const id = BigInt(lease ?? 0).toString(16);
    return JSON.parse(await this.etcd.etcdctl("lease", "timetolive", id, "--write-out=json")).ttl;
  }

  async remove(key: string): Promise<void> {
    await this.etcd.etcdctl("del", `${PREFIX}/subnets/${key}`);
  }

  async end(): Promise<void> {
    await this.etcd.close();
    this.destroy();
  }
}
