/**
 * All about a node with an agent that answers: what it says, what the kernel says, and what peers answer.
 *
 *   rules and counters before ─▶ pings ─▶ rules and counters after, devices and rows ─▶ evidence
 */
import type { ApiClient } from "../../agent/api/client.ts";
import {
  type AgentStatus,
  type CarrierStatus,
  carrierOf,
  type OverlayStatus,
} from "../../agent/api/status-types.ts";
import { addressBytes } from "../../control/address.ts";
import { overlayOverhead } from "../../control/mtu.ts";
import { readDevices } from "../../host/read.ts";
import { EchoSocket } from "../../io/linux/echo.ts";
import { holdersOfTaps, portHolders } from "../../io/linux/holders.ts";
import type { CarrierEvidence, NodeEvidence, OverlayEvidence, PeerEvidence } from "../evidence.ts";
import type { Packet } from "../firewall/packet.ts";
import { lookAtCluster } from "./cluster.ts";
import { metBetween, type Ruleset, readRuleset } from "./firewall.ts";
import { type HostLink, readHostLinks } from "./ip.ts";
import { lookAtPeers } from "./peers.ts";
import { findPods, lookAtPods } from "./pods.ts";
import { reversePathDrops } from "./proc.ts";

const LARGEST_IP = 65_535;
const EMSGSIZE = 90;
/** Where nobody is known, somebody is asked about (RFC 5737, RFC 3849). */
const SOMEBODY = { 4: "203.0.113.1", 6: "2001:db8::1" } as const;
const SOME_PORT = 50_000;

export interface NodeOptions {
  readonly cniFolder: string;
  /** Whether this process may send echo requests. */
  readonly echoing: boolean;
}

export async function lookAtNode(
  client: ApiClient,
  status: AgentStatus,
  { cniFolder, echoing }: NodeOptions,
): Promise<NodeEvidence> {
  const families = [...new Set([4 as const, ...status.underlays.map(({ family }) => family)])];
  const before = await readRuleset(families);
  const droppedBefore = reversePathDrops();
  const refusedBefore = await refusals(client);
  const pairs = status.overlays.flatMap((overlay) => {
    const carrier = carrierOf(status, overlay);
    // One that is being made anew has no address yet; the agent says so itself.
    return carrier === undefined || carrier.local === "" ? [] : [{ overlay, carrier }];
  });
  const peers: PeerEvidence[][] = [];
  const rows = await client.fdb();
  for (const { overlay, carrier } of pairs) {
    const own = rows.filter(({ dev }) => dev === overlay.device.name);
    peers.push(await lookAtPeers(overlay, carrier, own, echoing));
  }
  const drops = reversePathDrops() - droppedBefore;
  const refusedAfter = await refusals(client);
  const after = await readRuleset(families);
  const links = await readHostLinks();
  const devices = await lookAtDevices(client, pairs, links);
  const holdersOf = holdersOfTaps();
  const overlays: OverlayEvidence[] = [];
  for (const [i, { overlay, carrier }] of pairs.entries()) {
    const pods = findPods(overlay, carrier, links);
    overlays.push({
      ...devices[i]!,
      sharers: holdersOf(overlay.device.name).filter(({ pid }) => pid !== status.pid),
      fullSize: echoing ? fullSize(overlay, carrier) : "",
      peers: peers[i]!,
      pods: pods === null ? null : await lookAtPods(pods, overlay.device.name, after),
    });
  }
  return {
    status,
    carriers: status.underlays.map((carrier) => lookAtCarrier(carrier, status, links, before, after)),
    overlays,
    reversePathDrops: drops,
    refused: {
      sends: refusedAfter.sends - refusedBefore.sends,
      writes: refusedAfter.writes - refusedBefore.writes,
    },
    cluster: await lookAtCluster(client, status, cniFolder),
  };
}

type DeviceEvidence = Omit<OverlayEvidence, "sharers" | "fullSize" | "peers" | "pods">;

async function lookAtDevices(
  client: ApiClient,
  pairs: readonly { overlay: OverlayStatus; carrier: CarrierStatus }[],
  links: readonly HostLink[],
): Promise<DeviceEvidence[]> {
  const [states, fdb] = await Promise.all([
    readDevices(pairs.map(({ overlay }) => overlay.device.name)),
    client.fdb(),
  ]);
  return pairs.map(({ overlay, carrier }) => {
    const { name } = overlay.device;
    const state = states.get(name);
    return {
      status: overlay,
      carrier,
      link: state?.link ?? null,
      qdisc: links.find((link) => link.name === name)?.qdisc ?? null,
      neighbours: state?.neighbours ?? [],
      routes: (state?.routes ?? []).map(({ subnet }) => subnet),
      fdb: fdb.filter(({ dev }) => dev === name).map(({ mac, dst, state }) => ({ mac, dst, state })),
    };
  });
}

function lookAtCarrier(
  carrier: CarrierStatus,
  { pid, overlays }: AgentStatus,
  links: readonly HostLink[],
  before: Ruleset,
  after: Ruleset,
): CarrierEvidence {
  const { family, port, local, uplink } = carrier;
  const link = links.find(({ name }) => name === uplink);
  const peer = overlays.flatMap(({ peers }) => peers.map(({ publicIp }) => publicIp))[0];
  const packet = { family, proto: "udp", sport: SOME_PORT, dport: port } as const;
  const somebody = peer ?? SOMEBODY[family];
  const incoming: Packet = {
    ...packet,
    ...{ hook: "input", iif: uplink, oif: null, src: somebody, dst: local },
  };
  const outgoing: Packet = {
    ...packet,
    ...{ hook: "output", iif: null, oif: uplink, src: local, dst: somebody },
  };
  return {
    carrier,
    uplink: link === undefined ? null : { mtu: link.mtu, up: link.up, carrier: link.carrier },
    vxlan: links.filter(({ vxlanPort }) => vxlanPort === port).map(({ name, up }) => ({ name, up })),
    sharers: portHolders(port, family).processes.filter((one) => one.pid !== pid),
    incoming: metBetween(before.blocked(incoming), after.blocked(incoming)),
    outgoing: metBetween(before.blocked(outgoing), after.blocked(outgoing)),
  };
}

async function refusals(client: ApiClient): Promise<NodeEvidence["refused"]> {
  const { drops } = await client.stats();
  return { sends: drops.tx.UNDERLAY_REFUSED ?? 0, writes: drops.rx.TAP_REFUSED ?? 0 };
}

/** Sends a packet of the overlay's full size, with DF set, to the first peer. */
function fullSize({ device, peers }: OverlayStatus, { local, family }: CarrierStatus): string {
  const [peer] = peers;
  if (peer === undefined) return "";
  const socket = new EchoSocket(addressBytes(local), () => {});
  try {
    const size = Math.min(device.mtu + overlayOverhead(family), LARGEST_IP);
    return socket.send(addressBytes(peer.publicIp), 0, size) === EMSGSIZE ? "EMSGSIZE" : "";
  } finally {
    socket.close();
  }
}
