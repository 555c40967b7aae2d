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
  type PathMtuStatus,
  type ReloadStatus,
  SCHEMA,
} from "./api/types.ts";
import type { AgentConfig } from "./config/load.ts";
import type { Device } from "./device.ts";
import type { Engine } from "./engine/engine.ts";
import { reportAtThisMoment } from "./offloads.ts";
import { narrowPaths } from "./path-mtu/health.ts";
import type { PathWatch } from "./path-mtu/watch.ts";
import type { Peers } from "./peers.ts";
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
        readonly device: Device;
        readonly underlay: OpenUnderlay;
        readonly offloads: OffloadReport;
        readonly engine: Engine;
        readonly peers: Peers;
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
  const pathOf = (address: string): PathMtuStatus | null => parts.paths?.statusOf(address) ?? null;
  const peers = config.peers.map(({ publicIp, vtepMac, subnets }, i) => {
    const state = running?.peers.stateOf(config.peers[i]!) ?? "not in place yet";
    return { publicIp, vtepMac, subnets, state, pathMtu: pathOf(publicIp) };
  });
  const remotes = config.remote.map((address) => ({ address, pathMtu: pathOf(address) }));
  const vteps = new Map(
    [...peers.map(({ publicIp, pathMtu }) => ({ address: publicIp, pathMtu })), ...remotes].map((vtep) => [
      vtep.address,
      vtep,
    ]),
  );
  const narrow = narrowPaths([...vteps.values()], running?.device.mtu ?? 0, config.pmtu);
  const lines = [...healthLines(parts), ...narrow];
  const wrong = lines.some(({ level }) => level === "error") || peers.some(({ state }) => state !== "ok");
  return {
    schema: SCHEMA,
    version: version(),
    pid: process.pid,
    startedAt: parts.startedAt.toISOString(),
    uptime: (Date.now() - parts.startedAt.getTime()) / 1000,
    state: stateOf(parts, wrong),
    device: {
      name: config.device,
      mac: running?.device.mac ?? config.vtepMac ?? "",
      mtu: running?.device.mtu ?? config.mtu ?? 0,
      vni: config.vni,
      addresses: config.address,
    },
    underlay: underlayOf(config, running, offloads),
    policy: describePolicy(config),
    peers,
    flooding: { group: config.group, remotes, rate: config.floodRate },
    learning: { on: config.learning, ageing: config.ageing, maxaddress: config.maxaddress },
    proxy: config.proxy,
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
    local: running?.device.uplink.address ?? config.local ?? "",
    port: config.port,
    uplink: running?.device.uplink.device ?? null,
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
  for (const message of running.peers.otherFailures) add("error", message, "see the agent's log");
  for (const message of wrong) {
    add("error", message, `put right within half a minute, or at once: kill -HUP ${process.pid}`);
  }
  for (const warning of running.device.warnings) add("warning", warning);
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
