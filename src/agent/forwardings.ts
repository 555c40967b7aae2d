/**
 * What forwards over each underlay of the agent: one, or with dual stack one for each address family. Each is looked after
 * by itself, so that the others go on while one is made anew.
 *
 *   open     in the order of the configurations, all or none
 *   takeOver the same, of what the agent before this one has open (`takeover/`)
 *   reopen   when somebody has deleted a device: close everything over its underlay, and open it anew with the same MACs
 *            and rows; tried again until it can be
 *   update   change what can change while packets flow; otherwise close that underlay, and open it as it should be now
 *   close    all
 *
 * The caller runs one of these at a time (`serial.ts`); tries to reopen queue up there with the others.
 */
import type { PortFailure } from "../dataplane/port-failures.ts";
import type { ToldEvent, Topic } from "./api/agent-view.ts";
import { type Candidate, unavailable } from "./choice.ts";
import { diffConfig } from "./config/diff.ts";
import type { AgentConfig } from "./config/load.ts";
import { explainFailure } from "./failure.ts";
import type { Forwarding } from "./forwarding.ts";
import { fieldsOf, type Log } from "./log.ts";
import { Place } from "./place.ts";
import { planLines } from "./plan.ts";
import type { Serial } from "./serial.ts";
import type { Taking } from "./takeover/take.ts";

/**
 * Milliseconds after which a device that is gone is made anew, and after which that is tried again at most. The first
 * wait lets flanneld, which deletes our device to make its own, find the name free.
 */
const REOPEN_AFTER = { first: 250, most: 5000 } as const;

export interface ForwardingsParts {
  readonly log: Log;
  readonly serial: Serial;
  /** Told why the agent can go on no longer. */
  readonly fail: (error: Error) => void;
}

/** Has somebody hear the events of a forwarding. @returns what ends it */
type Begin = (forwarding: Forwarding) => () => void;

export class Forwardings {
  readonly #parts: ForwardingsParts;
  readonly #places: Place[];
  /** Who listens to events, and what ends that for each forwarding. */
  readonly #listeners = new Set<{ readonly begin: Begin; readonly ends: (() => void)[] }>();
  /** End the waits before the next tries to open. */
  readonly #wakes = new Set<() => void>();
  #stopping = false;
  #rebuilds = 0;

  /** @param configs one for each underlay */
  constructor(configs: readonly AgentConfig[], parts: ForwardingsParts) {
    this.#parts = parts;
    this.#places = configs.map((config) => new Place(config));
  }

  /** In the order of the configurations. */
  get places(): readonly Pick<Place, "config" | "devices" | "forwarding" | "address">[] {
    return this.#places;
  }

  /** Those that are open. */
  get running(): readonly Forwarding[] {
    return this.#places.flatMap(({ forwarding }) => (forwarding === undefined ? [] : [forwarding]));
  }

  /** Every overlay of the configurations. */
  get candidates(): readonly Candidate[] {
    return this.#places.flatMap(({ config, forwarding }) =>
      config.overlays.map((overlay, i) => ({ config: overlay, overlay: forwarding?.overlays[i] })),
    );
  }

  /**
   * Opens all. @returns once packets flow
   * @throws HostError, SystemCallError, and what the underlay throws: `close` then closes those that are open
   */
  async open(): Promise<void> {
    for (const place of this.#places) await this.#open(place);
    // Only now: a device that we made for a start that failed goes with its descriptor.
    for (const place of this.#places) place.keepDevices();
  }

  /**
   * Opens all of what an agent before this one has open, and takes over from it; the rows are as it had them, until
   * `putInPlace`. @returns once packets flow here
   * @throws as `open`, and TakeOverError: as long as the other one forwards, nothing has been changed
   */
  async takeOver(taking: Taking): Promise<void> {
    const { log } = this.#parts;
    for (const [i, place] of this.#places.entries()) {
      const forwarding = await place.adopt(log, taking.gifts[i]!);
      await taking.fill(forwarding, i);
    }
    await taking.commit(this.running);
    for (const place of this.#places) {
      this.#follow(place, place.forwarding!);
      place.keepDevices();
      place.forwarding!.say(place.config);
    }
  }

  async #open(place: Place): Promise<void> {
    this.#follow(place, await place.open(this.#parts.log));
  }

  #follow(place: Place, forwarding: Forwarding): void {
    for (const { begin, ends } of this.#listeners) ends.push(begin(forwarding));
    void forwarding.failed.then((failure) => this.#ended(place, forwarding, failure));
  }

  /** A dataplane has ended by itself. */
  async #ended(place: Place, forwarding: Forwarding, failure: PortFailure | Error): Promise<void> {
    if (this.#stopping || place.forwarding !== forwarding) return;
    const { serial, log, fail } = this.#parts;
    const devices = forwarding.overlays.map(({ device }) => device.name);
    const error = explainFailure(failure, devices.join(" or "));
    if (!("port" in failure) || failure.port !== "tap") return fail(error);
    log.warn(error.message, { ...fieldsOf(error), device: devices.join(", ") });
    const closed = serial.run(async () => {
      if (place.forwarding === forwarding) await place.close(devices);
    });
    await closed.catch(({ message }: Error) => log.error(`not all of it could be closed: ${message}`));
    await this.#reopen(place);
  }

  /** Opens anew what has been closed, as often as it takes. */
  async #reopen(place: Place): Promise<void> {
    for (let wait: number = REOPEN_AFTER.first; ; wait = Math.min(2 * wait, REOPEN_AFTER.most)) {
      await this.#pause(wait);
      if (this.#stopping || (await this.#parts.serial.run(() => this.#tryAgain(place)))) return;
    }
  }

  /** @returns whether that was the last try */
  async #tryAgain(place: Place): Promise<boolean> {
    if (this.#stopping || place.forwarding !== undefined || !this.#places.includes(place)) return true;
    const { log, fail } = this.#parts;
    try {
      const usurped = await place.usurped();
      if (usurped === null) await this.#openAgain(place);
      else fail(usurped);
      return true;
    } catch (error) {
      const { message } = error as Error;
      const device = place.devices.join(", ");
      const fields = { ...fieldsOf(error), device };
      log.error(`${device} could not be made anew, and that is tried again: ${message}`, fields);
      return false;
    }
  }

  /** How often something was opened anew that had been open. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  async #openAgain(place: Place): Promise<void> {
    await this.#open(place);
    this.#rebuilds++;
    place.keepDevices();
  }

  /** Waits, but not for longer than until `stop`. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wakes.add(wake);
    });
  }

  /**
   * Takes over configurations that need no restart, but for the rows: `putInPlace` compares those.
   * @param configs as many as there are underlays
   */
  async setConfigs(configs: readonly AgentConfig[]): Promise<void> {
    for (const [i, place] of this.#places.entries()) await place.setConfig(configs[i]!);
  }

  /**
   * Takes over any configurations, and puts all rows in place. What cannot change while packets flow is closed and opened
   * as it should be now; what cannot be opened at once is tried again as after a loss.
   * @throws Error the first that one of the underlays met; the others are up to date then
   */
  async update(configs: readonly AgentConfig[]): Promise<void> {
    if (this.#stopping) return;
    const surplus = this.#places.splice(configs.length);
    const known = [...this.#places];
    const missing = configs.slice(known.length).map((config) => new Place(config));
    this.#places.push(...missing);
    await eachOf<unknown>([
      ...surplus.map((place) => () => place.close([])),
      ...known.map((place, i) => () => this.#update(place, configs[i]!)),
      ...missing.map((place) => () => this.#renew(place)),
      () => this.putInPlace(),
    ]);
  }

  async #update(place: Place, next: AgentConfig): Promise<void> {
    const restart = diffConfig(place.config, next).restart.length > 0;
    if (place.forwarding === undefined || !restart) return place.setConfig(next);
    place.willBe(next);
    await this.#renew(place);
  }

  /** Closes what is open, and opens it as it should be. @throws Error when it cannot be: then it is tried again */
  async #renew(place: Place): Promise<void> {
    try {
      await place.close(place.devices);
      if (this.#stopping) return;
      await this.#openAgain(place);
    } catch (error) {
      void this.#reopen(place);
      throw error;
    }
  }

  /** Puts right what is not as it should be, where it is open. @returns how many rows were changed */
  async putInPlace(): Promise<number> {
    const changed = await eachOf(this.running.map((forwarding) => () => forwarding.putInPlace()));
    return changed.reduce((sum, n) => sum + n, 0);
  }

  /** Looks, and changes nothing. @returns what is not in place, a step each; of what is not open, that it is made */
  async plan(): Promise<string[]> {
    const each = this.#places.map(async ({ devices, forwarding }) => {
      if (forwarding !== undefined) return (await forwarding.plan()).flatMap(planLines);
      return devices.flatMap((device) => planLines({ device, gone: true, link: [], rows: [] }));
    });
    return (await Promise.all(each)).flat();
  }

  /**
   * Calls `heard` with every event about the topics from now on, also of what is opened later.
   * @returns what ends it; @throws AgentError `UNAVAILABLE` where nothing is open
   */
  listen(heard: (event: ToldEvent) => void, topics: readonly Topic[]): () => void {
    const open = this.running;
    if (open.length === 0) throw unavailable();
    const begin: Begin = ({ running }) => running.events.listen(heard, topics);
    const listener = { begin, ends: open.map(begin) };
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      for (const end of listener.ends) end();
    };
  }

  /** Nothing is opened any more. */
  stop(): void {
    this.#stopping = true;
    for (const wake of this.#wakes) wake();
  }

  /** Closes all, after `stop`. @returns names of the devices that were open */
  async close(): Promise<string[]> {
    const names = this.running.flatMap(({ overlays }) => overlays.map(({ device }) => device.name));
    for (const place of this.#places) await place.close(names);
    return names;
  }
}

/** Does one after the other. One that fails does not stop the others. @throws the first error, when all are done */
async function eachOf<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const failures: unknown[] = [];
  for (const task of tasks) {
    try {
      results.push(await task());
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return results;
}
