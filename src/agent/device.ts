/**
 * The agent's device: found, made or made anew, with the MAC, MTU and addresses it should have, and its queues open.
 * Once the agent is up it is persistent, and outlives the agent with its addresses and rows, unless it is ephemeral:
 * then the kernel removes it with its last descriptor, however the process ends. So one that was made for an agent
 * which then does not start goes with it.
 */
import { addressesToReplay } from "../control/difference.ts";
import { overlayMtu } from "../control/mtu.ts";
import type { Offloads } from "../dataplane/offloads.ts";
import { applyHostSteps } from "../host/apply.ts";
import { HostError } from "../host/ip.ts";
import { type Link, prepareDevice, repairLink, type WantedLink } from "../host/link.ts";
import { randomMac } from "../host/mac.ts";
import { transmitDrops } from "../host/netdev.ts";
import { removeQueue } from "../host/qdisc.ts";
import { refuseRouterAdvertisements } from "../host/sysctl.ts";
import type { Uplink } from "../host/uplink.ts";
import { tapHolders } from "../io/linux/holders.ts";
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
  /** Whether the device goes with its last descriptor. A new one does until this says otherwise. */
  setEphemeral(ephemeral: boolean): void;
  /** Puts MAC, MTU and "up" right where somebody has changed them. Compare the rows afterwards: it may cost some. */
  repair(log: Log): Promise<void>;
  /** Frames that the kernel dropped since we hold the device because its queue to us was full. */
  queueDrops(): number;
  /** Closes the queues. The engine has been stopped before. */
  close(): void;
}

/**
 * Opens the device.
 * @param offloads what frames from it may need done
 * @param ours names of all devices of the agent's, of which it is one: the kernel's of these names will not stay
 * @throws HostError when the name is somebody else's; SystemCallError when no TAP can be had
 */
export async function openDevice(
  config: OverlayConfig,
  uplink: Uplink,
  offloads: Offloads,
  log: Log,
  ours: readonly string[],
): Promise<Device> {
  const { mtu, warning } = overlayMtu(config.mtu, uplink.mtu, config.family, uplink.device);
  const rehearse = async (): Promise<void> => {
    probeTap();
    await checkUnderlay(config, ours);
  };
  const { decision, before } = await prepareDevice(config.device, {}, rehearse).catch((error) => {
    throw withHolders(error, config.device);
  });
  if (decision.action === "recreate") log.warn(`${config.device} is made anew: ${decision.reason}`);
  const tap = openTap(config.device, offloads);
  const taps: [OpenTap, ...OpenTap[]] = [tap];
  try {
    while (taps.length < queueCount(config)) taps.push(openTapQueue(tap.name, offloads));
    const mac = config.vtepMac ?? before?.mac ?? randomMac();
    const unqueued = removeQueue(config.device);
    await repair(config.device, { mac, mtu }, tap.existed ? log : null);
    const queued = await unqueued;
    if (queued !== null) log.debug(queued);
    if (before !== null && !tap.existed) await replayAddresses(config, before, log);
    const advertisements = refuseRouterAdvertisements(config.device);
    const warnings = [warning, advertisements].filter((text) => text !== null);
    for (const text of warnings) log.warn(text);
    return deviceOf(taps, mac, mtu, uplink, warnings);
  } catch (error) {
    for (const { fd } of taps) loadShim().close(fd);
    throw error;
  }
}

/**
 * Whether a TAP can be had at all: makes one of a free name, which goes with its descriptor. Somebody's device is
 * deleted only after that.
 */
function probeTap(): void {
  loadShim().close(openTap("poplin%d").fd);
}

/** `host/` sees that somebody holds the device; who it is, io knows. */
function withHolders(error: unknown, name: string): unknown {
  const holders = error instanceof HostError && error.code === "HOST_DEVICE_BUSY" ? tapHolders(name) : [];
  return holders.length > 0 ? sharedTap(name, holders) : error;
}

/** @param log told of what was not as we had left it; null for a device that is new */
async function repair(name: string, wanted: WantedLink, log: Log | null): Promise<void> {
  const { repaired } = await repairLink(name, wanted);
  if (repaired.length > 0) log?.warn(`${name} was not as it should be: set ${repaired.join(", ")}`);
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
  taps: Device["taps"],
  mac: string,
  mtu: number,
  uplink: Uplink,
  warnings: readonly string[],
): Device {
  let open = true;
  const [{ fd, name }] = taps;
  const droppedBefore = transmitDrops(name);
  return {
    name,
    taps,
    mac,
    mtu,
    uplink,
    warnings,
    repair: (log) => repair(name, { mac, mtu }, log),
    setEphemeral: (ephemeral) => loadShim().tapPersist(fd, !ephemeral),
    queueDrops: () => Math.max(0, transmitDrops(name) - droppedBefore),
    close: () => {
      if (open) for (const tap of taps) loadShim().close(tap.fd);
      open = false;
    },
  };
}
