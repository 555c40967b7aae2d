/**
 * The agent's life, from configuration to forwarding and back.
 *
 *   start    claim the API socket → open everything and put the peers' rows in place (`forwarding.ts`) → running
 *   reload   read the configuration again → refuse it whole if anything needs a restart → apply the difference
 *   keep     every half minute, put right what somebody has changed
 *   reopen   when somebody has deleted a device: close everything, and open it anew with the same MACs and rows
 *   stop     close the API → stop the dataplane → close descriptors; the device stays unless it is ephemeral
 *
 * What fails on the way up is undone in reverse order and thrown. What fails for one peer is that peer's state. When
 * the dataplane cannot be had again, `failed` resolves and the process ends.
 */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { PortFailure } from "../dataplane/loop.ts";
import type { FdbChange, FdbReason, FdbRow, NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import { readLinks } from "../host/link.ts";
import { transmitDrops } from "../host/netdev.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import {
  AgentError,
  type AgentEvent,
  type AgentStatus,
  type AgentView,
  type ReloadStatus,
} from "./api/types.ts";
import { type ConfigDiff, describeDiff, diffConfig } from "./config/diff.ts";
import type { AgentConfig } from "./config/load.ts";
import { formatProblem, type Problem } from "./config/problems.ts";
import { explainFailure } from "./failure.ts";
import { checkChange, refused } from "./fdb-change.ts";
import { Forwarding } from "./forwarding.ts";
import type { Log } from "./log.ts";
import type { Running } from "./open.ts";
import { type Overlay, ownAddress, withQueueDrops } from "./overlay.ts";
import { describeStatus } from "./status.ts";

/** Milliseconds between two comparisons of the rows there are with the rows there should be. */
const RECONCILE_EVERY = 30_000;

/** Milliseconds for which a status waits for the dataplane: it answers between two batches, in microseconds. */
const ANSWER_TIMEOUT = 2000;

/**
 * Milliseconds after which a device that is gone is made anew, and after which that is tried again at most. The first
 * wait lets flanneld, which deletes our device to make its own, find the name free.
 */
const REOPEN_AFTER = { first: 250, most: 5000 } as const;

/** What reading the configuration gives: once at start, again for every reload. */
export interface Loaded {
  readonly config: AgentConfig;
  readonly warnings: readonly Problem[];
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
  /** Undefined until it has been opened, and while it is opened again. */
  #forwarding: Forwarding | undefined;
  #stopping = false;
  /** Ends the wait before the next try to open. */
  #wake: () => void = () => {};
  #fail: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
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
    const onError = (error: unknown): void => this.#log.error(`API: ${String(error)}`);
    this.#api = await startApiServer({ path: this.#config.socket, view: this, onError });
    await this.#serially(() => this.#open(this.#config));
    this.#timer = setInterval(() => void this.#serially(() => this.#keep()), RECONCILE_EVERY);
  }

  async #open(config: AgentConfig): Promise<void> {
    const forwarding = await Forwarding.open(config, this.#log);
    this.#forwarding = forwarding;
    void forwarding.failed.then((failure) => this.#ended(forwarding, failure));
    forwarding.say(config);
  }

  /** The dataplane has ended by itself. */
  async #ended(forwarding: Forwarding, failure: PortFailure | Error): Promise<void> {
    if (this.#stopping) return;
    const devices = forwarding.overlays.map(({ device }) => device);
    const error = explainFailure(failure, devices.map(({ name }) => name).join(" or "));
    if (!("port" in failure) || failure.port !== "tap") return this.#fail(error);
    this.#log.warn(error.message);
    await this.#serially(() => this.#reopen(forwarding));
  }

  /** Opens everything anew, with the MACs that the peers know. */
  async #reopen(former: Forwarding): Promise<void> {
    this.#forwarding = undefined;
    const macs = new Map(former.overlays.map(({ device }) => [device.name, device.mac]));
    await former.close();
    for (let wait: number = REOPEN_AFTER.first; ; wait = Math.min(2 * wait, REOPEN_AFTER.most)) {
      await this.#pause(wait);
      if (this.#stopping) return;
      try {
        const usurper = await kernelVxlan([...macs.keys()]);
        if (usurper !== null) return this.#fail(takenOver(usurper));
        return await this.#open(withMacs(this.#config, macs));
      } catch (error) {
        this.#log.error(`it could not be made anew, and is tried again: ${(error as Error).message}`);
      }
    }
  }

  /** Waits, but not for longer than until the agent is told to stop. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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

  /**
   * Reads the configuration again as `reload` does, where it is not a person who asks: what is said about it is the
   * caller's. @throws Error where it cannot be, or could not all be, put in place
   */
  update(): Promise<void> {
    return this.#serially(async () => {
      const { config: next } = this.#load();
      const diff = diffConfig(this.#config, next);
      if (diff.restart.length > 0) throw new Error(restartNeeded(diff));
      await this.#apply(next);
    });
  }

  /** @param applied called when the configuration is the new one: what fails after that is to be put right, not undone */
  async #reload(applied: () => void): Promise<{ ok: boolean; message: string }> {
    const { config: next, warnings } = this.#load();
    for (const warning of warnings) this.#log.warn(formatProblem(warning));
    const { overlays } = this.#up();
    const diff = diffConfig(this.#config, next);
    if (diff.restart.length > 0) return { ok: false, message: restartNeeded(diff) };
    const ourselves = ownAddress(next.overlays, overlays[0].device.uplink.address);
    if (ourselves !== null) return { ok: false, message: `${ourselves}; leave it out` };
    this.#log.setLevel(next.logLevel);
    await this.#apply(next, applied);
    return { ok: true, message: describeDiff(diff) };
  }

  /** Also where nothing changed: rows that are missing, or that somebody took away, come back. */
  async #apply(next: AgentConfig, applied: () => void = () => {}): Promise<void> {
    await this.#forwarding?.setConfig(next);
    this.#config = next;
    this.#loadedAt = new Date();
    applied();
    await this.#forwarding?.putInPlace();
  }

  /** What somebody has changed or taken away since we last looked is put right. */
  async #keep(): Promise<void> {
    try {
      const changed = (await this.#forwarding?.putInPlace()) ?? 0;
      if (changed > 0) this.#log.warn(`rows that had been changed or were missing: ${changed}, put right`);
    } catch (error) {
      this.#log.error(`what is there could not be compared: ${(error as Error).message}`);
    }
  }

  /** Ends the agent and closes everything. Safe to call twice, and after a start that failed half way. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#wake();
    clearInterval(this.#timer);
    await this.#api?.close();
    await this.#queue.catch(() => {});
    const forwarding = this.#forwarding;
    await forwarding?.close();
    for (const { device } of forwarding?.overlays ?? []) this.#sayLeft(device.name);
  }

  #sayLeft(name: string): void {
    if (this.#config.ephemeral) this.#log.info(`${name} is gone, with its addresses and rows`);
    else {
      this.#log.info(`${name} stays, with its addresses and rows, and forwards nothing until the next start`);
      this.#log.info(`\`poplin cleanup --device ${name}\` removes it`);
    }
  }

  async status(): Promise<AgentStatus> {
    const forwarding = this.#forwarding;
    const running = forwarding?.running;
    const health = running && (await inTime(running.engine.ask({ type: "health" })).catch(() => null));
    // Where the dataplane does not answer, its rows cannot be compared either: one such line is enough.
    const wrong =
      forwarding && health ? await inTime(forwarding.inspect()).catch(({ message }: Error) => [message]) : [];
    return describeStatus({
      config: this.#config,
      startedAt: this.#startedAt,
      loadedAt: this.#loadedAt,
      lastReload: this.#lastReload,
      stopping: this.#stopping,
      running,
      paths: forwarding?.paths,
      health: health ?? null,
      wrong: this.#stopping ? [] : wrong,
    });
  }

  stats(vni?: number): CounterSnapshot {
    const { engine, overlays } = this.#up();
    if (vni !== undefined) return this.#overlay(vni).stats();
    const drops = transmitDrops();
    const full = overlays.reduce((sum, { device }) => sum + device.queueDrops(drops), 0);
    return withQueueDrops(engine.snapshot(), full);
  }

  async fdb(vni?: number): Promise<readonly FdbRow[]> {
    const asked = this.#overlays(vni).map(({ engine }) => engine.ask({ type: "rows" }));
    return (await Promise.all(asked)).flat();
  }

  async why(mac: string, vni?: number): Promise<readonly FdbReason[]> {
    const asked = this.#overlays(vni).map(({ engine }) => engine.ask({ type: "why", mac }));
    return (await Promise.all(asked)).flat();
  }

  async flushFdb(vni?: number): Promise<number> {
    const asked = this.#overlays(vni).map(({ engine }) => engine.ask({ type: "flush" }));
    return (await Promise.all(asked)).reduce((sum, flushed) => sum + flushed, 0);
  }

  changeFdb(change: FdbChange, vni?: number): Promise<void> {
    return this.#serially(async () => {
      const { device, peers } = this.#overlay(vni);
      const checked = checkChange(change, { mac: device.mac, address: device.uplink.address });
      const refusal = await peers.change(checked);
      if (refusal !== null) throw refused(refusal, checked, this.#config.family);
    });
  }

  async neighbours(vni?: number): Promise<readonly Neighbour[]> {
    const asked = this.#overlays(vni).map(({ neighbours }) => neighbours.rows());
    return (await Promise.all(asked)).flat();
  }

  changeNeighbour(change: NeighbourChange, vni?: number): Promise<void> {
    return this.#serially(() => this.#overlay(vni).neighbours.change(change));
  }

  listen(heard: (event: AgentEvent) => void): () => void {
    return this.#up().events.listen(heard);
  }

  #up(): Running {
    if (this.#forwarding === undefined) throw new AgentError("UNAVAILABLE", "the dataplane is not up yet");
    return this.#forwarding.running;
  }

  /** @returns the overlay of that VNI, all of them without one; @throws AgentError `NO_SUCH_VNI` */
  #overlays(vni: number | undefined): readonly Overlay[] {
    return vni === undefined ? this.#up().overlays : [this.#overlay(vni)];
  }

  /** @returns the overlay of that VNI, the only one without; @throws AgentError `NO_SUCH_VNI`, `WHICH_VNI` */
  #overlay(vni: number | undefined): Overlay {
    const { overlays } = this.#up();
    const vnis = overlays.map(({ config }) => config.vni).join(", ");
    if (vni === undefined) {
      if (overlays.length === 1) return overlays[0];
      throw new AgentError("WHICH_VNI", "the agent has several overlays", `say which by its VNI: ${vnis}`);
    }
    const found = overlays.find(({ config }) => config.vni === vni);
    if (found !== undefined) return found;
    throw new AgentError("NO_SUCH_VNI", `the agent has no overlay with VNI ${vni}`, `there are: ${vnis}`);
  }

  /** Runs one thing after the other: two reconciliations at a time would undo each other's rows. */
  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task, task);
    this.#queue = result.catch(() => {});
    return result;
  }
}

function restartNeeded(diff: ConfigDiff): string {
  const names = diff.restart.map(({ name }) => name).join(", ");
  return `${describeDiff(diff)}; restart the agent to change ${names}`;
}

/** The same with the MACs that the devices had: they may have been made up at the start. */
function withMacs(config: AgentConfig, macs: ReadonlyMap<string, string>): AgentConfig {
  const overlays = config.overlays.map((overlay) => ({
    ...overlay,
    vtepMac: macs.get(overlay.device) ?? overlay.vtepMac,
  }));
  return { ...config, overlays: overlays as unknown as AgentConfig["overlays"] };
}

/** @returns the first of these names that a VXLAN device of the kernel's has now; null where none has */
async function kernelVxlan(names: readonly string[]): Promise<string | null> {
  const links = await readLinks(names, {});
  return names.find((name) => links.get(name)?.kind === "vxlan") ?? null;
}

function takenOver(name: string): Error {
  return new Error(
    `${name} is a VXLAN device of the kernel's now: flanneld, or somebody by hand, has taken this node over; ` +
      "stop that before poplin is started again",
  );
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
