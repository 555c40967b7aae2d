/** The peers of an overlay as `poplin status` shows them. Pure. */
import type { FloodStatus, OverlayStatus, PathMtuStatus, PeerStatus } from "../agent/api/status-types.ts";
import { hang, paint, plural, roughly, type Style, table, widthOf } from "./output.ts";

const IP = { title: "PUBLIC IP" };
const MAC = { title: "VTEP MAC" };
const SUBNET = { title: "SUBNET" };
const AGE = { title: "AGE" };
const STATE = { title: "STATE" };

/**
 * The peers of an overlay and the VTEPs it floods to, or that it has none.
 * @param now milliseconds since 1970
 */
export function peerLines(
  { peers: all, flooding }: Pick<OverlayStatus, "peers" | "flooding">,
  style: Style,
  now: number,
): string[] {
  const flooded = remotes(flooding, style);
  if (all.length === 0 && (flooded.length > 0 || flooding.group !== null)) return flooded;
  if (all.length === 0)
    return ["no peers: nothing is forwarded but what rows by hand say (`poplin fdb show`)"];
  const inner = { ...style, width: style.width - 2 };
  const wide = peerTable(all, inner, now);
  const lines = wide.some((line) => widthOf(line) > inner.width) ? narrowPeerTable(all, inner) : wide;
  return [plural(all.length, "peer"), ...lines.map((line) => `  ${line}`), ...flooded];
}

/** The VTEPs that get what is flooded, and what is wrong with their paths. */
function remotes({ remotes: all }: FloodStatus, style: Style): string[] {
  if (all.length === 0) return [];
  const addresses = all.map(({ address }) => address).join(", ");
  return [
    ...hang(`${plural(all.length, "remote")}: `, addresses, style.width),
    ...all.flatMap(({ address, pathMtu }) => narrow(pathMtu, `${address}: `, style)),
  ];
}

/** A line per subnet, the first beside its peer. How long a peer is known is said where it came from a store. */
function peerTable(all: readonly PeerStatus[], style: Style, now: number): string[] {
  const aged = all.some(({ lease }) => lease !== null);
  const rows = all.flatMap((peer) => {
    const [first = "none", ...more] = peer.subnets;
    return [
      [peer.publicIp, peer.vtepMac, first, ...(aged ? [ageOf(peer, now)] : []), verdict(peer, style)],
      ...more.map((subnet) => ["", "", subnet]),
    ];
  });
  const [titles, ...lines] = table([IP, MAC, SUBNET, ...(aged ? [AGE] : []), STATE], rows, style);
  return [
    titles!,
    ...all.flatMap((peer) => [...lines.splice(0, peer.subnets.length || 1), ...trouble(peer, style)]),
  ];
}

function ageOf({ lease }: PeerStatus, now: number): string {
  return lease === null ? "" : roughly((now - Date.parse(lease.since)) / 1000);
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
  const { state, pathMtu } = peer;
  const failed = state === "ok" ? [] : hang("    ", state, style.width);
  return [...failed, ...narrow(pathMtu, "", style)];
}

function narrow(pathMtu: PathMtuStatus | null, whose: string, style: Style): string[] {
  if (pathMtu === null || pathMtu.bytes >= pathMtu.needed) return [];
  const { bytes, needed, how } = pathMtu;
  return hang("    ", `${whose}path MTU ${bytes} (${how}), ${needed} needed`, style.width);
}
