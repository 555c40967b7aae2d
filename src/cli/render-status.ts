/**
 * `poplin status` as text: what runs, what it was told, its peers, and what is wrong with it, each trouble with its
 * cause and the next command. Pure: the command (`status.ts`) asks the agent and prints.
 */
import {
  type AgentStatus,
  failures,
  type HealthLine,
  type PeerStatus,
  type StatsAnswer,
} from "../agent/api/types.ts";
import type { UnderlayCapabilities } from "../dataplane/ports.ts";
import {
  ago,
  bytes,
  count,
  duration,
  hang,
  paint,
  plural,
  type Style,
  table,
  widthOf,
  wrap,
} from "./output.ts";
import { totalDrops } from "./render-stats.ts";

const STATE_COLOR = { running: "green", starting: "yellow", degraded: "yellow", stopping: "yellow" } as const;
const LEVEL_COLOR = { info: "cyan", warning: "yellow", error: "red" } as const;

/**
 * @param stats null when the agent did not tell them
 * @param now milliseconds since 1970
 */
export function renderStatus(
  status: AgentStatus,
  stats: StatsAnswer | null,
  style: Style,
  now: number,
): string[] {
  return [
    ...head(status, stats, style, now),
    "",
    ...peers(status.peers, style),
    "",
    ...health(status, style),
  ];
}

/** One line when all is well, the reasons below it when not: for scripts and for people in a hurry. */
export function renderBrief(status: AgentStatus, style: Style): string[] {
  const reasons = failures(status);
  const what = `${status.device.name}, VNI ${status.device.vni}, ${plural(status.peers.length, "peer")}`;
  const verdict = reasons.length === 0 ? paint(style, "green", "ok") : paint(style, "red", "not ok");
  return [
    `${verdict}: ${status.state}, up ${duration(status.uptime)}, ${what}`,
    ...reasons.flatMap((reason) => hang("  ", reason, style.width)),
  ];
}

function head(status: AgentStatus, stats: StatsAnswer | null, style: Style, now: number): string[] {
  const { device, underlay, policy } = status;
  const state = paint(style, STATE_COLOR[status.state], status.state);
  const title = paint(style, "bold", `poplin ${status.version}`);
  const rows: [string, string][] = [
    ["device", `${device.name}, VNI ${device.vni}, MTU ${device.mtu}, ${device.mac}`],
    ["address", device.addresses.join(", ") || "none"],
    ["underlay", underlayText(status)],
    ...capabilityRows(underlay.capabilities),
    ["buffers", `receive ${size(underlay.receiveBuffer)}, send ${size(underlay.sendBuffer)}`],
    ["policy", `senderCheck ${policy.senderCheck}, reservedBits ${policy.reservedBits}`],
    ["outer", `TOS ${tosText(policy.tos)}, TTL ${policy.ttl}, DF ${policy.df}`],
    ["dataplane", dataplaneText(status)],
  ];
  if (stats !== null) rows.push(["traffic", trafficText(stats)]);
  rows.push(["memory", bytes(status.memory.rss)]);
  rows.push([
    "config",
    `${status.config.file ?? "flags and environment"}, loaded ${ago(status.config.loadedAt, now)}`,
  ]);
  const reload = status.config.lastReload;
  if (reload !== null) {
    const verdict = reload.ok ? "" : `${paint(style, "red", "failed")} `;
    rows.push(["reload", `${verdict}${ago(reload.at, now)}: ${reload.message}`]);
  }
  return [
    `${title}: ${state}, up ${duration(status.uptime)}, pid ${status.pid}`,
    ...rows.flatMap(([name, text]) => hang(`  ${name.padEnd(11)}`, text, style.width)),
  ];
}

function underlayText({ underlay }: AgentStatus): string {
  const local = underlay.family === 6 ? `[${underlay.local}]` : underlay.local;
  const uplink = underlay.uplink === null ? "" : ` over ${underlay.uplink}`;
  return `${underlay.kind}, UDP ${local}:${underlay.port}${uplink}`;
}

const CAPABILITIES: readonly [keyof UnderlayCapabilities, string][] = [
  ["sendTos", "send TOS"],
  ["recvTos", "receive TOS"],
  ["df", "DF"],
  ["ttl", "TTL"],
  ["sourcePort", "source port per flow"],
  ["gso", "GSO"],
  ["gro", "GRO"],
];

function capabilityRows(capabilities: UnderlayCapabilities): [string, string][] {
  const names = (wanted: boolean): string =>
    CAPABILITIES.filter(([key]) => capabilities[key] === wanted)
      .map(([, name]) => name)
      .join(", ");
  const rows: [string, string][] = [
    ["  can", [names(true), `UDP checksum ${capabilities.checksum}`].filter(Boolean).join(", ")],
  ];
  if (names(false) !== "") rows.push(["  cannot", names(false)]);
  return rows;
}

/** 0 is what an underlay reports that does not know. */
function size(n: number): string {
  return n === 0 ? "unknown" : bytes(n);
}

function tosText(tos: "inherit" | number): string {
  return tos === "inherit" ? tos : `0x${tos.toString(16).padStart(2, "0")}`;
}

function dataplaneText({ dataplane }: AgentStatus): string {
  const { driver, slots } = dataplane;
  if (slots === null) return driver;
  const part = (name: string, free: number, all: number): string => `${count(free)} of ${count(all)} ${name}`;
  return `${driver}, slots free: ${part("tx", slots.tx.free, slots.tx.count)}, ${part("rx", slots.rx.free, slots.rx.count)}`;
}

function trafficText(stats: StatsAnswer): string {
  const dropped = totalDrops(stats);
  return (
    `${bytes(stats.txBytes)} in ${plural(stats.txFrames, "frame")} sent, ` +
    `${bytes(stats.rxBytes)} in ${plural(stats.rxFrames, "frame")} received, ${count(dropped)} dropped` +
    (dropped > 0 ? " (`poplin stats` says why)" : "")
  );
}

const IP = { title: "PUBLIC IP" };
const MAC = { title: "VTEP MAC" };
const SUBNET = { title: "SUBNET" };
const STATE = { title: "STATE" };

function peers(all: readonly PeerStatus[], style: Style): string[] {
  if (all.length === 0) return ["no peers: nothing is forwarded until the configuration names one"];
  const inner = { ...style, width: style.width - 2 };
  const wide = peerTable(all, inner);
  const lines = wide.some((line) => widthOf(line) > inner.width) ? narrowPeerTable(all, inner) : wide;
  return [plural(all.length, "peer"), ...lines.map((line) => `  ${line}`)];
}

/** A line per subnet, the first beside its peer. */
function peerTable(all: readonly PeerStatus[], style: Style): string[] {
  const rows = all.flatMap((peer) => {
    const [first = "none", ...more] = peer.subnets;
    return [
      [peer.publicIp, peer.vtepMac, first, verdict(peer, style)],
      ...more.map((subnet) => ["", "", subnet]),
    ];
  });
  const [titles, ...lines] = table([IP, MAC, SUBNET, STATE], rows, style);
  return [
    titles!,
    ...all.flatMap((peer) => [...lines.splice(0, peer.subnets.length || 1), ...trouble(peer, style)]),
  ];
}

/** What a pair of long IPv6 addresses leaves no room for goes below. */
function narrowPeerTable(all: readonly PeerStatus[], style: Style): string[] {
  const rows = all.map((peer) => [peer.publicIp, peer.vtepMac, verdict(peer, style)]);
  const [titles, ...lines] = table([IP, MAC, STATE], rows, style);
  return [
    titles!,
    ...all.flatMap((peer, i) => [
      lines[i]!,
      ...hang("    ", peer.subnets.join(", "), style.width),
      ...trouble(peer, style),
    ]),
  ];
}

function verdict(peer: PeerStatus, style: Style): string {
  return peer.state === "ok" ? paint(style, "green", "ok") : paint(style, "red", "failed");
}

function trouble(peer: PeerStatus, style: Style): string[] {
  return peer.state === "ok" ? [] : hang("    ", peer.state, style.width);
}

function health(status: AgentStatus, style: Style): string[] {
  const known = new Set(status.health.map((line) => line.message));
  const lines: HealthLine[] = [
    ...status.health,
    ...status.underlay.warnings
      .filter((message) => !known.has(message))
      .map((message): HealthLine => ({ level: "warning", message, remedy: null })),
  ];
  if (lines.length === 0) {
    const reasons = failures(status);
    if (reasons.length === 0) return [`health: ${paint(style, "green", "ok")}`];
    return wrap(`health: ${paint(style, "red", "not ok")}: ${reasons[0]}`, style.width);
  }
  return [
    "health",
    ...lines.flatMap(({ level, message, remedy }) => [
      ...hang(
        `  ${paint(style, LEVEL_COLOR[level], level)}${" ".repeat(9 - level.length)}`,
        message,
        style.width,
      ),
      ...(remedy === null ? [] : hang("           → ", remedy, style.width)),
    ]),
  ];
}
