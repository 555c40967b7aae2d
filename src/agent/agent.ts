/**
 * The agent's life, from configuration to forwarding and back.
 *
 *   start    claim the API socket → open what forwards over each underlay (`forwardings.ts`) → running; or take all of it
 *            over from the agent that has it
 *   reload   read the configuration again → refuse it whole if anything needs a restart → apply the difference
 *   update   read it again → apply all of it, opening anew what needs that
 *   keep     when the kernel tells of a change (`monitor.ts`), and every half minute: put right what is not as it should be
 *   leave    when another agent has taken over (`takeover/`): close everything, undo nothing
 *   stop     close the API → stop the dataplanes → close descriptors; devices stay unless they are ephemeral
 *
 * What fails on the way up is undone in reverse order and thrown. What fails for one peer is that peer's state. When a
 * dataplane cannot be had again, `failed` resolves and the process ends.
 */
import type { ClusterView } from "./api/cluster-types.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { AgentStatus, ReloadStatus } from "./api/status-types.ts";
import { unavailable } from "./choice.ts";
import { describeDiffs, restartNeeded } from "./config/diff.ts";
import type { AgentConfig } from "./config/load.ts";
import { formatProblem, type Problem } from "./config/problems.ts";
import { Forwardings } from "./forwardings.ts";
import { fieldsOf, type Log } from "./log.ts";
import { look } from "./look.ts";
import { HostMonitor } from "./monitor.ts";
import { ownAddress } from "./overlay.ts";
import { Readiness } from "./probes/readiness.ts";
import type { HealthServer } from "./probes/server.ts";
import { Serial } from "./serial.ts";
import { describeStatus } from "./status.ts";
import { atLast } from "./takeover/at-last.ts";
import type { OpenGiver } from "./takeover/listen.ts";
import type { Taking } from "./takeover/take.ts";
import { View } from "./view.ts";

/** Milliseconds between two comparisons of the rows there are with the rows there should be. */
const RECONCILE_EVERY = 30_000;

/** What reading the configuration gives: once at start, again for every reload. */
export interface Loaded {
  /** One for each underlay. Of those that are the process's (`withProcess`) the first one's count. */
  readonly configs: readonly [AgentConfig, ...AgentConfig[]];
  readonly warnings: readonly Problem[];
}

export class Agent {
  /** Resolves when the agent can go on no longer. */
  readonly failed: Promise<Error>;
  /** Resolves with the pid of an agent that has taken over: this one has closed everything by then, and is to end. */
  readonly replaced: Promise<number>;
  readonly #log: Log;
  readonly #load: () => Loaded;
  readonly #cluster: ClusterView | null;
  readonly #startedAt = new Date();
  /** Opens, reloads, comparisons and changes, one after the other. */
  readonly #serial = new Serial();
  readonly #forwardings: Forwardings;
  readonly #readiness: Readiness;
  /** What may be asked of it from outside. */
  readonly view: View;
  #configs: Loaded["configs"];
  #loadedAt = new Date();
  #lastReload: ReloadStatus | null = null;
  readonly #reloads = { ok: 0, failed: 0 };
  #api: ApiServer | undefined;
  #health: HealthServer | undefined;
  #started = false;
  #stopping = false;
  /** Updates that have been asked for and have not begun. */
  #updates = 0;
  #timer: NodeJS.Timeout | undefined;
  #monitor: HostMonitor | undefined;
  #giver: OpenGiver | undefined;
  #isReplaced: (pid: number) => void = () => {};

  private constructor(configs: Loaded["configs"], load: () => Loaded, log: Log, cluster: ClusterView | null) {
    this.#configs = configs;
    this.#cluster = cluster;
    this.#load = load;
    this.#log = log;
    let fail: (error: Error) => void = () => {};
    this.failed = new Promise((resolve) => {
      fail = resolve;
    });
    this.replaced = new Promise((resolve) => {
      this.#isReplaced = resolve;
    });
    this.#forwardings = new Forwardings(configs, { log, serial: this.#serial, fail });
    this.#readiness = new Readiness({
      places: () => this.#forwardings.places,
      started: () => this.#started,
      stopping: () => this.#stopping,
      cluster,
    });
    this.view = new View({
      status: () => this.status(),
      forwardings: this.#forwardings,
      serial: this.#serial,
      cluster,
      readiness: this.#readiness,
      log,
      history: () => ({ lastReload: this.#lastReload, loadedAt: this.#loadedAt, reloads: this.#reloads }),
    });
  }

  /**
   * Starts the agent. @returns once packets flow
   * @param cluster where the peers are a flannel cluster's
   * @param takeOver from the agent that runs; where there is none this is an ordinary start
   * @throws ConfigError, SocketError, SystemCallError, HostError, TakeOverError: nothing is left open then
   */
  static async start(
    load: () => Loaded,
    log: Log,
    cluster: ClusterView | null = null,
    takeOver = false,
  ): Promise<Agent> {
    const { configs, warnings } = read(load);
    log.setLevel(configs[0].logLevel);
    log.setFormat(configs[0].logFormat);
    for (const warning of warnings) log.warn(formatProblem(warning));
    const begin = async (taking: Taking | null): Promise<Agent> => {
      const agent = new Agent(configs, load, log, cluster);
      try {
        await agent.#start(taking);
      } catch (error) {
        await agent.stop();
        throw error;
      }
      return agent;
    };
    if (!takeOver) return begin(null);
    const { beginWith } = await import("./takeover/begin.ts");
    return beginWith(configs, log, begin);
  }

  async #start(taking: Taking | null): Promise<void> {
    const onError = (error: unknown): void => this.#log.error(`API: ${String(error)}`, fieldsOf(error));
    const { socket: path } = this.#configs[0];
    if (taking === null) {
      this.#api = await startApiServer({ path, view: this.view, onError });
      this.#health = await this.#serveHealth();
      await this.#serial.run(() => this.#forwardings.open());
    } else {
      await this.#serial.run(() => this.#forwardings.takeOver(taking));
      this.#api = await startApiServer({ path, view: this.view, onError, listener: taking.listeners.api });
      // As after a reload: what the configuration asks for and cannot be had now is no reason to end.
      const placed = this.#serial.run(() => this.#forwardings.putInPlace());
      await placed.catch(({ message }: Error) => this.#log.error(`not all of it is in place: ${message}`));
    }
    this.#started = true;
    await this.#listenForSuccessor(taking?.listeners.takeOver ?? null);
    void this.#probeOnce();
    this.#timer = setInterval(() => void this.#serial.run(() => this.#keep()), RECONCILE_EVERY);
    this.#monitor = this.#watchHost();
    if (taking !== null) this.#health = await atLast(() => this.#serveHealth(), this.#log);
  }

  /** @param listener what listens for it already */
  async #listenForSuccessor(listener: number | null): Promise<void> {
    const { listener: api, path } = this.#api!;
    const parts = { api, serial: this.#serial, forwardings: this.#forwardings, log: this.#log };
    // Only now, when packets flow.
    const { openGiver } = await import("./takeover/listen.ts");
    try {
      this.#giver = openGiver(path, listener, { ...parts, leave: (pid) => this.#leave(pid) });
    } catch (error) {
      this.#log.warn(`no other agent can take over from this one: ${(error as Error).message}`);
    }
  }

  /** Another agent forwards in our place: everything is closed here, and nothing undone. */
  async #leave(pid: number): Promise<void> {
    this.#log.info(`pid ${pid} has taken over: this agent ends, and leaves everything to it`);
    this.#stopping = true;
    this.#forwardings.stop();
    this.#closeWatches();
    this.#giver?.leave();
    void this.#api?.leave();
    await this.#forwardings.close().catch((error: Error) => this.#log.error(error.message));
    this.#isReplaced(pid);
  }

  async #serveHealth(): Promise<HealthServer | undefined> {
    const { healthAddress } = this.#configs[0];
    if (healthAddress === "off") return undefined;
    const { serveHealth } = await import("./probes/address.ts");
    return serveHealth(healthAddress, this.view);
  }

  /** What others are told, and what looks by itself. */
  #closeWatches(): void {
    clearInterval(this.#timer);
    this.#monitor?.close();
    this.#health?.close();
  }

  /** A dataplane that does not carry its own frame carries nobody's: that is said, whether or not somebody asks. */
  async #probeOnce(): Promise<void> {
    const reasons = await this.#readiness.probe();
    if (this.#stopping) return;
    for (const reason of reasons) this.#log.error(reason, { code: "SELF_PROBE" });
  }

  /** Hears from the kernel when something has been changed behind our back. */
  #watchHost(): HostMonitor | undefined {
    const devices = (): string[] =>
      this.#configs.flatMap(({ overlays }) => overlays.map(({ device }) => device));
    const uplink = (): string | null =>
      this.#forwardings.running[0]?.overlays[0].device.uplink.device ?? null;
    const look = async (why: string, elsewhere: boolean): Promise<void> => {
      this.#log.debug(`a look at what is in place: ${why}`);
      await this.#serial.run(() => this.#keep());
      if (elsewhere) this.#cluster?.hostChanged();
    };
    try {
      return new HostMonitor({ devices, uplink, routes: this.#cluster?.routesMatter ?? false, look });
    } catch (error) {
      const { message } = error as Error;
      const every = RECONCILE_EVERY / 1000;
      this.#log.warn(`the kernel's changes are not heard, only looked for each ${every} seconds: ${message}`);
      return undefined;
    }
  }

  /**
   * Reads the configuration again and applies what is different. A mistake in it changes nothing.
   * @param load reads it, where that is not what the agent was started with
   * @param applied told when the configuration is the new one, whether or not all of it is in place
   */
  reload(load: () => Loaded = this.#load, applied: () => void = () => {}): Promise<ReloadStatus> {
    return this.#serial.run(async () => {
      let refused = true;
      const taken = (): void => {
        refused = false;
        applied();
      };
      const result = await this.#reload(load, taken).catch((error: Error) => ({
        ok: false,
        message: error.message,
      }));
      this.#lastReload = { at: new Date().toISOString(), ...result };
      this.#reloads[result.ok ? "ok" : "failed"]++;
      if (result.ok) this.#log.info(`reloaded: ${result.message}`);
      else if (refused)
        this.#log.error(`not reloaded, the configuration before stays in force: ${result.message}`);
      else this.#log.error(`reloaded, but not all of it is in place: ${result.message}`);
      return this.#lastReload;
    });
  }

  /** @param applied called when the configuration is the new one: what fails after that is to be put right, not undone */
  async #reload(load: () => Loaded, applied: () => void): Promise<{ ok: boolean; message: string }> {
    const { configs: next, warnings } = read(load);
    for (const warning of warnings) this.#log.warn(formatProblem(warning));
    if (!this.#started) throw unavailable();
    const refusal = this.#refusalOf(next);
    if (refusal !== null) return { ok: false, message: refusal };
    const changes = describeDiffs(this.#configs, next);
    // Also where it is the same: `poplin log-level` holds until a reload.
    this.#log.setLevel(next[0].logLevel);
    this.#log.setFormat(next[0].logFormat);
    await this.#forwardings.setConfigs(next);
    this.#took(next);
    applied();
    // Also where nothing changed: rows that are missing, or that somebody took away, come back.
    await this.#forwardings.putInPlace();
    return { ok: true, message: changes };
  }

  /** @returns why a reload cannot take these over, null when it can */
  #refusalOf(next: Loaded["configs"]): string | null {
    const restart = restartNeeded(this.#configs, next);
    if (restart !== null) return restart;
    for (const [i, { address }] of this.#forwardings.places.entries()) {
      const ourselves = address === null ? null : ownAddress(next[i]!.overlays, address);
      if (ourselves !== null) return `${ourselves}; leave it out`;
    }
    return null;
  }

  /**
   * Reads the configuration again, where it is not a person who asks, and applies all of it but `socket`: what cannot
   * change while packets flow is closed and opened anew, underlay by underlay. What is said about it is the caller's.
   * @throws Error where it could not be read, or could not all be put in place: then it is tried again
   */
  update(): Promise<void> {
    this.#updates++;
    return this.#serial.run(async () => {
      this.#updates--;
      if (this.#stopping) return;
      const { socket, healthAddress } = this.#configs[0];
      const next = withProcess(this.#load().configs, { socket, healthAddress });
      this.#took(next);
      await this.#forwardings.update(next);
    });
  }

  #took(next: Loaded["configs"]): void {
    this.#configs = next;
    this.#loadedAt = new Date();
  }

  /** What somebody has changed or taken away since we last looked is put right: unless an update is about to do so. */
  async #keep(): Promise<void> {
    if (this.#updates > 0) return;
    try {
      const changed = await this.#forwardings.putInPlace();
      if (changed > 0) this.#log.warn(`rows that had been changed or were missing: ${changed}, put right`);
    } catch (error) {
      const { message } = error as Error;
      this.#log.error(`what is there could not be compared: ${message}`, fieldsOf(error));
    }
  }

  /** Ends the agent and closes everything. Safe to call twice, and after a start that failed half way. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#forwardings.stop();
    this.#closeWatches();
    this.#giver?.close();
    await this.#api?.close();
    // Behind what runs, and before what is asked for only now: that finds nothing open.
    const left = await this.#serial.run(() => this.#forwardings.close());
    for (const name of left) if (this.#started) this.#sayLeft(name);
  }

  #sayLeft(name: string): void {
    if (this.#configs[0].ephemeral) this.#log.info(`${name} is gone, with its addresses and rows`);
    else {
      this.#log.info(`${name} stays, with its addresses and rows, and forwards nothing until the next start`);
      this.#log.info(`\`poplin cleanup --device ${name}\` removes it`);
    }
  }

  async status(): Promise<AgentStatus> {
    const carriers = await Promise.all(this.#forwardings.places.map(look));
    return describeStatus({
      carriers,
      startedAt: this.#startedAt,
      loadedAt: this.#loadedAt,
      lastReload: this.#lastReload,
      started: this.#started,
      stopping: this.#stopping,
      cluster: this.#cluster,
    });
  }
}

/** What reading gives, checked for nothing more. */
function read(load: () => Loaded): Loaded {
  const { configs, warnings } = load();
  return { configs: withProcess(configs), warnings };
}

/** What is the process's is the first one's in all of them, or what is given. */
function withProcess(
  configs: Loaded["configs"],
  given: Partial<Pick<AgentConfig, "socket" | "healthAddress">> = {},
): Loaded["configs"] {
  const { socket, logLevel, logFormat, healthAddress, ephemeral } = configs[0];
  const ours = { socket, logLevel, logFormat, healthAddress, ephemeral, ...given };
  const [first, ...others] = configs;
  return [{ ...first, ...ours }, ...others.map((config) => ({ ...config, ...ours }))];
}
