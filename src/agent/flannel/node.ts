/**
 * A node of a flannel cluster: the agent, with the store for its peers, and what the node's kernel needs beside it.
 *
 *   start    join (`join.ts`) → hear of the others → agent → the host (`host-setup.ts`) → keep the lease, announce
 *   news     leases → peers → the agent compares them with what is there (level-triggered: the last state counts)
 *   reach    where this node is reached in another way than before, it sends from there, and the lease says so
 *   stop     the agent stops. Lease, device, rows, rules and subnet.env stay, as flanneld leaves them
 */
import type { Ours } from "../../control/flannel/peers.ts";
import type { Lease } from "../../control/lease.ts";
import { onLink } from "../../host/reach.ts";
import { readSubnetEnv } from "../../host/subnet-env.ts";
import { Agent, type Loaded } from "../agent.ts";
import type { ClusterStatus, ClusterView, LeaseStatus } from "../api/types.ts";
import { type FamilyNode, flannelConfig, refuseDecided } from "./config.ts";
import { formerOf } from "./former.ts";
import { HostSetup, type HostWish } from "./host-setup.ts";
import { type Joined, type JoinParts, join, publish, reachAgain } from "./join.ts";
import { Interrupted } from "./patience.ts";
import { Roster } from "./roster.ts";

export interface NodeOptions extends Pick<JoinParts, "store" | "reach" | "log" | "signal"> {
  /** The dataplane's settings. @throws ConfigError */
  readonly settings: () => Pick<Loaded, "warnings"> & { readonly config: Loaded["configs"][0] };
  readonly host: HostWish;
}

/**
 * `compare`: what is there, with what the leases ask for. `reach`: how this node is reached. `publish`: that, in its lease.
 */
type Task = "compare" | "reach" | "publish";

/** What is said of one that fails. */
const TROUBLES: Readonly<Record<Task, string>> = {
  compare: "not all peers are in place",
  reach: "how this node is reached is not known",
  publish: "the lease does not say yet how this node is reached now; it is tried again",
};

export class FlannelNode implements ClusterView {
  /** Resolves when the node can go on no longer. */
  readonly failed: Promise<Error>;
  readonly #options: NodeOptions;
  readonly #setup: HostSetup;
  readonly #roster: Roster;
  #joined: Joined;
  #ours: readonly Ours[];
  #agent: Agent | undefined;
  #fail: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Public IPs of the peers that are reached without the overlay. */
  #direct: ReadonlySet<string> = new Set();
  /** Something runs; what is to follow it. */
  #busy = false;
  readonly #due = new Set<Task>();
  /** What went wrong last. */
  readonly #troubles = new Map<Task, string>();

  private constructor(options: NodeOptions, joined: Joined, setup: HostSetup) {
    this.#options = options;
    this.#setup = setup;
    this.#joined = joined;
    this.#roster = new Roster(options.log, () => this.#soon("compare"));
    this.#ours = joined.families.map((node) => oursOf(joined, node));
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /**
   * Joins the network and starts to forward. @returns once subnet.env is written, from which pods are set up
   * @throws ConfigError, StoreError, HostError, Interrupted, and what the agent throws: nothing is left open then
   */
  static async start(options: NodeOptions): Promise<FlannelNode> {
    const { store, log, host } = options;
    refuseDecided(options.settings().config);
    const former = formerOf(await readSubnetEnv(host.subnetFile));
    const joined = await join({ ...options, previous: former.subnets });
    const { key, subnets } = joined.lease;
    log.info(
      `the lease of this node in ${store.name}: ${key} (${texts(subnets.ipv4, subnets.ipv6).join(", ")})`,
    );
    const setup = new HostSetup(
      host,
      joined.families,
      joined.conf.nftables ? "nftables" : "iptables",
      former,
      log,
    );
    const node = new FlannelNode(options, joined, setup);
    try {
      await node.#start();
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  async #start(): Promise<void> {
    const { store, log, signal } = this.#options;
    // The others first, so that the agent's first comparison does not take the rows of those that are there already.
    store.watch(this.#roster);
    await Promise.race([this.#roster.ready, aborted(signal)]);
    if (signal.aborted) throw new Interrupted("told to end");
    await this.#findDirect();
    this.#agent = await Agent.start(() => this.#load(), log, this);
    void this.#agent.failed.then((error) => this.#fail(error));
    await this.#setup.start();
    await this.#setup.writeSubnetFile(await this.#mtu());
    store.keep(
      (error) => this.#fail(error),
      (line) => log.warn(line),
    );
    await store
      .announce()
      .catch((error: Error) => log.error(`the node's condition could not be set: ${error.message}`));
    this.#soon("compare");
    this.#timer = setInterval(() => this.#soon("reach"), REACH_EVERY);
  }

  /** The agent's configurations, one for each family. */
  #load(): Loaded {
    const { config: base, warnings } = this.#options.settings();
    refuseDecided(base);
    const { conf, families } = this.#joined;
    const [first, ...more] = families.map((node, i) =>
      flannelConfig(base, conf.backend, node, this.#peers(this.#ours[i]!)),
    );
    return { configs: [first!, ...more], warnings };
  }

  /** The peers of one family, those that are on the uplink's own link past the overlay where the network says so. */
  #peers(ours: Ours): readonly Lease[] {
    const peers = this.#roster.peers(ours);
    const { device } = this.#joined.reach;
    return peers.map((peer) => (this.#direct.has(peer.publicIp) ? { ...peer, direct: device } : peer));
  }

  /** Asks the kernel which peers are on the uplink's own link. */
  async #findDirect(): Promise<void> {
    const { conf, reach } = this.#joined;
    if (!conf.backend.directRouting) return;
    const addresses = this.#ours.flatMap((ours) => this.#roster.peers(ours).map(({ publicIp }) => publicIp));
    this.#direct = await onLink(addresses, reach.device);
  }

  /** Does one thing after the other; what is asked for twice meanwhile is done once. */
  #soon(task: Task): void {
    this.#due.add(task);
    if (!this.#busy && this.#agent !== undefined) void this.#work(this.#agent);
  }

  async #work(agent: Agent): Promise<void> {
    this.#busy = true;
    for (const task of this.#due) {
      this.#due.delete(task);
      try {
        await this.#do(task, agent);
        this.#troubles.delete(task);
      } catch (error) {
        this.#tell(task, (error as Error).message);
        if (task === "publish") this.#retry = setTimeout(() => this.#soon(task), PUBLISH_AGAIN);
      }
    }
    this.#busy = false;
  }

  /** Once for each reason, however often it is tried. */
  #tell(task: Task, reason: string): void {
    if (this.#troubles.get(task) !== reason) this.#options.log.error(`${TROUBLES[task]}: ${reason}`);
    this.#troubles.set(task, reason);
  }

  async #do(task: Task, agent: Agent): Promise<void> {
    switch (task) {
      case "compare":
        await this.#findDirect();
        return agent.update();
      case "reach":
        return this.#lookHowReached();
      case "publish": {
        const lease = await publish(this.#options.store, this.#joined);
        this.#joined = { ...this.#joined, lease };
      }
    }
  }

  /**
   * Where this node's address has changed it sends from the new one at once, whether the store can be told or not. The
   * subnet stays, and so the pods' addresses.
   */
  async #lookHowReached(): Promise<void> {
    const before = this.#joined;
    const joined = await reachAgain({ ...this.#options, previous: null }, before);
    if (joined === null) return;
    this.#joined = joined;
    this.#ours = joined.families.map((node) => oursOf(joined, node));
    const text = ({ reach }: Joined): string =>
      `${texts(reach.ipv4?.publicIp ?? null, reach.ipv6?.publicIp ?? null).join(" and ")} on ${reach.device}`;
    this.#options.log.warn(`this node is reached in another way: ${text(before)} → ${text(joined)}`);
    this.#due.add("compare").add("publish");
  }

  /** Reads the dataplane's settings again. */
  async reload(): Promise<void> {
    await this.#agent?.reload();
  }

  /** The pods' MTU: that of the narrowest overlay. */
  async #mtu(): Promise<number> {
    const { overlays } = await this.#agent!.status();
    return Math.min(...overlays.map(({ device }) => device.mtu));
  }

  get routesMatter(): boolean {
    return this.#joined.conf.backend.directRouting;
  }

  hostChanged(): void {
    this.#soon("reach");
    if (this.routesMatter) this.#soon("compare");
  }

  status(): ClusterStatus {
    const { store, host } = this.#options;
    const { lease, families } = this.#joined;
    const { publicIp, publicIpv6 } = lease.attributes;
    const all = this.leases();
    return {
      store: store.name,
      trouble: this.#roster.trouble,
      lease: lease.key,
      networks: families.map(({ network }) => network),
      subnets: families.map(({ subnet }) => subnet),
      publicIps: texts(publicIp, publicIpv6),
      subnetFile: host.subnetFile,
      firewall: { kind: this.#setup.kind, trouble: this.#setup.trouble },
      leases: { count: all.length, bad: all.filter(({ problem }) => problem !== null).length },
    };
  }

  leases(): readonly LeaseStatus[] {
    return this.#roster.status(this.#joined.lease.key);
  }

  /** Ends forwarding; what flanneld leaves in place stays. Safe to call twice. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#setup.close();
    await this.#options.store.close();
    await this.#agent?.stop();
  }
}

/** Milliseconds between two looks at our own addresses, for what nobody told us of. */
const REACH_EVERY = 30_000;

/** Milliseconds until a lease that could not be published is published again. */
const PUBLISH_AGAIN = 1000;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function oursOf({ conf, lease, reach }: Joined, { family, subnet, vtepMac }: FamilyNode): Ours {
  const { vni, port } = conf.backend;
  const { publicIp } = (family === 4 ? reach.ipv4 : reach.ipv6)!;
  const own = (family === 4 ? conf.ipv4 : conf.ipv6)!;
  return { family, conf: own, vni, port, key: lease.key, subnet, publicIp, vtepMac };
}

function texts(...all: readonly (string | null)[]): string[] {
  return all.filter((text) => text !== null);
}
