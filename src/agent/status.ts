/** Everything that `poplin status` shows, put together from what the agent holds. */
import { getSystemErrorName } from "node:util";
import type { DataplaneHealth } from "../dataplane/dataplane.ts";
import type { Refusal } from "../dataplane/loop.ts";
import { OFFLOAD_NAMES, type OffloadName, type OffloadReport } from "../dataplane/offloads.ts";
import {
  type AgentState,
  type AgentStatus,
  type HealthLine,
  type OffloadStatus,
  type OverlayStatus,
  type PathMtuStatus,
  type ReloadStatus,
  SCHEMA,
} from "./api/types.ts";
import type { AgentConfig, OverlayConfig } from "./config/load.ts";
import type { Engine } from "./engine/engine.ts";
import { reportAtThisMoment } from "./offloads.ts";
import type { Overlay } from "./overlay.ts";
import { narrowPaths } from "./path-mtu/health.ts";
import type { PathWatch } from "./path-mtu/watch.ts";
import { describePolicy } from "./policy.ts";
import { type OpenUnderlay, queueCount } from "./underlay.ts";
import { version } from "./version.ts";

/** Milliseconds for which a refused packet is worth a health line. */
const RECENT = 60_000;

/** What the status is made of. */
export interface StatusParts {
  readonly config: AgentConfig;
  readonly startedAt: Date;
  readonly loadedAt: Date;
  readonly lastReload: ReloadStatus | null;
  readonly stopping: boolean;
  /** Undefined until the dataplane is up. */
  readonly running:
    | {
        readonly overlays: readonly [Overlay, ...Overlay[]];
        readonly underlay: OpenUnderlay;
        readonly offloads: OffloadReport;
        readonly engine: Engine;
      }
    | undefined;
  /** Undefined until the paths are watched. */
  readonly paths: PathWatch | undefined;
  /** Null when the dataplane did not answer. */
  readonly health: DataplaneHealth | null;
  /** What is not as it should be at this moment, a sentence each. */
  readonly wrong: readonly string[];
}

export function describeStatus(parts: StatusParts): AgentStatus {
  const { config, running, health } = parts;
  const offloads = running && reportAtThisMoment(running.offloads, health?.offloads);
  const overlays = config.overlays.map((overlay, i) => overlayOf(parts, overlay, running?.overlays[i]));
  const peers = overlays.flatMap((overlay) => overlay.peers);
  const remotes = overlays.flatMap(({ flooding }) => flooding.remotes);
  const vteps = new Map(
    [...peers.map(({ publicIp, pathMtu }) => ({ address: publicIp, pathMtu })), ...remotes].map((vtep) => [
      vtep.address,
      vtep,
    ]),
  );
  const mtu = Math.max(...overlays.map(({ device }) => device.mtu));
  const narrow = narrowPaths([...vteps.values()], running === undefined ? 0 : mtu, config.pmtu);
  const lines = [...healthLines(parts), ...narrow];
  const wrong = lines.some(({ level }) => level === "error") || peers.some(({ state }) => state !== "ok");
  return {
    schema: SCHEMA,
    version: version(),
    pid: process.pid,
    startedAt: parts.startedAt.toISOString(),
    uptime: (Date.now() - parts.startedAt.getTime()) / 1000,
    state: stateOf(parts, wrong),
    ...overlays[0]!,
    overlays,
    underlay: underlayOf(config, running, offloads),
    memory: { rss: process.memoryUsage.rss() },
    dataplane: {
      driver: running?.engine.driver ?? "worker",
      queues: queueCount(config),
      spin: running?.engine.driver === "event-loop" ? "off" : config.spin,
      slots: health?.slots ?? null,
      lastGroup: health?.lastGroup ?? null,
    },
    offloads: offloadsOf(offloads),
    config: { file: config.file, loadedAt: parts.loadedAt.toISOString(), lastReload: parts.lastReload },
    health: lines,
  };
}

function overlayOf(
  { paths }: StatusParts,
  config: OverlayConfig,
  overlay: Overlay | undefined,
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
      return { publicIp, vtepMac, subnets, state, pathMtu: pathOf(publicIp) };
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

function stateOf({ stopping, running }: StatusParts, wrong: boolean): AgentState {
  if (stopping) return "stopping";
  if (running === undefined) return "starting";
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

function offloadsOf(report: OffloadReport | undefined): AgentStatus["offloads"] {
  const status = (name: OffloadName): OffloadStatus => {
    const why = report === undefined ? "the dataplane is not up yet" : report[name];
    return { on: why === null, why };
  };
  return Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, status(name)])) as AgentStatus["offloads"];
}

function underlayOf(
  config: AgentConfig,
  running: StatusParts["running"],
  offloads: OffloadReport | undefined,
): AgentStatus["underlay"] {
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

function healthLines({ running, health, stopping, lastReload, wrong }: StatusParts): HealthLine[] {
  const lines: HealthLine[] = [];
  const add = (level: HealthLine["level"], message: string, remedy: string | null = null): void =>
    void lines.push({ level, message, remedy });
  if (running === undefined || stopping) return lines;
  if (health === null) add("error", "the dataplane does not answer", "restart the agent");
  for (const message of running.overlays.flatMap(({ peers }) => peers.otherFailures)) {
    add("error", message, "see the agent's log");
  }
  for (const message of wrong) {
    add("error", message, `put right within half a minute, or at once: kill -HUP ${process.pid}`);
  }
  const warnings = running.overlays.flatMap(({ device }) => device.warnings);
  for (const warning of new Set(warnings)) add("warning", warning);
  if (lastReload !== null && !lastReload.ok) {
    add(
      "warning",
      `the last reload failed: ${lastReload.message}`,
      "correct what it names and reload again (SIGHUP)",
    );
  }
  const refused = (port: string, { errno, at }: Refusal): void => {
    if (errno === 0 || Date.now() - at > RECENT) return;
    add("warning", `${port}, last with ${getSystemErrorName(-errno)}`, "`poplin stats` says how many");
  };
  if (health !== null) {
    refused("the underlay refused datagrams", health.lastRefused.tx);
    refused("the TAP refused frames", health.lastRefused.rx);
  }
  return lines;
}
