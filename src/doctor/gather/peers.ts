/** Each peer of an overlay: pinged below and inside, its port knocked at, the routes to it looked up. */

import type { CarrierStatus, OverlayStatus, PeerStatus } from "../../agent/api/status-types.ts";
import { Echoes } from "../../agent/path-mtu/echoes.ts";
import { addressBytes, addressOf, type Cidr, parseCidr } from "../../control/address.ts";
import type { FdbRow } from "../../dataplane/options.ts";
import type { PeerEvidence } from "../evidence.ts";
import { lookUp, wayTo } from "./ip.ts";
import { echo, knock, mapLimited } from "./probes.ts";

/** Peers that are looked at, the first ones: of a thousand nodes each is looked at by some other. */
const MOST_PEERS = 128;
const AT_A_TIME = 16;

/**
 * @param fdb of the overlay: a peer's port stands in its row
 * @param echoing false where we may not send echo requests: then none counts as sent
 */
export async function lookAtPeers(
  overlay: OverlayStatus,
  carrier: CarrierStatus,
  fdb: readonly FdbRow[],
  echoing: boolean,
): Promise<PeerEvidence[]> {
  const own = overlay.device.addresses.map((text) => parseCidr(text));
  const below = new Echoes(addressBytes(carrier.local));
  const inside = new Map(own.map((cidr) => [cidr.family, new Echoes(addressBytes(cidr.address))]));
  try {
    const all = [...overlay.peers, ...remotesOf(overlay)].slice(0, MOST_PEERS);
    return await mapLimited(all, AT_A_TIME, (peer) =>
      lookAtPeer(peer, carrier, portOf(peer, fdb, carrier), below, inside, echoing),
    );
  } finally {
    below.close();
    for (const echoes of inside.values()) echoes.close();
  }
}

/**
 * VTEPs that are flooded to, of which no more than the address is known. They are knocked at, not pinged: where pings
 * are dropped nothing else could speak for them.
 */
function remotesOf({ peers, flooding }: OverlayStatus): PeerStatus[] {
  return flooding.remotes
    .filter(({ address }) => !peers.some(({ publicIp }) => publicIp === address))
    .map(({ address, pathMtu }) => ({
      ...{ publicIp: address, vtepMac: "", subnets: [], state: "ok", pathMtu, lease: null },
    }));
}

async function lookAtPeer(
  peer: PeerStatus,
  carrier: CarrierStatus,
  knockAt: number,
  below: Echoes,
  inside: ReadonlyMap<number, Echoes>,
  echoing: boolean,
): Promise<PeerEvidence> {
  const { publicIp } = peer;
  const subnets = peer.subnets.map((text) => parseCidr(text));
  const ways = await Promise.all(subnets.flatMap(endsOf).map(wayTo));
  const direct = ways.some(({ device, via }) => device === carrier.uplink && via === publicIp);
  const subnet = subnets.find(({ family }) => inside.has(family));
  const none = { address: publicIp, sent: 0, answered: 0, refused: "" };
  const through = !direct && subnet !== undefined && echoing ? inside.get(subnet.family) : undefined;
  const [underlay, port, overlay, back] = await Promise.all([
    echoing && peer.vtepMac !== "" ? echo(below, publicIp) : none,
    knock(carrier.local, publicIp, knockAt),
    through === undefined ? null : echo(through, subnet!.network),
    carrier.uplink === null ? "" : lookUp(carrier.local, publicIp, carrier.uplink).then(({ said }) => said),
  ]);
  return { peer, underlay, port, overlay, direct, ways, back };
}

/** @returns the UDP port at which a peer is: all nodes' one, unless its row names another */
export function portOf(
  { vtepMac }: { readonly vtepMac: string | null },
  fdb: readonly FdbRow[],
  { port }: CarrierStatus,
): number {
  return fdb.find(({ mac, state }) => mac === vtepMac && state === "permanent")?.port ?? port;
}

/** The first and the last address that a pod there may have. */
function endsOf({ family, first, last }: Cidr): string[] {
  const ends = last - first < 3n ? [first] : [first + 1n, last - 1n];
  return ends.map((value) => addressOf(family, value));
}
