/** Everything that `poplin status` shows, put together from what the agent holds. */
import { OFFLOAD_NAMES, type OffloadName, type OffloadReport } from "../dataplane/offloads.ts";
import type { ClusterView } from "./api/cluster-types.ts";
import { SCHEMA } from "./api/schema.ts";
import type {
  AgentState,
  AgentStatus,
  CarrierStatus,
  OffloadStatus,
  OverlayStatus,
  PathMtuStatus,
  PeerStatus,
  UnderlayStatus,
} from "./api/status-types.ts";
import { clusterLines, leasesByMac } from "./cluster.ts";
import type { AgentConfig, OverlayConfig } from "./config/load.ts";
import { type HealthParts, healthLines } from "./health.ts";
import type { CarrierParts } from "./look.ts";
import { reportAtThisMoment } from "./offloads.ts";
import type { Overlay } from "./overlay.ts";
import { describePolicy } from "./policy.ts";
import { neededBy } from "./privileges.ts";
import { queueCount } from "./underlay.ts";
import { version } from "./version.ts";

/** What the status is made of. */
export interface StatusParts extends HealthParts {
  readonly startedAt: Date;
  readonly loadedAt: Date;
  /** Null where the peers are not a flannel cluster's. */
  readonly cluster: ClusterView | null;
}

export function describeStatus(parts: StatusParts): AgentStatus {
  const { carriers, lastReload } = parts;
  const cluster = parts.cluster?.status() ?? null;
  const leases = leasesByMac(parts.cluster?.leases() ?? []);
  const { config } = carriers[0]!;
  const underlays = carriers.map(carrierOf);
  const each = carriers.map((carrier) =>
    carrier.config.overlays.map((one, i) => overlayOf(carrier, one, carrier.running?.overlays[i], leases)),
  );
  const overlays = each.flat();
  const lines = [...healthLines(parts, each), ...clusterLines(cluster)];
  const failing = overlays.some(({ peers }) => peers.some(({ state }) => state !== "ok"));
  const wrong = lines.some(({ level }) => level === "error") || failing;
  const { devices: _devices, dataplane, offloads, ...underlay } = underlays[0]!;
  return {
    schema: SCHEMA,
    version: version(),
    pid: process.pid,
    startedAt: parts.startedAt.toISOString(),
    uptime: process.uptime(),
    state: stateOf(parts, wrong),
    ...overlays[0]!,
    overlays,
    underlay,
    memory: { rss: process.memoryUsage.rss() },
    privileges: neededBy(
      carriers.map((carrier) => carrier.config),
      cluster?.firewall.kind ?? null,
    ),
    dataplane,
    offloads,
    underlays,
    config: { file: config.file, loadedAt: parts.loadedAt.toISOString(), lastReload },
    health: lines,
    cluster,
  };
}

function carrierOf({ config, running, health }: CarrierParts): CarrierStatus {
  const offloads = running && reportAtThisMoment(running.offloads, health?.offloads);
  return {
    ...underlayOf(config, running, offloads),
    devices: config.overlays.map(({ device }) => device),
    dataplane: {
      driver: running?.engine.driver ?? "worker",
      queues: queueCount(config),
      spin: running?.engine.driver === "event-loop" ? "off" : config.spin,
      slots: health?.slots ?? null,
      lastGroup: health?.lastGroup ?? null,
    },
    offloads: offloadsOf(offloads),
  };
}

function overlayOf(
  { paths }: CarrierParts,
  config: OverlayConfig,
  overlay: Overlay | undefined,
  leases: ReadonlyMap<string, PeerStatus["lease"]>,
): OverlayStatus {
  const pathOf = (address: string): PathMtuStatus | null => paths?.statusOf(address) ?? null;
  return {
    device: {
      name: config.device,
      mac: overlay?.device.mac ?? config.vtepMac ?? "",
      mtu: overlay?.device.mtu ?? config.mtu ?? 0,
      vni: config.vni,
      addresses: config.address,
    },
    policy: describePolicy(config),
    peers: config.peers.map((peer) => {
      const { publicIp, vtepMac, subnets } = peer;
      const state = overlay?.peers.stateOf(peer) ?? "not in place yet";
      const lease = leases.get(vtepMac) ?? null;
      return { publicIp, vtepMac, subnets, state, pathMtu: pathOf(publicIp), lease };
    }),
    flooding: {
      group: config.group,
      remotes: config.remote.map((address) => ({ address, pathMtu: pathOf(address) })),
      rate: config.floodRate,
    },
    learning: { on: config.learning, ageing: config.ageing, maxaddress: config.maxaddress },
    proxy: config.proxy,
  };
}

function stateOf({ stopping, started, carriers }: StatusParts, wrong: boolean): AgentState {
  if (stopping) return "stopping";
  if (!started || carriers.every(({ running }) => running === undefined)) return "starting";
  return wrong ? "degraded" : "running";
}

const NOTHING = {
  sendTos: false,
  recvTos: false,
  df: false,
  ttl: false,
  ttlPerPacket: false,
  flowLabel: false,
  acceptsNoCheck6: false,
  sourcePort: false,
  gso: false,
  gro: false,
  checksum: "computed",
} as const;

function offloadsOf(report: OffloadReport | undefined): CarrierStatus["offloads"] {
  const status = (name: OffloadName): OffloadStatus => {
    const why = report === undefined ? "the dataplane is not up yet" : report[name];
    return { on: why === null, why };
  };
  return Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, status(name)])) as CarrierStatus["offloads"];
}

function underlayOf(
  config: AgentConfig,
  running: CarrierParts["running"],
  offloads: OffloadReport | undefined,
): UnderlayStatus {
  const capabilities = running?.underlay.capabilities ?? NOTHING;
  return {
    kind: config.underlay,
    family: config.family,
    local: running?.overlays[0].device.uplink.address ?? config.local ?? "",
    port: config.port,
    uplink: running?.overlays[0].device.uplink.device ?? null,
    capabilities: { ...capabilities, gso: capabilities.gso && offloads?.["udp-gso"] === null },
    receiveBuffer: running?.underlay.receiveBuffer ?? 0,
    sendBuffer: running?.underlay.sendBuffer ?? 0,
    warnings: running?.underlay.warnings ?? [],
  };
}
