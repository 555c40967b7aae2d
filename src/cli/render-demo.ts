/** `poplin demo` as text, piece by piece as it happens. Pure: every function gives lines. */
import type { FirstPacket, Measured, NodeReport, Place, Scene, Traffic } from "../lab/demo/stage.ts";
import { dissect } from "../teach/dissect.ts";
import { bytes, count, fill, hang, paint, plural, type Style, table, wrap } from "./output.ts";

/** Columns of "from pod-a", and of each pod after it. */
const FROM = 12;
const CELL = 11;

export function renderScene({ places, lab, memoryBecause }: Scene, style: Style): string[] {
  const rows = places.map((place) => [
    place.node,
    place.nodeAddress,
    place.runs,
    place.pod,
    place.podAddress,
  ]);
  const columns = ["NODE", "UNDERLAY", "RUNS", "POD", "ADDRESS"].map((title) => ({ title }));
  const how =
    lab === null
      ? [
          ...wrap(`in memory, because ${memoryBecause}.`, style.width),
          ...wrap(
            "The dataplane is the real one; its TAPs, its underlay and the pods are queues in this process.",
            style.width,
          ),
        ]
      : wrap(`lab ${lab}: network namespaces poplin-${lab}-${places[0]!.node} and so on`, style.width);
  return [
    paint(style, "bold", "poplin demo: three nodes on this machine, joined by one overlay"),
    ...how,
    "",
    ...table(columns, rows, style),
  ];
}

export function renderMatrix(kind: "ping" | "transfer", places: readonly Place[], style: Style): string[] {
  const title =
    kind === "ping"
      ? "ping, each row's pod to each column's: mean round trip in ms"
      : "TCP (iperf3), each row's pod sends to each column's: Gbit/s received";
  const head = places.map((place) => place.pod.padStart(CELL)).join("");
  return ["", paint(style, "bold", title), " ".repeat(FROM) + head];
}

/** One row of a matrix; what went wrong stands below it. */
export function renderRow(
  from: Place,
  places: readonly Place[],
  cells: readonly (Measured | null)[],
  style: Style,
): string[] {
  const text = cells.map((cell) => {
    if (cell === null) return paint(style, "dim", "-".padStart(CELL));
    if (!cell.ok) return paint(style, "red", "failed".padStart(CELL));
    return cell.value.toFixed(2).padStart(CELL);
  });
  const problems = cells.flatMap((cell, i) =>
    cell === null || cell.ok
      ? []
      : hang(`  ${from.pod} to ${places[i]!.pod}: `, cell.problem.replace(/\s+/g, " "), style.width),
  );
  return [from.pod.padEnd(FROM) + text.join(""), ...problems];
}

export function renderPacket(packet: FirstPacket | { readonly problem: string }, style: Style): string[] {
  const title = paint(style, "bold", "the first encapsulated packet");
  if ("problem" in packet) return ["", title, ...hang("  not seen: ", packet.problem, style.width)];
  const lines = dissect(packet.bytes, { layer: packet.layer, color: style.color });
  const partial = lines.some((line) => /\bpartial\b/.test(line))
    ? [
        "",
        ...wrap(
          "A partial checksum is no mistake: on a veth the sender's kernel leaves the rest to a network card, " +
            "and there is none.",
          style.width,
        ),
      ]
    : [];
  return ["", title, ...hang("seen at ", packet.where, style.width), "", ...lines, ...partial];
}

export function renderNode(report: NodeReport, style: Style): string[] {
  const { place, device, peers, routes, memory, drops } = report;
  const inner = { ...style, width: style.width - 2 };
  const columns = ["PEER", "VTEP MAC", "SUBNET", "STATE"].map((title) => ({ title }));
  const rows = peers.map((peer) => [
    peer.publicIp,
    peer.vtepMac,
    peer.subnet,
    paint(style, peer.state === "ok" ? "green" : "red", peer.state),
  ]);
  const dropped = Object.entries(drops).map(([reason, n]) => `${count(n)} ${reason}`);
  const drop = dropped.length === 0 ? "nothing" : dropped.join(", ");
  const sums = [`sent ${traffic(report.sent)};`, `received ${traffic(report.received)};`];
  // A number stays beside what it counts.
  const pieces = [...sums, ...`dropped ${drop}`.split(/(?<=,) /)];
  const facts = [`${place.node}: ${place.runs}, ${device}`, ...(memory === null ? [] : [bytes(memory)])];
  const [first, ...rest] = wrap(facts.join(", "), style.width - 2);
  return [
    "",
    paint(style, "bold", first!),
    ...rest.map((line) => `  ${line}`),
    ...table(columns, rows, inner).map((line) => `  ${line}`),
    ...routes.flatMap((route) => hang("  route ", route, style.width)),
    ...fill(pieces, style.width - 2).map((line) => `  ${line}`),
  ];
}

/** What is behind the drops that a demo always has; nothing for the others, which `poplin stats` explains. */
export function renderReasons(reasons: ReadonlySet<string>, style: Style): string[] {
  const known: [string, string][] = [
    [
      "NO_TX_TARGET",
      "the kernel's own multicast when a device comes up; an overlay like flannel's floods nothing",
    ],
    ["FULL_RING", "TCP sent faster than one datagram at a time can leave, and was slowed down by it"],
  ];
  const lines = known
    .filter(([reason]) => reasons.has(reason))
    .flatMap(([reason, why]) => hang(`  ${reason}: `, why, style.width));
  return lines.length === 0 ? [] : ["", "dropped, and no mistake:", ...lines];
}

function traffic({ frames, bytes: size }: Traffic): string {
  return `${plural(frames, "frame")} (${bytes(size)})`;
}

/** How to look around in a lab that stays, and how to take it down. */
export function renderKept(
  { places, lab }: Scene,
  sockets: ReadonlyMap<string, string>,
  poplin: string,
  style: Style,
): string[] {
  const space = (name: string): string => `ip netns exec poplin-${lab}-${name}`;
  const [first, last] = [places[0]!, places.at(-1)!];
  const commands = [
    [`${space(first.pod)} ping ${last.podAddress}`, "from pod to pod"],
    [`${space(first.node)} ip route`, "what flannel would have set"],
    [`${space(first.node)} bash`, "a shell on a node"],
    ...[...sockets].map(([node, socket]) => [`${poplin} status --socket ${socket}`, `the agent of ${node}`]),
    ...[...sockets.values()]
      .slice(0, 1)
      .map((socket) => [`${poplin} watch --socket ${socket}`, "its packets as they pass"]),
    [`${poplin} walk --lab ${lab}`, "one ping, from interface to interface"],
    [`${poplin} demo --down ${lab}`, "take it down"],
  ];
  return [
    "",
    paint(style, "bold", `lab ${lab} stays up. As root:`),
    // A command stands alone on its line and is never broken: it is there to be copied.
    ...commands.flatMap(([command, about]) => [paint(style, "dim", `  # ${about}`), `  ${command}`]),
  ];
}
