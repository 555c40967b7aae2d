/**
 * The study's cluster, made real: a kind cluster of three nodes with flannel, as "The beauty of Flannel CNI" shows it,
 * without Kubernetes. What a kubelet does, the lab does; everything between two pods is what it would be on a node.
 *
 *   pod-1 ────── cni0 ── worker ──────── [ switch      ] ──────── worker2 ── cni0 ────── pod-2, coredns-1, …
 *   10.244.1.2           172.19.0.2      [ 172.19.0.1  ]          172.19.0.3             10.244.2.5
 *                                           │       │
 *                        control-plane ─────┘       └───── world
 *                        172.19.0.4                        8.8.8.8
 */
import type { Host } from "../host.ts";
import { Lab } from "../lab.ts";
import { type Inventory, type PodEntry, writeInventory } from "./inventory.ts";
import { StudyNode } from "./node.ts";
import { studyNetwork } from "./outside.ts";
import { NODES, PODS, type PodPlan, SYSTEM_PODS } from "./plan.ts";
import { makeStore, type StoreKind } from "./store.ts";

export interface StudyOptions {
  /** Where nodes meet: "file" when left out. */
  readonly store?: StoreKind;
  /** As `poplin lab` calls it; null: it is nobody's but the caller's. */
  readonly name?: string | null;
  /** Told of each thing that is about to be done. */
  readonly progress?: (what: string) => void;
}

export class StudyLab {
  readonly lab: Lab;
  readonly store: StoreKind;
  readonly nodes: readonly StudyNode[];
  readonly #pods = new Map<string, Host>();
  readonly #entries: PodEntry[] = [];

  /** Nodes that know each other, and the pods of a cluster that has just been made. Removes everything when it fails. */
  static async start(options: StudyOptions = {}): Promise<StudyLab> {
    const { store: kind = "file", name = null, progress = () => {} } = options;
    const lab = Lab.create(name);
    try {
      progress(`the network, and ${kind === "etcd" ? "etcd" : "a directory"} for the nodes to meet`);
      const network = studyNetwork(lab);
      const store = await makeStore(lab, network, kind);
      progress("three nodes, with `poplin flanneld --ip-masq` on each");
      const nodes = await Promise.all(NODES.map((plan) => StudyNode.make(lab, network, plan, store)));
      await Promise.all(nodes.map((node) => node.start()));
      await Promise.all(nodes.map((node) => node.knows(nodes.length - 1)));
      const study = new StudyLab(lab, kind, nodes);
      progress("the pods that such a cluster has from the start");
      for (const pod of SYSTEM_PODS) await study.addPod(pod);
      return study;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(lab: Lab, store: StoreKind, nodes: readonly StudyNode[]) {
    this.lab = lab;
    this.store = store;
    this.nodes = nodes;
  }

  /** pod-1 and pod-2, as the study makes them. */
  async addStudyPods(): Promise<void> {
    for (const pod of PODS) await this.addPod(pod);
  }

  async addPod(plan: PodPlan): Promise<Host> {
    const { host, address } = await this.node(plan.node).addPod(plan);
    this.#pods.set(plan.name, host);
    this.#entries.push({ ...plan, address });
    return host;
  }

  node(name: string): StudyNode {
    return this.nodes.find(({ plan }) => plan.name === name)!;
  }

  pod(name: string): Host {
    return this.#pods.get(name)!;
  }

  /** From now on it outlives this process, and `poplin lab` finds it. */
  keep(): Inventory {
    const nodes = this.nodes.map(({ plan, machine }) => ({
      ...{ name: plan.name, address: plan.address, subnet: plan.subnet },
      init: machine.init,
    }));
    const inventory = { store: this.store, nodes, pods: this.#entries };
    writeInventory(this.lab, inventory);
    this.lab.keep();
    return inventory;
  }

  destroy(): void {
    this.lab.destroy();
  }
}
