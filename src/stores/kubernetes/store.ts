/**
 * The Kubernetes store: a node is a Node object, its subnets are the object's podCIDRs, and what it publishes stands in
 * the object's annotations. Nodes are given their subnets, so nobody races for one, and a lease ends with its node.
 *
 *   access.ts                  how the API server is reached and convinced: service-account.ts, kubeconfig.ts
 *   client.ts, errors.ts       requests, and what they fail of, in words
 *   annotations.ts             flannel's contract: Node object ⇄ lease
 *   node-watch.ts, leases.ts   list and watch all nodes, over every break; their leases
 *   own-node.ts, keeper.ts     what we write into our own, and that it stays
 */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
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
import type { Access } from "./access.ts";
import { Annotations, hintsOf, type NodeFacts } from "./annotations.ts";
import { ApiClient, PATIENCE } from "./client.ts";
import { Keeper, type KeeperListener, type Kept } from "./keeper.ts";
import { ClusterLeases } from "./leases.ts";
import { NodeWatch, WATCH_TIMES, type WatchTimes } from "./node-watch.ts";
import { nodeName, OwnNode, RETRY_TIMES, type RetryTimes } from "./own-node.ts";
import { ServiceAccount } from "./service-account.ts";

/** Where the kubelet puts a pod's token and CA. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Milliseconds that the end of the store waits for what is under way. */
const LAST_PATIENCE = 2000;

/** flanneld's words for them are in brackets. */
export interface KubernetesStoreOptions {
  /** Path of a kubeconfig [kubeconfig-file]; "": the pod's service account. */
  readonly kubeconfig: string;
  /** URL of the API server instead of the one that those say [kube-api-url]; "": theirs. */
  readonly apiUrl: string;
  /** [kube-annotation-prefix] */
  readonly annotationPrefix: string;
  /** Path of net-conf.json, as a ConfigMap is mounted [net-config-path]. */
  readonly netConfigPath: string;
  /** Whether `announce` sets the node's condition [set-node-network-unavailable]. */
  readonly setNetworkUnavailable: boolean;
  /** Says who we are (NODE_NAME, POD_NAME, POD_NAMESPACE) and where the API server is (KUBERNETES_SERVICE_HOST, _PORT). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A directory; left out: the kubelet's. */
  readonly serviceAccount?: string;
  /** For tests. */
  readonly times?: Partial<Times>;
}

/** Milliseconds. */
interface Times extends WatchTimes, RetryTimes {
  /** Between two times that we put our annotations back. */
  readonly putBackEvery: number;
  /** Within which an answer begins, and goes on. */
  readonly patience: number;
}

const TIMES: Times = { ...WATCH_TIMES, ...RETRY_TIMES, putBackEvery: 5000, patience: PATIENCE };

/** What is made once the API server's URL and credentials, or our own name, are asked for. */
interface Opened {
  readonly client: ApiClient;
  readonly node: OwnNode;
}

export class KubernetesStore implements Store {
  readonly name: string;
  readonly subnets = "assigned";
  readonly #options: KubernetesStoreOptions;
  readonly #annotations: Annotations;
  readonly #times: Times;
  readonly #leases = new ClusterLeases();
  readonly #whereabouts = new Whereabouts();
  readonly #ending = new AbortController();
  #client: Promise<ApiClient> | null = null;
  #node: Promise<OwnNode> | null = null;
  #watch: NodeWatch | null = null;
  #watching: Promise<void> = Promise.resolve();
  #watcher: Watcher | null = null;
  #keepListener: KeeperListener | null = null;
  #keeper: Keeper | null = null;
  #own: Kept | null = null;
  /** What is known of our node: null where it is none, undefined before the first list. */
  #ownFacts: NodeFacts | null | undefined;
  #ownName = "";
  readonly #meter: Meter;
  #trouble: string | null = null;

  /** Asks nobody anything yet. @throws StoreError where an option makes no sense */
  constructor(options: KubernetesStoreOptions, meter: Meter = NO_METER) {
    this.#options = options;
    this.#meter = meter;
    const { kubeconfig, apiUrl, env } = options;
    const { KUBERNETES_SERVICE_HOST: host = "?" } = env;
    this.name = `Kubernetes (${apiUrl || (kubeconfig !== "" ? kubeconfig : host)})`;
    this.#times = { ...TIMES, ...options.times };
    try {
      this.#annotations = new Annotations(options.annotationPrefix);
    } catch (error) {
      const remedy = "write a domain, as flannel.alpha.coreos.com, or one with a slash and a name behind it";
      throw new StoreError("STORE_BAD_OPTION", (error as Error).message, remedy);
    }
  }

  async readNetConf(): Promise<string> {
    const { netConfigPath } = this.#options;
    try {
      return await readFile(netConfigPath, "utf8");
    } catch (error) {
      const message = `the network's configuration cannot be read: ${(error as Error).message}`;
      const remedy =
        "mount the ConfigMap that has net-conf.json there, or say where it is: --net-config-path";
      throw new StoreError("STORE_NO_CONFIG", message, remedy, true, error);
    }
  }

  async readHints(): Promise<NodeHints> {
    const { node } = await this.#open();
    const facts = await node.find();
    return facts === null ? NO_HINTS : hintsOf(facts);
  }

  async acquire({ conf, attributes }: LeaseRequest): Promise<NodeLease> {
    const { client, node } = await this.#open();
    if (this.#whereabouts.haveChanged(attributes)) client.reconnect();
    const before = this.#own;
    // What we change ourselves is not to be put back.
    this.#own = null;
    try {
      const lease = await node.publish(conf, attributes);
      this.#own = { lease, attributes };
      return lease;
    } finally {
      this.#own ??= before;
      if (this.#ownFacts !== undefined) this.#keeper?.look(this.#ownFacts);
    }
  }

  keep(lost: (error: LeaseLost) => void, say: (line: string) => void): void {
    this.#keepListener = { lost, say };
    this.#startWatching();
    // Where the API server cannot be reached, the watch comes back to it.
    void this.#open().then(
      ({ node }) => this.#startKeeping(node),
      () => {},
    );
  }

  #startKeeping(node: OwnNode): void {
    if (this.#keeper !== null || this.#keepListener === null || this.#ending.signal.aborted) return;
    this.#keeper = new Keeper(node, () => this.#own, this.#keepListener, this.#times.putBackEvery);
    if (this.#ownFacts !== undefined) this.#keeper.look(this.#ownFacts);
  }

  watch(watcher: Watcher): void {
    const told = sheltered(watcher);
    this.#watcher = told;
    this.#startWatching();
    if (this.#trouble !== null) told.heard(this.#trouble);
    this.#leases.tell(told);
  }

  async announce(): Promise<void> {
    if (!this.#options.setNetworkUnavailable) return;
    const { node } = await this.#open();
    await node.announce();
  }

  async release(): Promise<void> {
    this.#own = null;
    this.#keeper?.close();
    const { node } = await this.#open();
    await node.clear();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#watch?.close();
    this.#keeper?.close();
    // Credentials may come from a program that never ends: nobody waits for that.
    void this.#client?.then(
      (client) => client.close(),
      () => {},
    );
    const ended = new AbortController();
    const late = sleep(LAST_PATIENCE, undefined, { signal: ended.signal }).catch(() => {});
    await Promise.race([this.#watching, late]);
    ended.abort();
  }

  /** Opens what is not open yet; what failed is tried again by the next who asks. @throws StoreError */
  async #open(): Promise<Opened> {
    const client = await this.#connect();
    this.#node ??= this.#findName(client).catch((error: unknown) => {
      this.#node = null;
      throw error;
    });
    return { client, node: await this.#node };
  }

  async #findName(client: ApiClient): Promise<OwnNode> {
    const name = await nodeName(this.#options.env, client);
    this.#ownName = name;
    return new OwnNode(name, client, this.#annotations, this.#times, this.#ending.signal);
  }

  #connect(): Promise<ApiClient> {
    this.#client ??= this.#access().then(
      (access) => new ApiClient(access, this.#times.patience, this.#meter),
      (error: unknown) => {
        this.#client = null;
        throw error;
      },
    );
    return this.#client;
  }

  async #access(): Promise<Access> {
    const { kubeconfig, apiUrl, env, serviceAccount = SERVICE_ACCOUNT } = this.#options;
    if (kubeconfig === "") return new ServiceAccount(serviceAccount, apiUrl, env);
    // Only here: who runs in a pod never loads a line of the package behind it.
    const { openKubeconfig } = await import("./kubeconfig.ts");
    return openKubeconfig(kubeconfig, apiUrl);
  }

  #startWatching(): void {
    if (this.#watch !== null) return;
    const listener = {
      all: (nodes: readonly NodeFacts[]) => {
        this.#leases.all(nodes);
        this.#lookAtOwn(nodes.find(({ name }) => name === this.#ownName) ?? null);
      },
      node: (node: NodeFacts) => {
        this.#leases.node(node);
        if (node.name === this.#ownName) this.#lookAtOwn(node);
      },
      gone: (name: string) => {
        this.#leases.gone(name);
        if (name === this.#ownName) this.#lookAtOwn(null);
      },
      trouble: (reason: string | null) => {
        this.#trouble = reason;
        this.#watcher?.heard(reason);
      },
    };
    const open = async (): Promise<ApiClient> => {
      const { client, node } = await this.#open();
      this.#startKeeping(node);
      return client;
    };
    this.#watch = new NodeWatch(open, this.#annotations, listener, this.#times);
    this.#watching = this.#watch.run();
  }

  #lookAtOwn(facts: NodeFacts | null): void {
    this.#ownFacts = facts;
    this.#keeper?.look(facts);
  }
}
