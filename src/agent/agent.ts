/**
 * The agent's life, from configuration to forwarding and back.
 *
 *   start   claim the API socket → open everything (`open.ts`) → put the peers' rows in place → running
 *   reload  read the configuration again → refuse it whole if anything needs a restart → apply the difference
 *   keep    every half minute, put right what somebody has changed
 *   stop    close the API → stop the dataplane → close descriptors; the device stays unless it is ephemeral
 *
 * What fails on the way up is undone in reverse order and thrown. What fails for one peer is that peer's state. When
 * the dataplane ends by itself (the device was deleted), `failed` resolves and the process ends: the next start makes
 * everything anew.
 */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { FdbChange, FdbReason, FdbRow, NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import { transmitDrops } from "../host/netdev.ts";
import { readDevices } from "../host/read.ts";
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
import { lookAfter } from "./device.ts";
import { explainFailure } from "./failure.ts";
import { checkChange, refused } from "./fdb-change.ts";
import type { Log } from "./log.ts";
import { open, type Running } from "./open.ts";
import { type Overlay, ownAddress, vtepAddresses, whom, withQueueDrops } from "./overlay.ts";
import { PathWatch } from "./path-mtu/watch.ts";
import { describeStatus } from "./status.ts";

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
    const running = await open(config, this.#log);
    this.#running = running;
    const { overlays, engine } = running;
    const { uplink } = overlays[0].device;
    const names = overlays.map(({ device }) => device.name);
    void engine.failed.then((failure) => {
      this.#deviceGone = "port" in failure && failure.port === "tap";
      if (!this.#stopping) this.#fail(explainFailure(failure, names.join(" or ")));
    });
    await this.#serially(() => this.#putInPlace());
    this.#ageing = setInterval(() => void engine.ask({ type: "age" }).catch(() => {}), AGE_EVERY);
    this.#timer = setInterval(() => void this.#serially(() => this.#keep()), RECONCILE_EVERY);
    const { family, port } = config;
    const mtu = Math.max(...overlays.map(({ device }) => device.mtu));
    this.#paths = new PathWatch({ engine, uplink, family, port, mtu, log: this.#log });
    this.#paths.update(vtepAddresses(config.overlays), config);
    // Only now: a device that we made for a start that failed goes with its descriptor.
    for (const { device } of overlays) device.setEphemeral(config.ephemeral);
    this.#ready = true;
    for (const { device, config: overlay } of overlays) {
      this.#log.info(
        `forwarding VNI ${overlay.vni} between ${device.name} (${device.mac}, MTU ${device.mtu}) and ` +
          `${uplink.address} port ${port} on ${uplink.device}, ${config.underlay}; ${whom(overlay)}`,
      );
    }
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
    const { overlays } = this.#up();
    const diff = diffConfig(this.#config, next);
    if (diff.restart.length > 0) {
      const names = diff.restart.map(({ name }) => name).join(", ");
      return { ok: false, message: `${describeDiff(diff)}; restart the agent to change ${names}` };
    }
    const ourselves = ownAddress(next.overlays, overlays[0].device.uplink.address);
    if (ourselves !== null) return { ok: false, message: `${ourselves}; leave it out` };
    this.#log.setLevel(next.logLevel);
    for (const [i, overlay] of overlays.entries()) {
      overlay.device.setEphemeral(next.ephemeral);
      await overlay.setConfig(next.overlays[i]!);
    }
    this.#config = next;
    this.#loadedAt = new Date();
    applied();
    this.#paths?.update(vtepAddresses(next.overlays), next);
    // Also where nothing changed: rows that are missing, or that somebody took away, come back.
    await this.#putInPlace();
    return { ok: true, message: describeDiff(diff) };
  }

  /** @returns how many rows were changed */
  async #putInPlace(): Promise<number> {
    let changed = 0;
    const failures: Error[] = [];
    const { overlays } = this.#up();
    const states = await lookAfter(
      overlays.map(({ device }) => device),
      this.#log,
    );
    // One overlay that fails does not stop the others.
    for (const overlay of overlays) {
      try {
        changed += await overlay.putInPlace(states.get(overlay.device.name)!);
      } catch (error) {
        failures.push(error as Error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return changed;
  }

  /** What somebody has changed or taken away since we last looked is put right. */
  async #keep(): Promise<void> {
    try {
      const changed = await this.#putInPlace();
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
    const { engine, underlay, overlays, events } = this.#running ?? {};
    events?.close();
    await engine?.stop();
    underlay?.close();
    for (const { device } of overlays ?? []) device.close();
    if (overlays === undefined || this.#deviceGone || !this.#ready) return;
    for (const { device } of overlays) this.#sayLeft(device.name);
  }

  #sayLeft(name: string): void {
    if (this.#config.ephemeral) this.#log.info(`${name} is gone, with its addresses and rows`);
    else {
      this.#log.info(`${name} stays, with its addresses and rows, and forwards nothing until the next start`);
      this.#log.info(`\`poplin cleanup --device ${name}\` removes it`);
    }
  }

  async status(): Promise<AgentStatus> {
    const running = this.#ready ? this.#running : undefined;
    const health = running && (await inTime(running.engine.ask({ type: "health" })).catch(() => null));
    // Where the dataplane does not answer, its rows cannot be compared either: one such line is enough.
    const wrong = health
      ? await inTime(inspect(running.overlays)).catch(({ message }: Error) => [message])
      : [];
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
    if (this.#running === undefined) throw new AgentError("UNAVAILABLE", "the dataplane is not up yet");
    return this.#running;
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

/** Looks at all overlays, and changes nothing. @returns what is not as it should be, a sentence each */
async function inspect(overlays: readonly Overlay[]): Promise<string[]> {
  const states = await readDevices(overlays.map(({ device }) => device.name));
  const looks = overlays.map(({ device, peers }) => peers.inspect(states.get(device.name)));
  return (await Promise.all(looks)).flat();
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
