/**
 * The agent's life, from configuration to forwarding and back.
 *
 *   start   claim the API socket → find the uplink → try the offloads → make or take over the device
 *           → open the underlay → run the dataplane → put the peers' rows in place → running
 *   reload  read the configuration again → refuse it whole if anything needs a restart → apply the difference
 *   keep    every half minute, put right what somebody has changed
 *   stop    close the API → stop the dataplane → close descriptors; the device stays unless it is ephemeral
 *
 * What fails on the way up is undone in reverse order and thrown. What fails for one peer is that peer's state. When
 * the dataplane ends by itself (the device was deleted), `failed` resolves and the process ends: the next start makes
 * everything anew.
 */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { OffloadReport } from "../dataplane/offloads.ts";
import type { FdbChange, FdbReason, FdbRow, NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import { HostError } from "../host/ip.ts";
import { findUplink } from "../host/uplink.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import {
  AgentError,
  type AgentEvent,
  type AgentStatus,
  type AgentView,
  type ReloadStatus,
} from "./api/types.ts";
import { describeDiff, diffConfig } from "./config/diff.ts";
import type { AgentConfig } from "./config/load.ts";
import { formatProblem, type Problem } from "./config/problems.ts";
import { type Device, openDevice } from "./device.ts";
import type { Engine } from "./engine/engine.ts";
import { EventHub } from "./events.ts";
import { explainFailure } from "./failure.ts";
import { checkChange, refused } from "./fdb-change.ts";
import { FloodTargets } from "./flood.ts";
import type { Log } from "./log.ts";
import { Neighbours } from "./neighbours.ts";
import { decideOffloads, inUse, tryHairpin, tryTap, tryUdp } from "./offloads.ts";
import { PathWatch } from "./path-mtu/watch.ts";
import { Peers } from "./peers.ts";
import { headerOptions, policyOf } from "./policy.ts";
import { describeStatus } from "./status.ts";
import { type OpenUnderlay, openUnderlay, unmetSettings } from "./underlay.ts";

/** Milliseconds between two comparisons of the rows there are with the rows there should be. */
const RECONCILE_EVERY = 30_000;

/** Milliseconds between two looks for learned rows that are too old. */
const AGE_EVERY = 1000;

/** Milliseconds for which a status waits for the dataplane: it answers between two batches, in microseconds. */
const ANSWER_TIMEOUT = 2000;

/** What reading the configuration gives: once at start, again for every reload. */
export interface Loaded {
  readonly config: AgentConfig;
  readonly warnings: readonly Problem[];
}

/** Everything that is open while the agent runs. */
interface Running {
  readonly device: Device;
  readonly underlay: OpenUnderlay;
  /** Why each offload is not in use, as of the start; null for one that is. */
  readonly offloads: OffloadReport;
  readonly engine: Engine;
  readonly peers: Peers;
  readonly flood: FloodTargets;
  readonly neighbours: Neighbours;
  readonly events: EventHub;
}

export class Agent implements AgentView {
  /** Resolves when the agent can go on no longer. */
  readonly failed: Promise<Error>;
  readonly #log: Log;
  readonly #load: () => Loaded;
  readonly #startedAt = new Date();
  #config: AgentConfig;
  #loadedAt = new Date();
  #lastReload: ReloadStatus | null = null;
  #api: ApiServer | undefined;
  #running: Running | undefined;
  /** The rows of the first peers are in place, or have failed. */
  #ready = false;
  #deviceGone = false;
  #stopping = false;
  #fail: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #ageing: NodeJS.Timeout | undefined;
  #paths: PathWatch | undefined;
  /** Reloads and changes, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(loaded: Loaded, load: () => Loaded, log: Log) {
    this.#config = loaded.config;
    this.#load = load;
    this.#log = log;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /**
   * Starts the agent. @returns once packets flow
   * @throws ConfigError, SocketError, SystemCallError, HostError: nothing is left open then
   */
  static async start(load: () => Loaded, log: Log): Promise<Agent> {
    const loaded = load();
    log.setLevel(loaded.config.logLevel);
    for (const warning of loaded.warnings) log.warn(formatProblem(warning));
    const agent = new Agent(loaded, load, log);
    try {
      await agent.#start();
    } catch (error) {
      await agent.stop();
      throw error;
    }
    return agent;
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const onError = (error: unknown): void => this.#log.error(`API: ${String(error)}`);
    this.#api = await startApiServer({ path: config.socket, view: this, onError });
    // First, as its device goes in the background while others work.
    const tried = tryTap(config);
    const uplink = await findUplink({
      local: config.local,
      device: config.dev,
      towards: config.peers[0]?.publicIp ?? config.remote[0] ?? config.group,
      family: config.family,
    });
    const { address } = uplink;
    const ourselves = ownAddress(config, address);
    if (ourselves !== null)
      throw new HostError("HOST_OWN_ADDRESS", ourselves, "leave it out: it is the others'");
    const found = { ...tried, ...tryUdp(config, address), ...tryHairpin(config, address) };
    const offloads = decideOffloads(config, found);
    const device = await openDevice(config, uplink, inUse(offloads), this.#log);
    try {
      await this.#startOn(device, offloads);
    } catch (error) {
      if (this.#running === undefined) device.close();
      throw error;
    }
  }

  async #startOn(device: Device, offloads: OffloadReport): Promise<void> {
    const config = this.#config;
    const underlay = await openUnderlay(config, device.uplink, offloads);
    const warnings = [...underlay.warnings, ...unmetSettings(config, underlay.capabilities)];
    for (const warning of warnings) this.#log.warn(warning);
    const { vni, port } = config;
    const { mac, mtu } = device;
    let engine: Engine;
    try {
      const rows = FloodTargets.rows(floodTargets(config), port);
      const policy = { ...policyOf(config), ...headerOptions(config) };
      const options = { vni, port, mac, mtu, rows, ...policy, offloads: inUse(offloads) };
      engine = await underlay.start(options, device.taps);
    } catch (error) {
      underlay.close();
      throw error;
    }
    const peers = new Peers(engine, device, port, this.#log);
    const flood = new FloodTargets(engine, port);
    const neighbours = new Neighbours(engine);
    const events = new EventHub(engine.events);
    this.#running = {
      device,
      underlay: { ...underlay, warnings },
      offloads,
      engine,
      peers,
      flood,
      neighbours,
      events,
    };
    void engine.failed.then((failure) => {
      this.#deviceGone = "port" in failure && failure.port === "tap";
      if (!this.#stopping) this.#fail(explainFailure(failure, config.device));
    });
    await this.#serially(() => this.#putInPlace(config));
    this.#ageing = setInterval(() => void engine.ask({ type: "age" }).catch(() => {}), AGE_EVERY);
    this.#timer = setInterval(() => void this.#serially(() => this.#keep()), RECONCILE_EVERY);
    const { uplink } = device;
    const { family } = config;
    this.#paths = new PathWatch({ engine, uplink, family, port, mtu, log: this.#log });
    this.#paths.update(vtepAddresses(config), config);
    // Only now: a device that we made for a start that failed goes with its descriptor.
    device.setEphemeral(config.ephemeral);
    this.#ready = true;
    this.#log.info(
      `forwarding VNI ${vni} between ${config.device} (${mac}, MTU ${mtu}) and ${device.uplink.address} port ` +
        `${config.port} on ${device.uplink.device}, ${config.underlay}; ${whom(config)}`,
    );
  }

  /** Reads the configuration again and applies what is different. A mistake in it changes nothing. */
  reload(): Promise<ReloadStatus> {
    return this.#serially(async () => {
      let refused = true;
      const applied = (): void => {
        refused = false;
      };
      const result = await this.#reload(applied).catch((error: Error) => ({
        ok: false,
        message: error.message,
      }));
      this.#lastReload = { at: new Date().toISOString(), ...result };
      if (result.ok) this.#log.info(`reloaded: ${result.message}`);
      else if (refused)
        this.#log.error(`not reloaded, the configuration before stays in force: ${result.message}`);
      else this.#log.error(`reloaded, but not all of it is in place: ${result.message}`);
      return this.#lastReload;
    });
  }

  /** @param applied called when the configuration is the new one: what fails after that is to be put right, not undone */
  async #reload(applied: () => void): Promise<{ ok: boolean; message: string }> {
    const { config: next, warnings } = this.#load();
    for (const warning of warnings) this.#log.warn(formatProblem(warning));
    const { engine, device } = this.#up();
    const diff = diffConfig(this.#config, next);
    if (diff.restart.length > 0) {
      const names = diff.restart.map(({ name }) => name).join(", ");
      return { ok: false, message: `${describeDiff(diff)}; restart the agent to change ${names}` };
    }
    const ourselves = ownAddress(next, device.uplink.address);
    if (ourselves !== null) return { ok: false, message: `${ourselves}; leave it out` };
    this.#log.setLevel(next.logLevel);
    device.setEphemeral(next.ephemeral);
    await engine.ask({ type: "policy", policy: policyOf(next) });
    this.#config = next;
    this.#loadedAt = new Date();
    applied();
    this.#paths?.update(vtepAddresses(next), next);
    // Also where nothing changed: rows that are missing, or that somebody took away, come back.
    await this.#putInPlace(next);
    return { ok: true, message: describeDiff(diff) };
  }

  /** @returns how many rows were changed */
  async #putInPlace(config: AgentConfig): Promise<number> {
    const { peers, flood, neighbours } = this.#up();
    const told = await neighbours.reconcile(config.peers, config.neighbours);
    return (
      told +
      (await flood.reconcile(floodTargets(config))) +
      (await peers.reconcile(config.peers, config.address))
    );
  }

  /** What somebody has changed or taken away since we last looked is put right. */
  async #keep(): Promise<void> {
    try {
      const changed = await this.#putInPlace(this.#config);
      if (changed > 0) this.#log.warn(`rows that had been changed or were missing: ${changed}, put right`);
    } catch (error) {
      this.#log.error(`what is there could not be compared: ${(error as Error).message}`);
    }
  }

  /** Ends the agent and closes everything. Safe to call twice, and after a start that failed half way. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    clearInterval(this.#timer);
    clearInterval(this.#ageing);
    this.#paths?.close();
    await this.#api?.close();
    await this.#queue.catch(() => {});
    const { engine, underlay, device, events } = this.#running ?? {};
    events?.close();
    await engine?.stop();
    underlay?.close();
    device?.close();
    if (device === undefined || this.#deviceGone || !this.#ready) return;
    const { device: name, ephemeral } = this.#config;
    if (ephemeral) this.#log.info(`${name} is gone, with its addresses and rows`);
    else {
      this.#log.info(`${name} stays, with its addresses and rows, and forwards nothing until the next start`);
      this.#log.info(`\`poplin cleanup --device ${name}\` removes it`);
    }
  }

  async status(): Promise<AgentStatus> {
    const running = this.#ready ? this.#running : undefined;
    const health = running && (await inTime(running.engine.ask({ type: "health" })).catch(() => null));
    // Where the dataplane does not answer, its rows cannot be compared either: one such line is enough.
    const look = health ? inTime(running.peers.inspect()) : Promise.resolve([]);
    const wrong = await look.catch((error: Error) => [error.message]);
    return describeStatus({
      config: this.#config,
      startedAt: this.#startedAt,
      loadedAt: this.#loadedAt,
      lastReload: this.#lastReload,
      stopping: this.#stopping,
      running,
      paths: this.#paths,
      health: health ?? null,
      wrong: this.#stopping ? [] : wrong,
    });
  }

  stats(): CounterSnapshot {
    const { engine, device } = this.#up();
    const { drops, ...counters } = engine.snapshot();
    const full = device.queueDrops();
    return {
      ...counters,
      drops: { ...drops, tx: { ...drops.tx, ...(full > 0 ? { FULL_RING: full } : {}) } },
    };
  }

  async fdb(): Promise<readonly FdbRow[]> {
    return this.#up().engine.ask({ type: "rows" });
  }

  async why(mac: string): Promise<readonly FdbReason[]> {
    return this.#up().engine.ask({ type: "why", mac });
  }

  async flushFdb(): Promise<number> {
    return this.#up().engine.ask({ type: "flush" });
  }

  changeFdb(change: FdbChange): Promise<void> {
    return this.#serially(async () => {
      const { device } = this.#up();
      const checked = checkChange(change, { mac: device.mac, address: device.uplink.address });
      const refusal = await this.#up().peers.change(checked);
      if (refusal !== null) throw refused(refusal, checked, this.#config.family);
    });
  }

  async neighbours(): Promise<readonly Neighbour[]> {
    return this.#up().neighbours.rows();
  }

  changeNeighbour(change: NeighbourChange): Promise<void> {
    return this.#serially(() => this.#up().neighbours.change(change));
  }

  listen(heard: (event: AgentEvent) => void): () => void {
    return this.#up().events.listen(heard);
  }

  #up(): Running {
    if (this.#running === undefined) throw new AgentError("UNAVAILABLE", "the dataplane is not up yet");
    return this.#running;
  }

  /** Runs one thing after the other: two reconciliations at a time would undo each other's rows. */
  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task, task);
    this.#queue = result.catch(() => {});
    return result;
  }
}

/**
 * A VTEP that is ourselves would send us our own frames, and whoever is behind us would seem to be behind the tunnel. The
 * configuration's checks know our address only where it says it.
 * @returns what is wrong, null when nothing is
 */
function ownAddress({ remote, peers, port }: AgentConfig, address: string): string | null {
  if (remote.includes(address)) return `the remote ${address} is our own address`;
  const mine = peers.some((peer) => peer.publicIp === address && peer.port === port);
  return mine ? `the peer ${address} is our own address` : null;
}

/** Every VTEP that the configuration names, once. */
function vtepAddresses({ peers, remote }: AgentConfig): string[] {
  return [...new Set([...peers.map(({ publicIp }) => publicIp), ...remote])];
}

/** The VTEPs of the start's line in the log. */
function whom({ peers, remote, group }: AgentConfig): string {
  const remotes = remote.length === 0 ? "" : `, remotes: ${remote.length}`;
  return `peers: ${peers.length}${remotes}${group === null ? "" : `, group: ${group}`}`;
}

/** Where frames go that have no row. */
function floodTargets({ group, remote }: AgentConfig): readonly string[] {
  return group === null ? remote : [group, ...remote];
}

/** @throws Error when `answer` is not there within `ANSWER_TIMEOUT` */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), ANSWER_TIMEOUT);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
