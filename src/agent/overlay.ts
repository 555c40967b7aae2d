/**
 * One overlay of the agent: its device, and what keeps its rows in place. Several share one engine, of which each sees
 * its own part only (`engineOf`), so that what works on one overlay knows of no other.
 */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { DeviceState } from "../host/read.ts";
import { linkRepairs } from "../host/repair.ts";
import type { OverlayConfig } from "./config/load.ts";
import type { Device, Found } from "./device.ts";
import type { Engine } from "./engine/engine.ts";
import type { Command } from "./engine/protocol.ts";
import { FloodTargets } from "./flood.ts";
import type { Log } from "./log.ts";
import { Neighbours } from "./neighbours.ts";
import { Peers, type PeersMemory } from "./peers.ts";
import type { OverlayPlan } from "./plan.ts";
import { policyOf } from "./policy.ts";

/** What tells an overlay's own rows from those that somebody else has put there. */
export interface OverlayMemory {
  readonly peers: PeersMemory;
  /** Addresses of neighbours that somebody added by hand. */
  readonly neighbours: readonly string[];
  /** Where frames without a row go by the settings. */
  readonly flood: readonly string[];
}

export class Overlay {
  readonly device: Device;
  readonly peers: Peers;
  readonly neighbours: Neighbours;
  /** Asks about this overlay alone. */
  readonly engine: Engine;
  readonly #flood: FloodTargets;
  #config: OverlayConfig;

  /** @param place of the overlay in what the engine was started with */
  constructor(engine: Engine, place: number, config: OverlayConfig, device: Device, log: Log) {
    this.engine = engineOf(engine, place);
    this.device = device;
    this.peers = new Peers(this.engine, device, config.port, log, config.networks);
    this.#flood = new FloodTargets(this.engine, config.port);
    this.neighbours = new Neighbours(this.engine);
    this.#config = config;
  }

  /** What an agent that takes over has to know beside the tables themselves. */
  get memory(): OverlayMemory {
    const { peers, neighbours } = this;
    return { peers: peers.memory, neighbours: neighbours.memory, flood: this.#flood.memory };
  }

  recall({ peers, neighbours, flood }: OverlayMemory): void {
    this.peers.recall(peers);
    this.neighbours.recall(neighbours);
    this.#flood.recall(flood);
  }

  /** As of the last reload. */
  get config(): OverlayConfig {
    return this.#config;
  }

  /** What a reload changes in the dataplane's own settings. Its rows are the next comparison's. */
  async setConfig(config: OverlayConfig): Promise<void> {
    await this.engine.ask({ type: "policy", policy: policyOf(config) });
    this.#config = config;
  }

  /**
   * @param state of the device, as `lookAfter` found it
   * @returns how many rows were changed
   */
  async putInPlace(state: Found): Promise<number> {
    const { peers, remote, group, neighbours, proxy, address } = this.#config;
    return (
      (await this.neighbours.reconcile(proxy ? peers : [], neighbours)) +
      (await this.#flood.reconcile(floodTargets({ remote, group }))) +
      (await this.peers.reconcile(peers, address, state))
    );
  }

  /**
   * Looks, and changes nothing.
   * @param state of the device; undefined when there is none
   */
  async plan(state: DeviceState | undefined): Promise<OverlayPlan> {
    const { name } = this.device;
    if (state === undefined) return { device: name, gone: true, link: [], rows: [] };
    const each = [this.neighbours.plan(), this.#flood.plan(), this.peers.plan(state)];
    const rows = (await Promise.all(each)).flat();
    return { device: name, gone: false, link: linkRepairs(state.link, this.device), rows };
  }

  /** With what the kernel dropped before us. @param drops as `Device.queueDrops` */
  stats(drops?: ReadonlyMap<string, number>): CounterSnapshot {
    return withQueueDrops(this.engine.snapshot(), this.device.queueDrops(drops));
  }
}

/** @returns the counters with the frames that the kernel dropped because a device's queue was full */
export function withQueueDrops(snapshot: CounterSnapshot, full: number): CounterSnapshot {
  const { drops, ...counters } = snapshot;
  return {
    ...counters,
    drops: { ...drops, tx: { ...drops.tx, ...(full > 0 ? { FULL_RING: full } : {}) } },
  };
}

/** Where frames go that have no row. */
export function floodTargets({ group, remote }: Pick<OverlayConfig, "group" | "remote">): readonly string[] {
  return group === null ? remote : [group, ...remote];
}

/**
 * A VTEP that is ourselves would send us our own frames, and whoever is behind us would seem to be behind the tunnel. The
 * configuration's checks know our address only where it says it.
 * @returns what is wrong, null when nothing is
 */
export function ownAddress(overlays: readonly OverlayConfig[], address: string): string | null {
  for (const { remote, peers, port } of overlays) {
    if (remote.includes(address)) return `the remote ${address} is our own address`;
    const mine = peers.some((peer) => peer.publicIp === address && peer.port === port);
    if (mine) return `the peer ${address} is our own address`;
  }
  return null;
}

/** Whom an overlay sends to, for the start's line in the log. */
export function whom({ peers, remote, group }: OverlayConfig): string {
  const remotes = remote.length === 0 ? "" : `, remotes: ${remote.length}`;
  return `peers: ${peers.length}${remotes}${group === null ? "" : `, group: ${group}`}`;
}

/** Every VTEP that the configurations name, once. */
export function vtepAddresses(overlays: readonly OverlayConfig[]): string[] {
  return [
    ...new Set(
      overlays.flatMap(({ peers, remote }) => [...peers.map(({ publicIp }) => publicIp), ...remote]),
    ),
  ];
}

/** The part of an engine that is one overlay's. */
function engineOf(engine: Engine, overlay: number): Engine {
  return {
    driver: engine.driver,
    events: engine.events,
    failed: engine.failed,
    snapshot: () => engine.snapshot(overlay),
    ask: <C extends Command>(command: C) => engine.ask<C>({ ...command, overlay }),
    stop: () => engine.stop(),
  };
}
