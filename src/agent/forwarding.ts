/**
 * All that forwards over one underlay, as one thing that can be opened, told what to do, and closed: devices, socket and
 * dataplane (`open.ts`), the peers' rows, and what looks after them. `forwardings.ts` has one for each underlay, and opens
 * the next one when the devices of the one before are gone.
 */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { PortFailure } from "../dataplane/port-failures.ts";
import { transmitDrops } from "../host/netdev.ts";
import { readDevices } from "../host/read.ts";
import type { AgentConfig } from "./config/load.ts";
import { lookAfter } from "./device.ts";
import type { Log } from "./log.ts";
import { type Given, open, type Running } from "./open.ts";
import { type Overlay, vtepAddresses, whom, withQueueDrops } from "./overlay.ts";
import { PathWatch } from "./path-mtu/watch.ts";
import type { OverlayPlan } from "./plan.ts";

/** Milliseconds between two looks for learned rows that are too old. */
const AGE_EVERY = 1000;

export class Forwarding {
  readonly running: Running;
  readonly paths: PathWatch;
  /** Resolves when the dataplane ends without being told to. */
  readonly failed: Promise<PortFailure | Error>;
  readonly #log: Log;
  readonly #ageing: NodeJS.Timeout;

  private constructor(running: Running, paths: PathWatch, log: Log) {
    this.running = running;
    this.paths = paths;
    this.#log = log;
    const { engine } = running;
    this.failed = engine.failed;
    this.#ageing = setInterval(() => void engine.ask({ type: "age" }).catch(() => {}), AGE_EVERY);
  }

  /**
   * Opens everything and puts the peers' rows in place; devices that it makes are ephemeral until `setEphemeral` says
   * otherwise, so that they go where something else fails. @returns once packets flow
   * @throws HostError, SystemCallError, and what the underlay throws: nothing is left open then
   */
  static async open(config: AgentConfig, log: Log): Promise<Forwarding> {
    const running = await open(config, log);
    let forwarding: Forwarding | undefined;
    try {
      forwarding = new Forwarding(running, watchPaths(running, config, log), log);
      await forwarding.putInPlace();
    } catch (error) {
      await (forwarding?.close() ?? close(running));
      throw error;
    }
    return forwarding;
  }

  /**
   * The same of what an agent before this one has open. Nothing is done to the host, and no packet moves before the engine's
   * command `release`.
   * @throws as `open`
   */
  static async adopt(config: AgentConfig, log: Log, given: Given): Promise<Forwarding> {
    const running = await open(config, log, given);
    try {
      return new Forwarding(running, watchPaths(running, config, log), log);
    } catch (error) {
      await close(running);
      throw error;
    }
  }

  /** Whether devices go with the agent; of all of them, or of those that `which` says. */
  setEphemeral(ephemeral: boolean, which: (device: string) => boolean = () => true): void {
    for (const { device } of this.overlays) if (which(device.name)) device.setEphemeral(ephemeral);
  }

  get overlays(): Running["overlays"] {
    return this.running.overlays;
  }

  /** Takes over what a reload changes, but for the rows: `putInPlace` compares those. */
  async setConfig(next: AgentConfig): Promise<void> {
    this.setEphemeral(next.ephemeral);
    for (const [i, overlay] of this.overlays.entries()) await overlay.setConfig(next.overlays[i]!);
    this.paths.update(vtepAddresses(next.overlays), next);
  }

  /** Puts right what is not as it should be. @returns how many rows were changed */
  async putInPlace(): Promise<number> {
    let changed = 0;
    const failures: Error[] = [];
    const states = await lookAfter(
      this.overlays.map(({ device }) => device),
      this.#log,
    );
    // One overlay that fails does not stop the others.
    for (const overlay of this.overlays) {
      try {
        changed += await overlay.putInPlace(states.get(overlay.device.name)!);
      } catch (error) {
        failures.push(error as Error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return changed;
  }

  /** Looks, and changes nothing. @returns for each overlay what is not as it should be */
  async plan(): Promise<OverlayPlan[]> {
    const states = await readDevices(this.overlays.map(({ device }) => device.name));
    return Promise.all(this.overlays.map((overlay) => overlay.plan(states.get(overlay.device.name))));
  }

  /** Of all overlays, with what the kernel dropped before us. */
  stats(): CounterSnapshot {
    const drops = transmitDrops();
    const full = this.overlays.reduce((sum, { device }) => sum + device.queueDrops(drops), 0);
    return withQueueDrops(this.running.engine.snapshot(), full);
  }

  /** Says of each overlay what it joins, in a line. */
  say({ underlay, port }: AgentConfig): void {
    for (const { device, config } of this.overlays) {
      const { address, device: uplink } = device.uplink;
      this.#log.info(
        `forwarding VNI ${config.vni} between ${device.name} (${device.mac}, MTU ${device.mtu}) and ` +
          `${address} port ${port} on ${uplink}, ${underlay}; ${whom(config)}`,
      );
    }
  }

  /** Ends forwarding and closes everything; devices that are not ephemeral stay. */
  async close(): Promise<void> {
    clearInterval(this.#ageing);
    this.paths.close();
    await close(this.running);
  }
}

async function close({ engine, underlay, overlays, events }: Running): Promise<void> {
  events.close();
  await engine.stop();
  underlay.close();
  for (const { device } of overlays) device.close();
}

function watchPaths({ engine, overlays }: Running, config: AgentConfig, log: Log): PathWatch {
  const { uplink } = overlays[0].device;
  const { family, port } = config;
  const mtu = Math.max(...overlays.map(({ device }: Overlay) => device.mtu));
  const paths = new PathWatch({ engine, uplink, family, port, mtu, log });
  paths.update(vtepAddresses(config.overlays), config);
  return paths;
}
