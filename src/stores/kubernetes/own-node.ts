/**
 * This node's object: who we are, what it says of us, and what we write into it. Annotations go through the object's
 * status, as flannel's do: a service account needs the right to patch `nodes/status` and no more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { inNetwork, type NetConf } from "../../control/flannel/net-conf.ts";
import type { LeaseAttributes, NodeLease, NodeSubnets } from "../../control/flannel/node-lease.ts";
import { StoreError } from "../store.ts";
import {
  type AnnotationPatch,
  type Annotations,
  type Difference,
  differenceOf,
  fieldsOf,
  leaseOf,
  type NodeFacts,
  patched,
  subnetsOf,
} from "./annotations.ts";
import type { ApiClient } from "./client.ts";
import { ApiError, failure } from "./errors.ts";

/** Milliseconds. */
export interface RetryTimes {
  /** How long the same is tried, where the server is in trouble. flannel's 30 s. */
  readonly retryFor: number;
  /** Between two tries. */
  readonly retryEvery: number;
}

export const RETRY_TIMES: RetryTimes = { retryFor: 30_000, retryEvery: 1000 };

/** What flannel tells of itself (kube.go, setNodeNetworkUnavailableFalse): schedulers wait for it on some clouds. */
const CONDITION = {
  type: "NetworkUnavailable",
  status: "False",
  reason: "FlannelIsUp",
  message: "Flannel is running on this node",
} as const;

export class OwnNode {
  readonly name: string;
  readonly #client: ApiClient;
  readonly #annotations: Annotations;
  readonly #times: RetryTimes;
  readonly #ending: AbortSignal;

  constructor(
    name: string,
    client: ApiClient,
    annotations: Annotations,
    times: RetryTimes,
    ending: AbortSignal,
  ) {
    this.name = name;
    this.#client = client;
    this.#annotations = annotations;
    this.#times = times;
    this.#ending = ending;
  }

  /** @returns the node; null where there is none. @throws StoreError */
  async find(): Promise<NodeFacts | null> {
    return this.#get().catch((error: unknown) => {
      if ((error as ApiError).status === 404) return null;
      throw error;
    });
  }

  /**
   * Waits for the node, checks that it has subnets of the network, and publishes the attributes.
   * @returns the lease as the others read it
   * @throws StoreError
   */
  async publish(conf: NetConf, attributes: LeaseAttributes): Promise<NodeLease> {
    const node = await this.#retry(() => this.#get(), true);
    const subnets = this.#assigned(node, conf);
    const after = await this.set(node, attributes);
    const lease = leaseOf(after);
    if (typeof lease === "string") throw this.#bad(lease);
    return { ...lease, subnets };
  }

  /**
   * Makes the annotations say these attributes, if they do not yet.
   * @returns the node as it is then
   * @throws StoreError
   */
  async set(node: NodeFacts, attributes: LeaseAttributes): Promise<NodeFacts> {
    const difference = this.difference(node, attributes);
    if (difference.size === 0) return node;
    await this.#patchAnnotations(this.#annotations.patch(difference));
    return patched(node, difference);
  }

  /** @throws StoreError where what people wrote makes no sense */
  difference(node: NodeFacts, attributes: LeaseAttributes): Difference {
    try {
      return differenceOf(node, attributes);
    } catch (error) {
      throw this.#bad((error as Error).message);
    }
  }

  /** Takes our annotations away; fine where they, or the node, are gone. @throws StoreError */
  async clear(): Promise<void> {
    await this.#patchAnnotations(this.#annotations.removal()).catch((error: unknown) => {
      if ((error as ApiError).status !== 404) throw error;
    });
  }

  /** Tells Kubernetes that pods have a network on this node. @throws StoreError */
  async announce(): Promise<void> {
    // To the second, as Kubernetes writes times.
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const condition = { ...CONDITION, lastTransitionTime: now, lastHeartbeatTime: now };
    await this.#patch({ status: { conditions: [condition] } });
  }

  #patchAnnotations(annotations: AnnotationPatch): Promise<void> {
    return this.#patch({ metadata: { annotations } });
  }

  async #patch(patch: unknown): Promise<void> {
    const asked = { verb: "patch", resource: "nodes/status", name: this.name } as const;
    const path = `${this.#path}/status`;
    await this.#retry(() => this.#client.json({ asked, path, patch }), false);
  }

  async #get(): Promise<NodeFacts> {
    const asked = { verb: "get", resource: "nodes", name: this.name } as const;
    const node = this.#annotations.facts(await this.#client.json({ asked, path: this.#path }));
    if (node !== null) return node;
    throw failure(this.#client.server, new Error("what it calls a node is none"));
  }

  get #path(): string {
    return `/api/v1/nodes/${encodeURIComponent(this.name)}`;
  }

  /** @param alsoMissing whether to wait for a node that is not there yet */
  async #retry<T>(work: () => Promise<T>, alsoMissing: boolean): Promise<T> {
    const { retryFor, retryEvery } = this.#times;
    const until = performance.now() + retryFor;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const pause = Math.max(retryEvery, error.retryAfter);
        const isWorth = error.transient || (alsoMissing && error.status === 404);
        if (!isWorth || performance.now() + pause > until || this.#ending.aborted) throw error;
        await sleep(pause, undefined, { signal: this.#ending }).catch(() => {});
      }
    }
  }

  /** @returns the node's subnets in the families that are on. @throws StoreError */
  #assigned(node: NodeFacts, conf: NetConf): NodeSubnets {
    let subnets: NodeSubnets;
    try {
      subnets = subnetsOf(node);
    } catch (error) {
      throw this.#bad((error as Error).message);
    }
    for (const [family, network, subnet] of [
      ["4", conf.ipv4, subnets.ipv4],
      ["6", conf.ipv6, subnets.ipv6],
    ] as const) {
      if (network === null) continue;
      if (subnet === null) throw noPodCidr(this.name, family);
      if (inNetwork(network, subnet)) continue;
      const message = `the podCIDR ${subnet} of node ${this.name} is not in the network ${network.network.text}`;
      const remedy =
        "Network in net-conf.json and the controller-manager's --cluster-cidr have to be the same";
      throw new StoreError("STORE_BAD_CONFIG", message, remedy);
    }
    return {
      ipv4: conf.ipv4 === null ? null : subnets.ipv4,
      ipv6: conf.ipv6 === null ? null : subnets.ipv6,
    };
  }

  #bad(reason: string): StoreError {
    const remedy = `see \`kubectl describe node ${this.name}\``;
    return new StoreError("STORE_BAD_CONFIG", `the node ${this.name} cannot have a lease: ${reason}`, remedy);
  }
}

function noPodCidr(name: string, family: string): StoreError {
  const message = `the node ${name} has no podCIDR of IPv${family}: nobody has assigned one yet`;
  const remedy =
    "run the controller-manager with --allocate-node-cidrs and --cluster-cidr, or kubeadm init with --pod-network-cidr=10.244.0.0/16";
  return new StoreError("STORE_NO_SUBNET", message, remedy, true);
}

/**
 * The name of this node, as flannel finds it: NODE_NAME; else by our pod, POD_NAME in POD_NAMESPACE.
 * @throws StoreError
 */
export async function nodeName(
  env: Readonly<Record<string, string | undefined>>,
  client: ApiClient,
): Promise<string> {
  const { NODE_NAME: node = "", POD_NAME: pod = "", POD_NAMESPACE: namespace = "" } = env;
  if (node !== "") return node;
  const remedy =
    "set NODE_NAME; in a manifest: name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}";
  if (pod === "" || namespace === "") {
    const message = "which node is this? Neither NODE_NAME nor POD_NAME with POD_NAMESPACE is set";
    throw new StoreError("STORE_BAD_OPTION", message, remedy);
  }
  const asked = { verb: "get", resource: "pods", name: `${namespace}/${pod}` } as const;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`;
  const { nodeName } = fieldsOf(fieldsOf(await client.json({ asked, path })).spec);
  if (typeof nodeName === "string" && nodeName !== "") return nodeName;
  throw new StoreError("STORE_NO_NODE", `the pod ${namespace}/${pod} is on no node yet`, remedy, true);
}
