/**
 * `poplin status` as text: what runs, what it was told, its peers, and what is wrong with it, each trouble with its
 * cause and the next command. Pure: the command (`status.ts`) asks the agent and prints.
 */
import type { StatsAnswer } from "../agent/api/answers.ts";
import {
  type AgentStatus,
  type ConfigStatus,
  carrierOf,
  type DataplaneStatus,
  failures,
  type HealthLine,
  type OverlayStatus,
  type PolicyStatus,
  type UnderlayStatus,
} from "../agent/api/status-types.ts";
import { OFFLOAD_NAMES, type OffloadName, SWITCHED_OFF, usualOffloads } from "../dataplane/offloads.ts";
import type { UnderlayCapabilities } from "../dataplane/ports.ts";
import type { GroupPolicy } from "../wire/vxlan.ts";
import { ago, bytes, count, duration, hang, paint, plural, type Style, wrap } from "./output.ts";
import { clusterRows } from "./render-cluster.ts";
import { peerLines } from "./render-peers.ts";
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
  const others = status.overlays.slice(1).flatMap((overlay) => otherOverlay(overlay, status, style, now));
  return [
    ...head(status, stats, style, now),
    "",
    ...peerLines(status, style, now),
    ...others,
    "",
    ...health(status, style),
  ];
}

/** An overlay beside the first: what it is, its underlay where there are several, and its peers. */
function otherOverlay(overlay: OverlayStatus, status: AgentStatus, style: Style, now: number): string[] {
  const { device, policy, flooding, learning, proxy } = overlay;
  const { name, vni, mtu, mac, addresses } = device;
  const targets = [flooding.group ?? "", ...flooding.remotes.map(({ address }) => address)];
  const to = targets.filter((word) => word !== "").join(", ");
  const known = [
    `VNI ${vni}`,
    mtu > 0 ? `MTU ${mtu}` : "",
    mac,
    ...addresses,
    `senderCheck ${policy.senderCheck}`,
    learning.on ? "learning" : "",
    proxy ? "proxy" : "",
    to === "" ? "" : `floods to ${to}`,
  ].filter((word) => word !== "");
  const carrier = status.underlays.length > 1 ? carrierOf(status, overlay) : undefined;
  return [
    "",
    ...hang(`${name}: `, known.join(", "), style.width),
    ...(carrier === undefined ? [] : hang("  underlay   ", underlayText(carrier), style.width)),
    ...peerLines(overlay, style, now),
  ];
}

/** One line when all is well, the reasons below it when not: for scripts and for people in a hurry. */
export function renderBrief(status: AgentStatus, style: Style): string[] {
  const reasons = failures(status);
  const { device, overlays } = status;
  const count = overlays.slice(1).reduce((sum, { peers }) => sum + peers.length, status.peers.length);
  const which =
    overlays.length > 1 ? plural(overlays.length, "overlay") : `${device.name}, VNI ${device.vni}`;
  const what = `${which}, ${plural(count, "peer")}`;
  const verdict = reasons.length === 0 ? paint(style, "green", "ok") : paint(style, "red", "not ok");
  return [
    `${verdict}: ${status.state}, up ${duration(status.uptime)}, ${what}`,
    ...reasons.flatMap((reason) => hang("  ", reason, style.width)),
  ];
}

function head(status: AgentStatus, stats: StatsAnswer | null, style: Style, now: number): string[] {
  const state = paint(style, STATE_COLOR[status.state], status.state);
  const title = paint(style, "bold", `poplin ${status.version}`);
  const rows = [
    ...deviceRows(status),
    ...clusterRows(status.cluster),
    ...policyRows(status.policy, status.dataplane.lastGroup),
    ...learningRows(status),
    ...offloadRows(status),
    ...workRows(status, stats),
    ...configRows(status.config, style, now),
  ];
  return [
    `${title}: ${state}, up ${duration(status.uptime)}, pid ${status.pid}`,
    ...rows.flatMap(([name, text]) => hang(`  ${name.padEnd(11)}`, text, style.width)),
  ];
}

type Row = readonly [name: string, text: string];

/** An agent that is starting knows its device's MAC and MTU, and what its underlay can do, only when they are open. */
function deviceRows({ state, device, underlay }: AgentStatus): Row[] {
  const { name, vni, mtu, mac } = device;
  const known = [name, `VNI ${vni}`, mtu > 0 ? `MTU ${mtu}` : "", mac].filter((word) => word !== "");
  const rows: Row[] = [
    ["device", known.join(", ")],
    ["address", device.addresses.join(", ") || "none"],
    ["underlay", underlayText(underlay)],
  ];
  if (state === "starting") return rows;
  return [
    ...rows,
    ...capabilityRows(underlay.capabilities, underlay.family),
    ["buffers", `receive ${size(underlay.receiveBuffer)}, send ${size(underlay.sendBuffer)}`],
  ];
}

function underlayText({ kind, family, local, port, uplink }: UnderlayStatus): string {
  const end = local === "" ? `port ${port}` : `${family === 6 ? `[${local}]` : local}:${port}`;
  return `${kind}, UDP ${end}${uplink === null ? "" : ` over ${uplink}`}`;
}

/** Of what is seldom asked for, only what was. */
function policyRows(policy: PolicyStatus, lastGroup: GroupPolicy | null): Row[] {
  const { senderCheck, reservedBits, tos, ttl, df, flowlabel, udp6zerocsumrx, vlan, gbp } = policy;
  const label = flowlabel === 0 ? "" : `, flow label 0x${flowlabel.toString(16)}`;
  const zero = udp6zerocsumrx ? ", zero UDP checksums accepted over IPv6" : "";
  const tags = vlan === "pass" ? "" : `, vlan ${vlan}`;
  const rows: Row[] = [
    ["policy", `senderCheck ${senderCheck}, reservedBits ${reservedBits}${tags}${zero}`],
    ["outer", `TOS ${tosText(tos)}, TTL ${ttl}, DF ${df}${label}`],
  ];
  if (gbp === null) return rows;
  const last = lastGroup === null ? "none received" : `last received: ${groupText(lastGroup)}`;
  return [...rows, ["group", `${groupText(gbp)} sent, ${last}`]];
}

/** What a flannel node has none of is not said. */
function learningRows({ learning, flooding, proxy }: AgentStatus): Row[] {
  const { on, ageing, maxaddress } = learning;
  const { group, remotes, rate } = flooding;
  const rows: Row[] = [];
  if (on) {
    const age = ageing === 0 ? "for ever" : `for ${plural(ageing, "second")}`;
    rows.push([
      "learning",
      `on, ${age}, ${maxaddress === 0 ? "any number of" : count(maxaddress)} rows at most`,
    ]);
  }
  const targets = [group, remotes.length > 0 ? plural(remotes.length, "remote") : null].filter(Boolean);
  if (targets.length > 0) {
    rows.push([
      "flooding",
      `to ${targets.join(" and ")}${rate === 0 ? "" : `, ${count(rate)} frames a second`}`,
    ]);
  }
  return proxy ? [...rows, ["proxy", "answers ARP and neighbour solicitations"]] : rows;
}

function groupText({ group, dontLearn, applied }: GroupPolicy): string {
  const flags = [dontLearn ? "don't learn" : "", applied ? "applied" : ""].filter((word) => word !== "");
  if (flags.length === 0) return group === 0 ? "none" : String(group);
  return `${group} (${flags.join(", ")})`;
}

/** What is on in one line, then a line for each that is not, but for what nobody has asked for. */
function offloadRows({ state, offloads }: AgentStatus): Row[] {
  if (state === "starting") return [];
  const on = OFFLOAD_NAMES.filter((name) => offloads[name].on);
  const off = OFFLOAD_NAMES.filter((name) => !offloads[name].on && !notAskedFor(name, offloads[name].why));
  const all = offloads.hairpin.on ? "all on, hairpin too" : "all on";
  return [
    ["offloads", off.length === 0 ? all : on.join(", ") || "none"],
    ...off.map((name): Row => ["  off", `${name}: ${offloads[name].why}`]),
  ];
}

function notAskedFor(name: OffloadName, why: string | null): boolean {
  return !usualOffloads()[name] && why === SWITCHED_OFF;
}

function workRows({ dataplane, memory }: AgentStatus, stats: StatsAnswer | null): Row[] {
  const traffic: Row[] = stats === null ? [] : [["traffic", trafficText(stats)]];
  return [["dataplane", dataplaneText(dataplane)], ...traffic, ["memory", bytes(memory.rss)]];
}

function configRows({ file, loadedAt, lastReload }: ConfigStatus, style: Style, now: number): Row[] {
  const rows: Row[] = [["config", `${file ?? "flags and environment"}, loaded ${ago(loadedAt, now)}`]];
  if (lastReload === null) return rows;
  const verdict = lastReload.ok ? "" : `${paint(style, "red", "failed")} `;
  return [...rows, ["reload", `${verdict}${ago(lastReload.at, now)}: ${lastReload.message}`]];
}

const CAPABILITIES: readonly [keyof UnderlayCapabilities, string][] = [
  ["sendTos", "send TOS"],
  ["recvTos", "receive TOS"],
  ["df", "DF"],
  ["ttl", "TTL"],
  ["ttlPerPacket", "TTL per packet"],
  ["flowLabel", "flow label"],
  ["acceptsNoCheck6", "receive zero UDP checksums"],
  ["sourcePort", "source port per flow"],
  ["gso", "GSO"],
  ["gro", "GRO"],
];

/** What there is a question of over IPv6 only. */
const IPV6_ONLY: readonly (keyof UnderlayCapabilities)[] = ["flowLabel", "acceptsNoCheck6"];

function capabilityRows(capabilities: UnderlayCapabilities, family: 4 | 6): Row[] {
  const names = (wanted: boolean): string =>
    CAPABILITIES.filter(([key]) => capabilities[key] === wanted && (family === 6 || !IPV6_ONLY.includes(key)))
      .map(([, name]) => name)
      .join(", ");
  const rows: Row[] = [
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

function dataplaneText({ driver, queues, spin, slots }: DataplaneStatus): string {
  const how = driver === "worker" ? `worker, ${plural(queues, "queue")}, spin ${spinText(spin)}` : driver;
  if (slots === null) return how;
  const part = (name: string, free: number, all: number): string => `${count(free)} of ${count(all)} ${name}`;
  return `${how}, slots free: ${part("tx", slots.tx.free, slots.tx.count)}, ${part("rx", slots.rx.free, slots.rx.count)}`;
}

function spinText(spin: DataplaneStatus["spin"]): string {
  return typeof spin === "number" ? `${spin} µs` : spin;
}

function trafficText(stats: StatsAnswer): string {
  const dropped = totalDrops(stats);
  return (
    `${bytes(stats.txBytes)} in ${plural(stats.txFrames, "frame")} sent, ` +
    `${bytes(stats.rxBytes)} in ${plural(stats.rxFrames, "frame")} received, ${count(dropped)} dropped` +
    (dropped > 0 ? " (`poplin stats` says why)" : "")
  );
}

function health(status: AgentStatus, style: Style): string[] {
  const known = new Set(status.health.map((line) => line.message));
  const lines: HealthLine[] = [
    ...status.health,
    ...[...new Set(status.underlays.flatMap(({ warnings }) => warnings))]
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
