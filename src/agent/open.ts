/**
 * Everything that an agent needs open to forward, in the order in which one thing needs the other:
 *
 *   find the uplink → try the offloads → make or take over the devices → open the underlay → run the dataplane
 *
 * What fails on the way leaves nothing open.
 */
import type { OffloadReport } from "../dataplane/offloads.ts";
import type { OverlayOptions } from "../dataplane/options.ts";
import { HostError } from "../host/ip.ts";
import { transmitDrops } from "../host/netdev.ts";
import { findUplink, type Uplink } from "../host/uplink.ts";
import { type BatchSockets, groupsOf } from "./batch-sockets.ts";
import type { AgentConfig, OverlayConfig } from "./config/load.ts";
import { adoptDevices, type Device, type GivenDevice, openDevices } from "./device.ts";
import type { Engine } from "./engine/engine.ts";
import { EventHub } from "./events.ts";
import { FloodTargets } from "./flood.ts";
import type { Log } from "./log.ts";
import { decideOffloads, inUse, tryHairpin, tryTap, tryUdp } from "./offloads.ts";
import { floodTargets, Overlay, ownAddress, vtepAddresses } from "./overlay.ts";
import { headerOptions, policyOf } from "./policy.ts";
import { type OpenUnderlay, openUnderlay, unmetSettings } from "./underlay.ts";

/** Everything that is open while the agent runs. */
export interface Running {
  /** At least one, in the order of the configuration. */
  readonly overlays: readonly [Overlay, ...Overlay[]];
  readonly underlay: OpenUnderlay;
  /** Why each offload is not in use, as of the start; null for one that is. */
  readonly offloads: OffloadReport;
  readonly engine: Engine;
  readonly events: EventHub;
}

/** What is found out before anything is opened. */
export interface Ground {
  readonly uplink: Uplink;
  readonly offloads: OffloadReport;
}

/** What an agent before this one has open for the same. */
export interface Given {
  readonly ground: Ground;
  /** In the order of the overlays. */
  readonly devices: readonly GivenDevice[];
  readonly sockets: BatchSockets;
  /** Becomes true when it is `open`'s to close. */
  taken: boolean;
}

/** Looks where the underlay is, and what can be done for many packets at once. @throws HostError */
export async function survey(config: AgentConfig): Promise<Ground> {
  // First, as its device goes in the background while others work.
  const tried = tryTap(config);
  const uplink = await findUplink({
    local: config.local,
    device: config.dev,
    towards: vtepAddresses(config.overlays)[0] ?? groupsOf(config)[0] ?? null,
    family: config.family,
  });
  const { address } = uplink;
  const ourselves = ownAddress(config.overlays, address);
  if (ourselves !== null)
    throw new HostError("HOST_OWN_ADDRESS", ourselves, "leave it out: it is the others'");
  const found = { ...tried, ...tryUdp(config, address), ...tryHairpin(config, address) };
  return { uplink, offloads: decideOffloads(config, found) };
}

/**
 * Opens everything, and forwards from then on.
 * @param given what is taken over instead: then no packet moves before the engine's command `release`
 * @throws HostError, SystemCallError, and what the underlay throws: what was given is closed then, too
 */
export async function open(config: AgentConfig, log: Log, given: Given | null = null): Promise<Running> {
  const { uplink, offloads } = given?.ground ?? (await survey(config));
  const devices =
    given === null
      ? await openDevices(config.overlays, uplink, inUse(offloads), log)
      : adoptDevices(config.overlays, uplink, given.devices);
  if (given !== null) given.taken = true;
  try {
    return await openOn(devices, config, { uplink, offloads }, log, given?.sockets ?? null);
  } catch (error) {
    for (const device of devices) device.close();
    throw error;
  }
}

async function openOn(
  devices: readonly Device[],
  config: AgentConfig,
  { uplink, offloads }: Ground,
  log: Log,
  given: BatchSockets | null,
): Promise<Running> {
  const underlay = await openUnderlay(config, uplink, offloads, given);
  const unmet = config.overlays.flatMap((overlay) => unmetSettings(overlay, underlay.capabilities));
  const warnings = [...underlay.warnings, ...new Set(unmet)];
  for (const warning of warnings) log.warn(warning);
  let engine: Engine;
  try {
    const { flowLabel } = headerOptions(config);
    const options = config.overlays.map((overlay, i) => optionsOf(overlay, devices[i]!));
    const taps = devices.map((device) => device.taps);
    const shared = { offloads: inUse(offloads), flowLabel };
    engine = await underlay.start(shared, options, taps, given !== null);
  } catch (error) {
    underlay.close();
    throw error;
  }
  const overlays = config.overlays.map(
    (overlay, i) => new Overlay(engine, i, overlay, devices[i]!, log),
  ) as unknown as Running["overlays"];
  return {
    overlays,
    underlay: { ...underlay, warnings },
    offloads,
    engine,
    events: new EventHub(
      engine.events,
      new Map(overlays.map(({ config, device }) => [config.vni, device.name])),
      () => {
        const queues = transmitDrops();
        return new Map(overlays.map((overlay) => [overlay.config.vni, overlay.stats(queues).drops]));
      },
      { address: devices[0]!.uplink.address, port: config.overlays[0]!.port },
    ),
  };
}

/** What the dataplane is told of an overlay. */
function optionsOf(overlay: OverlayConfig, { mac, mtu }: Device): OverlayOptions {
  const { vni, port } = overlay;
  const { ttl, df } = headerOptions(overlay);
  const rows = FloodTargets.rows(floodTargets(overlay), port);
  return { vni, port, mac, mtu, rows, ...policyOf(overlay), ttl, df };
}
