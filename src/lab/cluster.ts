/** Several nodes on one underlay, each knowing all the others. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./errors.ts";
import { KernelNode } from "./kernel-node.ts";
import { Lab } from "./lab.ts";
import { type Network, routerNetwork, switchNetwork } from "./network.ts";
import { type LabNode, overhead } from "./node.ts";
import { IPV6, type NodePlan, type PlanOptions, planNode } from "./plan.ts";
import { PoplinNode, type PoplinNodeOptions } from "./poplin-node.ts";
import { folderOf } from "./registry.ts";

export interface NodeSpec extends PlanOptions {
  readonly name: string;
  readonly kind: "poplin" | "kernel";
  /** poplin: which underlay; `batch` when left out. */
  readonly underlay?: NonNullable<PoplinNodeOptions["underlay"]>;
  /** poplin: more of its configuration file. */
  readonly config?: NonNullable<PoplinNodeOptions["config"]>;
  /** poplin: more arguments for `poplin agent`. */
  readonly args?: readonly string[];
  /** kernel: more options of `ip link add type vxlan`. */
  readonly vxlan?: string;
}

export interface ClusterOptions {
  /** As `poplin lab shell --name` calls it; left out: it has an id only. */
  readonly name?: string;
  readonly nodes: readonly NodeSpec[];
  /** A router between the nodes instead of a switch (`network.ts`). */
  readonly router?: boolean;
  /** The underlay's MTU; 1500 when left out. */
  readonly mtu?: number;
  /** Address family of the outer header; 4 when left out. */
  readonly family?: 4 | 6;
  /** Whether the overlay carries IPv6 beside IPv4; not when left out. */
  readonly ipv6?: boolean;
}

/** A node as it is written down, for whoever finds the lab left up. */
export interface WrittenNode {
  readonly kind: "poplin" | "kernel";
  readonly plan: NodePlan;
  /** Of its tunnel endpoint. */
  readonly address: string;
  /** The overlay's MTU. */
  readonly mtu: number;
  /** Of the agent; "" where the kernel's VXLAN is. */
  readonly socket: string;
}

/** Where a cluster's nodes are written down: a JSON array of `WrittenNode`. @param id of the lab */
export function clusterFileOf(id: string): string {
  return join(folderOf(id), "cluster.json");
}

export class Cluster {
  readonly lab: Lab;
  readonly network: Network;
  readonly nodes: readonly LabNode[];

  /** Builds everything and starts nothing. Removes what it has built when it fails. */
  static build(options: ClusterOptions): Cluster {
    const lab = Lab.create(options.name);
    try {
      return new Cluster(lab, options);
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  /** Builds, and starts every node. Removes everything when one does not start. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = Cluster.build(options);
    try {
      await cluster.startAll();
      return cluster;
    } catch (error) {
      cluster.destroy();
      throw error;
    }
  }

  private constructor(lab: Lab, { nodes, router, mtu = 1500, family = 4, ipv6 = false }: ClusterOptions) {
    this.lab = lab;
    this.network = router ? routerNetwork(lab, mtu) : switchNetwork(lab, mtu);
    this.nodes = nodes.map((spec, index) => {
      const plan = planNode(spec.name, index, spec);
      const options = { ...spec, family, ipv6: ipv6 && IPV6, mtu: mtu - overhead(family) };
      return spec.kind === "kernel"
        ? new KernelNode(lab, this.network, plan, options)
        : new PoplinNode(lab, this.network, plan, options);
    });
    writeFileSync(clusterFileOf(lab.id), JSON.stringify(this.nodes.map(written)));
  }

  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start(this.peersOf(node))));
  }

  /** Plans of all the other nodes. */
  peersOf(node: LabNode) {
    return this.nodes.filter((other) => other !== node).map((other) => other.plan);
  }

  /** @throws LabError LAB_UNKNOWN */
  node(name: string): LabNode {
    const node = this.nodes.find((one) => one.plan.name === name);
    if (node === undefined) throw new LabError("LAB_UNKNOWN", `there is no node "${name}"`);
    return node;
  }

  /** The same, for a node that runs poplin. @throws LabError LAB_UNKNOWN for another one */
  poplin(name: string): PoplinNode {
    const node = this.node(name);
    if (!(node instanceof PoplinNode)) throw new LabError("LAB_UNKNOWN", `${name} does not run poplin`);
    return node;
  }

  destroy(): void {
    this.lab.destroy();
  }
}

function written(node: LabNode): WrittenNode {
  const { plan, options } = node;
  const socket = node instanceof PoplinNode ? node.socket : "";
  const kind = node instanceof PoplinNode ? "poplin" : "kernel";
  return { kind, plan, address: node.vtepAddress(), mtu: options.mtu, socket };
}
