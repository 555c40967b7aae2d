/** What `poplin monitor` prints: an event's lines, and what it comes to in the end. */
import type { AgentEvent } from "../agent/api/agent-view.ts";
import type { Direction } from "../dataplane/counters.ts";
import { DROP_REASONS, DROPS, type DropReason } from "../dataplane/drops.ts";
import { etherTypeName, protocolName } from "../wire/numbers.ts";
import { eventLine, isDropped } from "./events.ts";
import { count, paint, plural, type Style, timeOfDay, widthOf } from "./output.ts";
import { explained, type Row } from "./render-stats.ts";

type Drop = Extract<AgentEvent, { type: "drop" }>;

/** Reasons that are about the header's flags: those are shown then. */
const ABOUT_FLAGS: readonly DropReason[] = ["VXLAN_INVALID_HDR", "VXLAN_RESERVED_BITS"];

/**
 * An event as text: when, in which direction, why, and the packet.
 * @param isTerminal whether it is broken where the terminal ends; else it is one line, however long
 */
export function monitorLines(event: AgentEvent, style: Style, isTerminal: boolean): string[] {
  const [time, ...parts] = partsOf(event, style);
  if (!isTerminal) return [[time, ...parts].join(" ")];
  const indent = " ".repeat(widthOf(time!) + 1);
  const lines: string[] = [];
  let line = time!;
  for (const part of parts) {
    if (widthOf(line) + 1 + widthOf(part) > style.width && line.trim() !== "") {
      lines.push(line);
      line = `${indent}${part}`;
    } else line += ` ${part}`;
  }
  return [...lines, line];
}

/** What stays together on a line. */
function partsOf(event: AgentEvent, style: Style): string[] {
  const time = paint(style, "dim", timeOfDay(new Date(event.at)));
  switch (event.type) {
    case "drop":
      return [time, why(event, style), ...about(event)];
    case "drops":
      return [
        time,
        why(event, style),
        `vni ${event.vni} dev ${event.dev}`,
        `${count(event.count)} only counted`,
      ];
    default:
      return [time, eventLine(event)];
  }
}

function why({ direction, reason }: { direction: Direction; reason: DropReason }, style: Style): string {
  return `${direction} ${paint(style, "red", reason)}`;
}

function about(event: Drop): string[] {
  const { direction, remote, header, error, vni, dev, frame, length } = event;
  return [
    ...(remote === null
      ? []
      : [`${direction === "rx" ? "from" : "to"} ${endpoint(remote.address, remote.port)}`]),
    `vni ${vni} dev ${dev}`,
    ...(header !== null && header.vni !== vni ? [`header-vni ${header.vni}`] : []),
    ...(header !== null && ABOUT_FLAGS.includes(event.reason) ? [`flags ${header.flags}`] : []),
    ...(error === null ? [] : [error]),
    [...inner(event), `length ${length}`].join(" "),
    ...(frame === null ? [] : [`${frame.source} > ${frame.destination}`]),
  ];
}

function inner({ frame, packet }: Drop): string[] {
  if (frame === null) return [];
  const type =
    etherTypeName(frame.etherType) ?? `ethertype 0x${frame.etherType.toString(16).padStart(4, "0")}`;
  if (packet === null) return [type];
  const { source, destination, protocol, ports } = packet;
  const name = protocol === null ? type : (protocolName(protocol) ?? `protocol ${protocol}`);
  const ends =
    ports === null
      ? `${source} > ${destination}`
      : `${endpoint(source, ports.source)} > ${endpoint(destination, ports.destination)}`;
  return [`${name} ${ends}`];
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What was shown, and what was only counted. */
export class MonitorTotals {
  shown = 0;
  counted = 0;
  lost = 0;
  /** By direction and reason, shown or not. */
  readonly drops = new Map<string, { direction: Direction; reason: DropReason; count: number }>();

  add(event: AgentEvent): void {
    if (event.type === "lost") {
      this.lost += event.count;
      return;
    }
    const counted = event.type === "drops" ? event.count : 0;
    this.counted += counted;
    if (counted === 0) this.shown++;
    if (!isDropped(event)) return;
    const { direction, reason } = event;
    const key = `${direction} ${reason}`;
    const before = this.drops.get(key)?.count ?? 0;
    this.drops.set(key, { direction, reason, count: before + (counted || 1) });
  }
}

/** The end's lines: how many there were, and each reason with its meaning. */
export function totalsLines({ shown, counted, lost, drops }: MonitorTotals, style: Style): string[] {
  const rest = lost === 0 ? "" : `, ${plural(lost, "event")} lost: they came faster than they could be told`;
  const order = (reason: DropReason): number => DROP_REASONS.indexOf(reason);
  const rows = [...drops.values()]
    .sort((a, b) => order(a.reason) - order(b.reason))
    .map(({ direction, reason, count: n }): Row => [count(n), `${direction} ${reason}`, DROPS[reason]]);
  return [
    `${plural(shown, "event")} shown, ${plural(counted, "drop")} only counted${rest}`,
    ...(rows.length === 0 ? [] : explained(rows, style)),
  ];
}
