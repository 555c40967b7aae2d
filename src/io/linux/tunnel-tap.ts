/** A TAP that takes VXLAN packets with super-frames inside, as `hairpin.ts` writes them: made, and tried. */
import { Arena, VNET_AT, VNET_LENGTH } from "../../dataplane/arena.ts";
import { OUTER, PEER, Ring, SUPER } from "../../dataplane/ring.ts";
import { Segmenter, segmentSlabBytes } from "../../dataplane/segment.ts";
import { copyPieces } from "../../dataplane/sums.ts";
import { GSO_TCPV4 } from "../../dataplane/vnet.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { Location, locate } from "../../wire/flow.ts";
import { BatchUnderlay } from "./batch.ts";
import { type HairpinOptions, HairpinUnderlay, TUNNEL_VNET_LENGTH } from "./hairpin.ts";
import { SUPER_FRAMES } from "./probe/super-frames.ts";
import { loadShim } from "./shim.ts";

const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 0x01;
const TUN_F_TSO = 0x02 | 0x04;
const TUN_F_UDP_TUNNEL_GSO = 0x80;
const TUN_F_UDP_TUNNEL_GSO_CSUM = 0x100;
const DISCARD = 9;
/** A row of the slab of addresses; the first is nobody's. */
const OURSELVES = 1;

/**
 * Makes the device. It goes with its descriptor.
 * @param name "%d" in it becomes the next free number
 * @throws the shim's error; EINVAL where the kernel knows no GSO over UDP tunnels at a TAP (before 6.17)
 */
export function openTunnelTap(name: string): { readonly fd: number; readonly name: string } {
  const offloads = TUN_F_CSUM | TUN_F_TSO | TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM;
  return loadShim().tapOpen(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, TUNNEL_VNET_LENGTH, offloads);
}

/**
 * Sends a super-frame to the discard port of our own address.
 * @param local our underlay address, as bytes
 * @returns 0, or the errno that the kernel refuses it with
 */
export function tryTunnelTap(options: HairpinOptions, local: Uint8Array): number {
  const arena = new Arena(SLOT_BYTES + segmentSlabBytes(1));
  const ring = new Ring(arena.carvePool(SLOT_BYTES, 1), 1);
  const segmenter = new Segmenter(
    arena.bytes,
    arena.reserve(segmentSlabBytes(1)),
    { vni: 0, mtu: 1450 },
    copyPieces,
  );
  const underlay = new HairpinUnderlay(new BatchUnderlay(NO_SOCKET, { ...options, family: 4 }), options);
  const packet = SUPER_FRAMES["TCP over IPv4"];
  const slot = ring.pool.take();
  const frame = slot + VNET_AT + VNET_LENGTH;
  arena.bytes.set(packet, slot + VNET_AT);
  const where = new Location();
  locate(arena.bytes, frame, packet.length - VNET_LENGTH, where);
  segmenter.whole(frame, where, GSO_TCPV4, underlay.superHeadLength, ring);
  ring.words[OUTER] = SUPER;
  ring.words[PEER] = OURSELVES;
  const addresses = new Uint8Array((OURSELVES + 1) * ADDRESS_BYTES);
  writeSockaddr(addresses, OURSELVES * ADDRESS_BYTES, local, DISCARD);
  return Math.max(0, -underlay.sendBatch(ring, addresses));
}

/** Everything goes by the TAP here. */
const NO_SOCKET = { fd: -1, port: 0, receiveBuffer: 0, sendBuffer: 0, gro: false, warnings: [] };
const SLOT_BYTES = 2048;
