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
import type { ClusterStatus, ClusterView, LeaseStatus } from "../api/cluster-types.ts";
import { Garbage } from "../memory.ts";
import type { StoreMeter } from "../metrics/histogram.ts";
import type { HealthSource } from "../probes/pages.ts";
import { Chores } from "./chores.ts";
import { type FamilyNode, flannelConfig, refuseDecided } from "./config.ts";
import { formerOf } from "./former.ts";
import { HostSetup, type HostWish } from "./host-setup.ts";
import { type Joined, type JoinParts, join, publish, reachAgain } from "./join.ts";
import { Interrupted, patiently, unlessEnded } from "./patience.ts";
import { Roster } from "./roster.ts";

type Settings = Pick<Loaded, "warnings"> & { readonly config: Loaded["configs"][0] };

export interface NodeOptions extends Pick<JoinParts, "store" | "reach" | "log" | "signal"> {
  /** The dataplane's settings. @throws ConfigError */
  readonly settings: () => Settings;
  readonly host: HostWish;
  /** From the process that runs here, where one does. */
  readonly takeOver?: boolean;
  /** Told when there is an agent that can be asked how it is. */
  readonly up: (health: HealthSource) => void;
  /** What the store's operations take. */
  readonly meter: StoreMeter;
}

export class FlannelNode implements ClusterView {
  /** Resolves when the node can go on no longer. */
  readonly failed: Promise<Error>;
  /** Resolves when another process has taken this node over. */
  readonly replaced: Promise<number>;
  readonly #options: NodeOptions;
  readonly #setup: HostSetup;
  readonly #roster: Roster;
  /** As of the last reload. */
  #settings: Settings;
  #joined: Joined;
  #ours: readonly Ours[];
  #agent: Agent | undefined;
  #fail: (error: Error) => void = () => {};
  #isReplaced: (pid: number) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  /** Public IPs of the peers that are reached without the overlay. */
  #direct: ReadonlySet<string> = new Set();
  readonly #garbage = new Garbage();
  readonly #chores: Chores<"compare" | "reach" | "publish">;

  private constructor(options: NodeOptions, settings: Settings, joined: Joined, setup: HostSetup) {
    this.#options = options;
    this.#settings = settings;
    this.#setup = setup;
    this.#joined = joined;
    this.#chores = new Chores(
      {
        compare: {
          work: () => this.#compare(),
          trouble: "not all peers are in place",
          cured: "the peers are in place again",
          gather: GATHER,
        },
        reach: {
          work: () => this.#lookHowReached(),
          trouble: "how this node is reached is not known",
          cured: "how this node is reached is known again",
        },
        publish: {
          work: () => this.#publish(),
          trouble: "the lease does not say yet how this node is reached now, and that is tried again",
          cured: "the lease says how this node is reached now",
          again: PUBLISH_AGAIN,
        },
      },
      options.log,
      (error) => this.#fail(error),
    );
    this.#roster = new Roster(options.log, (changes) => {
      this.#garbage.made(changes);
      this.#chores.soon("compare");
    });
    this.#ours = joined.families.map((node) => oursOf(joined, node));
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.replaced = new Promise((resolve) => {
      this.#isReplaced = resolve;
    });
  }

  /**
   * Joins the network and starts to forward. @returns once subnet.env is written, from which pods are set up
   * @throws ConfigError, StoreError, HostError, Interrupted, and what the agent throws: nothing is left open then
   */
  static async start(options: NodeOptions): Promise<FlannelNode> {
    const { store, log, host } = options;
    const settings = readSettings(options);
    log.setFormat(settings.config.logFormat);
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
    const node = new FlannelNode(options, settings, joined, setup);
    try {
      await node.#start();
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  async #start(): Promise<void> {
    const { store, log, takeOver = false } = this.#options;
    // The others first, so that the agent's first comparison does not take the rows of those that are there already.
    store.watch(this.#roster);
    await this.#hearOthers();
    await this.#findDirect();
    this.#agent = await Agent.start(() => this.#load(), log, this, takeOver);
    void this.#agent.replaced.then((pid) => this.#isReplaced(pid));
    this.#options.up(this.#agent.view);
    void this.#agent.failed.then((error) => this.#fail(error));
    await this.#setup.start();
    await this.#setup.keepSubnetFile(await this.#mtu());
    store.keep(
      (error) => this.#fail(error),
      (line) => log.warn(line),
    );
    void this.#announce();
    this.#chores.start();
    this.#chores.soon("compare");
    this.#timer = setInterval(() => this.#chores.soon("reach"), REACH_EVERY);
  }

  /**
   * Waits for the first list, however long the store takes: an agent that knows of nobody would take away the rows of all.
   * @throws Interrupted
   */
  async #hearOthers(): Promise<void> {
    const { store, log, signal } = this.#options;
    const slow = setTimeout(() => {
      log.warn(`${store.name} has not told of the other nodes' leases yet: forwarding begins when it has`);
    }, HEAR_PATIENCE);
    await unlessEnded(this.#roster.ready, signal).finally(() => clearTimeout(slow));
  }

  /** A scheduler may wait for it: so it is tried until it works, and nothing here waits for it. */
  async #announce(): Promise<void> {
    const { store, log, signal } = this.#options;
    try {
      await patiently(() => store.announce(), log, signal);
    } catch (error) {
      if (error instanceof Interrupted) return;
      log.error(`the node's condition could not be set: ${(error as Error).message}`);
    }
  }

  /** The agent's configurations, one for each family. */
  #load({ config: base, warnings }: Settings = this.#settings): Loaded {
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

  async #compare(): Promise<void> {
    await this.#findDirect();
    await this.#agent?.update();
  }

  /**
   * Where this node's address has changed it sends from the new one at once, whether the store can be told or not. The
   * subnet stays, and so the pods' addresses.
   */
  async #lookHowReached(): Promise<void> {
    const before = this.#joined;
    const joined = await reachAgain(this.#options, before);
    if (joined === null) return;
    this.#joined = joined;
    this.#ours = joined.families.map((node) => oursOf(joined, node));
    const text = ({ reach }: Joined): string =>
      `${texts(reach.ipv4?.publicIp ?? null, reach.ipv6?.publicIp ?? null).join(" and ")} on ${reach.device}`;
    this.#options.log.warn(`this node is reached in another way: ${text(before)} → ${text(joined)}`);
    this.#chores.soon("compare");
    this.#chores.soon("publish");
  }

  async #publish(): Promise<void> {
    const lease = await publish(this.#options.store, this.#joined);
    this.#joined = { ...this.#joined, lease };
  }

  /** Reads the dataplane's settings again. Only then: half of a file that somebody writes would keep peers out. */
  async reload(): Promise<void> {
    let settings = this.#settings;
    const load = (): Loaded => {
      settings = readSettings(this.#options);
      return this.#load(settings);
    };
    await this.#agent?.reload(load, () => {
      this.#settings = settings;
    });
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
    this.#chores.soon("reach");
    if (this.routesMatter) this.#chores.soon("compare");
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

  get meter(): StoreMeter {
    return this.#options.meter;
  }

  notReady(): string[] {
    const { store, host } = this.#options;
    const { key } = this.#joined.lease;
    const file = this.#setup.subnetFileTrouble;
    return [
      ...(file === null ? [] : [`${host.subnetFile} is not written: ${file}`]),
      ...(this.leases().some(({ own }) => own) ? [] : [`the lease ${key} is not in ${store.name}`]),
    ];
  }

  leases(): readonly LeaseStatus[] {
    return this.#roster.status(this.#joined.lease.key);
  }

  /** Ends forwarding; what flanneld leaves in place stays. Safe to call twice. */
  async stop(): Promise<void> {
    this.#chores.stop();
    clearInterval(this.#timer);
    this.#garbage.close();
    this.#setup.close();
    await this.#agent?.stop();
    await this.#options.store.close();
  }
}

/** Milliseconds between a comparison and the next. */
const GATHER = 50;

/** Milliseconds between two looks at our own addresses, for what nobody told us of. */
const REACH_EVERY = 30_000;

/** Milliseconds until a lease that could not be published is published again. */
const PUBLISH_AGAIN = 1000;

/** Milliseconds after which a start says that it waits to hear of the others: rows of an earlier run stay meanwhile. */
const HEAR_PATIENCE = 5000;

/** @throws ConfigError */
function readSettings(options: NodeOptions): Settings {
  const settings = options.settings();
  refuseDecided(settings.config);
  return settings;
}

function oursOf({ conf, lease, reach }: Joined, { family, subnet, local, vtepMac }: FamilyNode): Ours {
  const { vni, port } = conf.backend;
  const { publicIp } = (family === 4 ? reach.ipv4 : reach.ipv6)!;
  const own = (family === 4 ? conf.ipv4 : conf.ipv6)!;
  return { family, conf: own, vni, port, key: lease.key, subnet, publicIp, local, vtepMac };
}

function texts(...all: readonly (string | null)[]): string[] {
  return all.filter((text) => text !== null);
}
