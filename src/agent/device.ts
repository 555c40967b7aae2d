/**
 * The agent's devices: found, made or made anew, with the MAC, MTU and addresses they should have, and their queues open;
 * one for each overlay. What asks `ip` asks about all of them at once, so that a thousand take seconds and not minutes.
 * Once the agent is up a device is persistent, and outlives the agent with its addresses and rows, unless it is ephemeral:
 * then the kernel removes it with its last descriptor, however the process ends. So one that was made for an agent
 * which then does not start goes with it.
 */
import { addressesToReplay } from "../control/difference.ts";
import { overlayMtu } from "../control/mtu.ts";
import type { Offloads } from "../dataplane/offloads.ts";
import { applyHostSteps } from "../host/apply.ts";
import { HostError } from "../host/ip.ts";
import { type Link, makeWay, missing, planDevices } from "../host/link.ts";
import { randomMac } from "../host/mac.ts";
import { transmitDrops } from "../host/netdev.ts";
import { removeQueues } from "../host/qdisc.ts";
import { type DeviceState, readDevices } from "../host/read.ts";
import { linkRepairs, type Repair, repairLinks } from "../host/repair.ts";
import { refuseRouterAdvertisements } from "../host/sysctl.ts";
import type { Uplink } from "../host/uplink.ts";
import { holdersOfTaps, type ProcessName, tapHolders } from "../io/linux/holders.ts";
import { loadShim } from "../io/linux/shim.ts";
import { type OpenTap, openTap, openTapQueue } from "../io/linux/tap.ts";
import { sharedTap } from "../io/linux/tap-errors.ts";
import type { OverlayConfig } from "./config/load.ts";
import type { Log } from "./log.ts";
import { checkUnderlay, queueCount } from "./underlay.ts";

export interface Device {
  readonly name: string;
  /** Its queues: the first made or found the device. */
  readonly taps: readonly [OpenTap, ...OpenTap[]];
  readonly mac: string;
  readonly mtu: number;
  /** The interface that carries the underlay, and our address there. */
  readonly uplink: Uplink;
  /** What an operator should know, and no reason not to start. */
  readonly warnings: readonly string[];
  /** What `queueDrops` leaves out: dropped before we held the device. */
  readonly droppedBefore: number;
  /** Whether the device goes with its last descriptor. A new one does until this says otherwise. */
  setEphemeral(ephemeral: boolean): void;
  /**
   * Frames that the kernel dropped since we hold the device because its queue to us was full.
   * @param drops what `transmitDrops` says now: whoever asks about many devices reads it once
   */
  queueDrops(drops?: ReadonlyMap<string, number>): number;
  /** Closes the queues. The engine has been stopped before. */
  close(): void;
}

/**
 * Opens the devices of these overlays.
 * @param offloads what frames from them may need done
 * @throws HostError when a name is somebody else's; SystemCallError when no TAP can be had. None is open then
 */
export async function openDevices(
  configs: readonly OverlayConfig[],
  uplink: Uplink,
  offloads: Offloads,
  log: Log,
): Promise<Device[]> {
  const names = configs.map(({ device }) => device);
  const plans = await planDevices(names);
  for (const { name, decision } of plans) {
    // `host/` sees that somebody holds a device; who it is, io knows.
    const holders = decision.action === "busy" ? tapHolders(name) : [];
    if (holders.length > 0) throw sharedTap(name, holders);
  }
  await makeWay(plans, {}, async () => {
    probeTap();
    await checkUnderlay(configs[0]!, names);
  });
  const opened: OpenDevice[] = [];
  try {
    const holders = holdersOfTaps();
    configs.forEach((config, i) => {
      const { decision, before } = plans[i]!;
      if (decision.action === "recreate") log.warn(`${config.device} is made anew: ${decision.reason}`);
      opened.push(openQueues(config, uplink, offloads, before, holders));
    });
    for (const kept of await removeQueues(names)) log.debug(kept);
    const repairs = await repairLinks(opened);
    for (const { config, name, before, existed } of opened) {
      const repair = repairs.get(name)!;
      if (repair instanceof HostError) throw repair;
      if (existed) sayRepaired(name, repair, log);
      if (before !== null && !existed) await replayAddresses(config, before, log);
    }
    const drops = transmitDrops();
    const devices = opened.map((one) => deviceOf(one, uplink, drops.get(one.name) ?? 0));
    for (const text of new Set(devices.flatMap(({ warnings }) => warnings))) log.warn(text);
    return devices;
  } catch (error) {
    for (const { taps } of opened) for (const { fd } of taps) loadShim().close(fd);
    throw error;
  }
}

/** A device whose queues are open, and how it should be. */
interface OpenDevice {
  readonly config: OverlayConfig;
  readonly name: string;
  readonly taps: Device["taps"];
  readonly mac: string;
  readonly mtu: number;
  /** What had its name before. */
  readonly before: Link | null;
  /** That was the device as we make it. */
  readonly existed: boolean;
  /** About the MTU that it gets. */
  readonly warning: string | null;
}

function openQueues(
  config: OverlayConfig,
  uplink: Uplink,
  offloads: Offloads,
  before: Link | null,
  holders: (name: string) => readonly ProcessName[],
): OpenDevice {
  const { mtu, warning } = overlayMtu(config.mtu, uplink.mtu, config.family, uplink.device);
  const tap = openTap(config.device, offloads, holders);
  const { name, existed } = tap;
  const taps: [OpenTap, ...OpenTap[]] = [tap];
  try {
    while (taps.length < queueCount(config)) taps.push(openTapQueue(name, offloads));
  } catch (error) {
    for (const { fd } of taps) loadShim().close(fd);
    throw error;
  }
  const mac = config.vtepMac ?? before?.mac ?? randomMac();
  return { config, name, taps, mac, mtu, before, existed, warning };
}

/** A device that an agent before this one has open for the same overlay, and what it knew of it. */
export interface GivenDevice {
  /** Descriptors of its queues. */
  readonly queues: readonly number[];
  readonly mac: string;
  readonly droppedBefore: number;
}

/** Takes over open devices as they are. What is to be different of them, `lookAfter` puts right. */
export function adoptDevices(
  configs: readonly OverlayConfig[],
  uplink: Uplink,
  given: readonly GivenDevice[],
): Device[] {
  return configs.map((config, i) => {
    const { queues, mac: macBefore, droppedBefore } = given[i]!;
    const { mtu, warning } = overlayMtu(config.mtu, uplink.mtu, config.family, uplink.device);
    const { device: name, vtepMac } = config;
    const taps = queues.map((fd) => ({ fd, name, existed: true })) as unknown as Device["taps"];
    const mac = vtepMac ?? macBefore;
    return deviceOf(
      { config, name, taps, mac, mtu, before: null, existed: true, warning },
      uplink,
      droppedBefore,
    );
  });
}

/**
 * Whether a TAP can be had at all: makes one of a free name, which goes with its descriptor. Somebody's device is
 * deleted only after that.
 */
function probeTap(): void {
  loadShim().close(openTap("poplin%d").fd);
}

/** What there is of a device, or why that is not known, or not as it should be. */
export type Found = DeviceState | HostError;

/**
 * Puts MAC, MTU and "up" of devices right where somebody has changed them, and reads what there is then.
 * @param log told of what was not as we had left it
 * @returns by name; all of them
 */
export async function lookAfter(devices: readonly Device[], log: Log): Promise<ReadonlyMap<string, Found>> {
  const found = await readAll(devices);
  const off = devices.filter((device) => {
    const state = found.get(device.name)!;
    return !(state instanceof HostError) && linkRepairs(state.link, device).length > 0;
  });
  if (off.length === 0) return found;
  const repairs = await repairLinks(off).catch((error) => sameForAll(off, error));
  // The repair may have cost some of the device's rows.
  const after = await readAll(off);
  for (const { name } of off) {
    const repair = repairs.get(name)!;
    if (!(repair instanceof HostError)) sayRepaired(name, repair, log);
    found.set(name, repair instanceof HostError ? repair : after.get(name)!);
  }
  return found;
}

async function readAll(devices: readonly Device[]): Promise<Map<string, Found>> {
  try {
    const states = await readDevices(devices.map(({ name }) => name));
    return new Map(devices.map(({ name }) => [name, states.get(name) ?? missing(name)]));
  } catch (error) {
    return sameForAll(devices, error);
  }
}

/** One error, of what was asked about all of them. @throws what is no HostError */
function sameForAll(devices: readonly Device[], error: unknown): Map<string, HostError> {
  if (!(error instanceof HostError)) throw error;
  return new Map(devices.map(({ name }) => [name, error]));
}

function sayRepaired(name: string, { repaired }: Repair, log: Log): void {
  if (repaired.length > 0)
    log.warn(`${name} was not as it should be: set ${repaired.join(", ")}`, { device: name });
}

/** A device that had to be made anew gets back what somebody else had put on the one before. */
async function replayAddresses(config: OverlayConfig, before: Link, log: Log): Promise<void> {
  const cidrs = addressesToReplay(before.addresses, config.address);
  const steps = cidrs.map((cidr) => ({ table: "address", op: "replace", cidr }) as const);
  const results = await applyHostSteps(config.device, steps);
  results.forEach((reason, i) => {
    if (reason !== null)
      log.warn(`address ${cidrs[i]} could not be put on the new ${config.device}: ${reason}`);
  });
}

function deviceOf(
  { config, name, taps, mac, mtu, warning }: OpenDevice,
  uplink: Uplink,
  droppedBefore: number,
): Device {
  let open = true;
  const advertisements = refuseRouterAdvertisements(config.device);
  return {
    name,
    taps,
    mac,
    mtu,
    uplink,
    droppedBefore,
    warnings: [warning, advertisements].filter((text) => text !== null),
    setEphemeral: (ephemeral) => loadShim().tapPersist(taps[0].fd, !ephemeral),
    queueDrops: (drops = transmitDrops()) => Math.max(0, (drops.get(name) ?? 0) - droppedBefore),
    close: () => {
      if (open) for (const tap of taps) loadShim().close(tap.fd);
      open = false;
    },
  };
}
