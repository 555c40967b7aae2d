/**
 * What the peers need, kept in place: compares what the kernel and the dataplane have with what the leases ask for,
 * and carries out the difference. Remembers what is wrong with whom, for `poplin status`.
 */
import { addressBytes } from "../control/address.ts";
import { applyPlan, type Executor, type Failure, type Outcome } from "../control/apply.ts";
import { desiredRows } from "../control/desired.ts";
import { difference, isEmpty, type Plan } from "../control/difference.ts";
import { type Lease, sameLease } from "../control/lease.ts";
import { describeStep, type FdbStep, type FdbTarget, type RouteRow, toFdbChange } from "../control/rows.ts";
import type { FdbChange, FdbRefusal, FdbRow, FdbUpdate } from "../dataplane/options.ts";
import { isGroup } from "../fdb/fdb.ts";
import { applyHostSteps } from "../host/apply.ts";
import { readDirectRoutes } from "../host/direct.ts";
import { HostError } from "../host/ip.ts";
import type { DeviceState } from "../host/read.ts";
import { parseMac } from "../wire/bytes.ts";
import type { Device, Found } from "./device.ts";
import type { Engine } from "./engine/engine.ts";
import { FDB_REFUSALS } from "./fdb-change.ts";
import type { Log } from "./log.ts";

/** Rows that the dataplane changes between two turns: about half a millisecond. */
const CHANGES_AT_ONCE = 256;

const NO_ROWS: Pick<DeviceState, "neighbours" | "routes"> = { neighbours: [], routes: [] };

/** What an agent that takes over has to know to tell what is ours from what is others'. */
export interface PeersMemory {
  /** MACs of rows that somebody added by hand. */
  readonly manual: readonly string[];
  /** Addresses that we put on the device; null where that is not known. */
  readonly ownAddresses: readonly string[] | null;
  readonly hadLeases: boolean;
  readonly strangersStay: boolean;
}

export class Peers {
  readonly #engine: Engine;
  readonly #device: Device;
  readonly #port: number;
  readonly #networks: readonly string[];
  readonly #log: Log;
  /** MACs of rows that somebody added by hand: a reconciliation leaves them alone. */
  readonly #manual = new Set<string>();
  #leases: readonly Lease[] = [];
  #addresses: readonly string[] = [];
  /** Addresses that we put on the device; undefined until we know. */
  #ownAddresses: readonly string[] | undefined;
  #failures: readonly Failure[] = [];
  /** Leases of the last comparison that came to its end, by their MACs. */
  #placed: ReadonlyMap<string, Lease> = new Map();
  #hadLeases = false;
  /**
   * Without a peer from the start, as a port of a bridge is, the device's neighbours and routes are whoever's: only the first
   * comparison takes away what an earlier run has left.
   */
  #strangersStay = false;
  /** No lease is direct, and what an earlier one left is gone: nobody need ask for direct routes. */
  #noDirect = false;
  /** Why the last reconciliation ended before its end; null when it did not. */
  #broken: string | null = null;

  /**
   * @param port the VTEPs' UDP port where nobody says otherwise
   * @param networks in which direct routes through the uplink are ours; none: no lease is direct, and never was
   */
  constructor(engine: Engine, device: Device, port: number, log: Log, networks: readonly string[] = []) {
    this.#engine = engine;
    this.#device = device;
    this.#port = port;
    this.#log = log;
    this.#networks = networks;
  }

  get memory(): PeersMemory {
    const own = this.#ownAddresses;
    return {
      manual: [...this.#manual],
      ownAddresses: own === undefined ? null : own,
      hadLeases: this.#hadLeases,
      strangersStay: this.#strangersStay,
    };
  }

  recall({ manual, ownAddresses, hadLeases, strangersStay }: PeersMemory): void {
    for (const mac of manual) this.#manual.add(mac);
    this.#ownAddresses = ownAddresses ?? undefined;
    this.#hadLeases = hadLeases;
    this.#strangersStay = strangersStay;
  }

  /** What is wrong with a peer as of the last reconciliation, or "ok". */
  stateOf(lease: Lease): string {
    if (this.#broken !== null) return `its rows could not be compared: ${this.#broken}`;
    const placed = this.#placed.get(lease.vtepMac);
    if (placed === undefined || !sameLease(placed, lease)) return "not in place yet";
    const mine = this.#failures.filter((failure) => failure.lease?.vtepMac === lease.vtepMac);
    return mine.length === 0 ? "ok" : mine.map(describeFailure).join("; ");
  }

  /** What went wrong and concerns no peer. */
  get otherFailures(): string[] {
    if (this.#broken !== null) return [this.#broken];
    return this.#failures.filter(({ lease }) => lease === null).map(describeFailure);
  }

  /**
   * Makes device, kernel and dataplane agree with these leases and addresses. One peer that fails does not stop the
   * others.
   * @param state of the device, as `lookAfter` found it
   * @returns how many rows were changed
   * @throws HostError when there is no device, or nothing can be asked or told
   */
  async reconcile(leases: readonly Lease[], addresses: readonly string[], state: Found): Promise<number> {
    this.#leases = leases;
    this.#addresses = addresses;
    this.#hadLeases ||= leases.length > 0;
    const noneDirect = leases.every(({ direct }) => direct === undefined);
    this.#noDirect &&= noneDirect;
    if (this.#hadLeases) this.#strangersStay = false;
    // A MAC that a lease has is no longer somebody's own: when the lease goes, its row goes.
    for (const { vtepMac } of leases) this.#manual.delete(vtepMac);
    try {
      if (state instanceof HostError) throw state;
      const outcome = await this.#reconcile(addresses, state);
      this.#broken = null;
      this.#placed = new Map(leases.map((lease) => [lease.vtepMac, lease]));
      this.#tell(outcome.failures);
      this.#failures = outcome.failures;
      this.#strangersStay = !this.#hadLeases;
      this.#noDirect = noneDirect && outcome.failures.length === 0;
      return outcome.done;
    } catch (error) {
      this.#broken = (error as Error).message;
      throw error;
    }
  }

  /** What fails again and again is no news. */
  #tell(failures: readonly Failure[]): void {
    const told = new Set(this.#failures.map(describeFailure));
    for (const failure of failures) {
      const text = describeFailure(failure);
      const peer = failure.lease === null ? {} : { peer: failure.lease.publicIp };
      if (!told.has(text)) this.#log.error(text, { device: this.#device.name, ...peer });
    }
  }

  /**
   * Looks, and changes nothing.
   * @param state of the device
   * @returns what a comparison would change for the leases and addresses of the last one
   */
  async plan(state: DeviceState): Promise<string[]> {
    // Setting the MAC costs the device its neighbours (`host/repair.ts`): they are all to be made again then.
    const kept = state.link.mac === this.#device.mac ? state : { ...state, neighbours: [] };
    const { leases, removals, addAddresses, removeAddresses } = await this.#plan(kept);
    const rows = leases.flatMap(({ changes }) => changes.map(({ step }) => step));
    return [...addAddresses, ...rows, ...removals, ...removeAddresses].map(describeStep);
  }

  /** What has to change for the present leases and addresses. */
  async #plan({ link, ...host }: DeviceState): Promise<Plan> {
    const { neighbours, routes } = this.#strangersStay ? NO_ROWS : host;
    const [fdb, direct] = await Promise.all([this.#engine.ask({ type: "rows" }), this.#directRoutes()]);
    // What is learned comes and goes by itself, and rows of several VTEPs are no peer's.
    const rows = fdb.filter(({ state, mac }) => state === "permanent" && !isGroupMac(mac));
    const all = [...routes, ...direct];
    const actual = { neighbours, routes: all, addresses: link.addresses, fdb: rows.map(targetOf) };
    const own = this.#ownAddresses;
    return difference(actual, desiredRows(this.#leases, this.#addresses), {
      manualFdb: this.#manual,
      ...(own === undefined ? {} : { ownAddresses: own }),
    });
  }

  async #directRoutes(): Promise<readonly RouteRow[]> {
    const networks = this.#networks;
    if (networks.length === 0 || this.#noDirect) return [];
    return readDirectRoutes({ uplink: this.#device.uplink.device, networks });
  }

  async #reconcile(addresses: readonly string[], state: DeviceState): Promise<Outcome> {
    const plan = await this.#plan(state);
    const own = this.#ownAddresses;
    // Until all is done, what we had put there and what we put there now are both ours to take away.
    this.#ownAddresses = own === undefined ? own : [...new Set([...own, ...addresses])];
    const outcome = isEmpty(plan) ? { done: 0, failures: [] } : await applyPlan(plan, this.#executor);
    if (!outcome.failures.some(({ step }) => step.table === "address")) this.#ownAddresses = addresses;
    return outcome;
  }

  /** Changes one row by hand. @returns null, or why it was not made */
  async change(change: FdbChange): Promise<FdbRefusal | null> {
    const [refusal] = await this.#engine.ask({ type: "update", changes: [this.#update(change)] });
    if (refusal === null) {
      if (change.op === "del") this.#manual.delete(change.mac);
      else if (!this.#leases.some(({ vtepMac }) => vtepMac === change.mac)) this.#manual.add(change.mac);
    }
    return refusal!;
  }

  readonly #executor: Executor = {
    host: (steps) => applyHostSteps(this.#device.name, steps),
    fdb: async (steps: readonly FdbStep[]) => {
      const changes = steps.map((step) => this.#update(toFdbChange(step)));
      const refusals: (FdbRefusal | null)[] = [];
      // In pieces, between which packets move.
      for (let at = 0; at < changes.length; at += CHANGES_AT_ONCE) {
        const piece = changes.slice(at, at + CHANGES_AT_ONCE);
        refusals.push(...(await this.#engine.ask({ type: "update", changes: piece })));
      }
      return refusals.map((refusal) => (refusal === null ? null : FDB_REFUSALS[refusal]));
    },
  };

  #update({ op, mac, dst, port = this.#port }: FdbChange): FdbUpdate {
    return { op, mac, port, address: dst === undefined ? new Uint8Array(0) : addressBytes(dst) };
  }
}

function isGroupMac(text: string): boolean {
  const { hi, lo } = parseMac(text);
  return isGroup(hi, lo);
}

function targetOf({ mac, dst, port }: FdbRow): FdbTarget {
  return { mac, dst, port };
}

function describeFailure({ lease, step, reason }: Failure): string {
  const whose = lease === null ? "" : `peer ${lease.publicIp}: `;
  return `${whose}${describeStep(step)}: ${reason}`;
}
