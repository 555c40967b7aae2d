/**
 * Unfinished work that a kernel peer leaves in a frame, and how it is handed on to our kernel by a vnet header.
 *
 * A kernel VXLAN device on a veth (every kind cluster) relies on offloads that nobody on the way performs: inner
 * checksum fields hold the pseudo-header sum only, and a TCP super-frame of up to 64 KB comes as one datagram. Our
 * kernel can finish both once it is told: NEEDS_CSUM, and a GSO type with a segment size.
 *
 * A field that equals the pseudo-header sum by chance (1 in 65,536 finished checksums) is taken for unfinished: the
 * kernel then computes the same checksum again, and only a corruption of that very packet would go unseen.
 */
import { putU16, u16 } from "../wire/bytes.ts";
import { fold, pseudoSumV4, pseudoSumV6, sum } from "../wire/checksum.ts";
import { type Location, locate } from "../wire/flow.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";
import {
  TCP_CHECKSUM_AT,
  TCP_CWR,
  TCP_FLAGS_AT,
  TCP_LENGTH,
  tcpHeaderLength,
  UDP_CHECKSUM_AT,
  UDP_LENGTH,
} from "../wire/views.ts";
import { VXLAN_LENGTH } from "../wire/vxlan.ts";
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  le16,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  writeVnetHeader,
} from "./vnet.ts";

/** From `writeSuperHeader`: nothing that our kernel could cut into frames of the MTU. */
export const NOT_SUPER = 1;
/** From `writeSuperHeader`: its L4 checksum is finished, and wrong. */
export const BAD_CSUM = 2;

/** Whether one inner IP packet fills a whole datagram: then it is one super-frame, whatever UDP_GRO says. */
export function isOnePacket(bytes: Uint8Array, at: number, length: number, where: Location): boolean {
  locate(bytes, at + VXLAN_LENGTH, length - VXLAN_LENGTH, where);
  return where.version !== 0 && where.l3At + where.totalLength === at + length;
}

/** Where the checksum field of a TCP or UDP header lies; −1 for other protocols, which nobody leaves unfinished. */
function checksumOffset(protocol: number): number {
  if (protocol === PROTOCOL_TCP) return TCP_CHECKSUM_AT;
  return protocol === PROTOCOL_UDP ? UDP_CHECKSUM_AT : -1;
}

/** The pseudo-header sum in 16 bits, as the stack leaves it in the field of an unfinished checksum. */
function pseudoSum(bytes: Uint8Array, where: Location): number {
  const { l3At, protocol, l4Length } = where;
  return fold(
    where.version === 4
      ? pseudoSumV4(bytes, l3At, protocol, l4Length)
      : pseudoSumV6(bytes, l3At, protocol, l4Length),
  );
}

/** Whether the TCP or UDP checksum of the frame that `where` describes is still the pseudo-header sum. */
export function hasPartialChecksum(bytes: Uint8Array, where: Location): boolean {
  const offset = checksumOffset(where.protocol);
  if (where.l4At === 0 || offset < 0) return false;
  return u16(bytes, where.l4At + offset) === pseudoSum(bytes, where);
}

/** The same through a view of the bytes, for what `locateUsual` has found: IPv4, TCP or UDP. */
export function hasPartialIpv4Checksum(view: DataView, where: Location): boolean {
  const { l3At, l4At, protocol } = where;
  const source = view.getInt32(l3At + 12);
  const destination = view.getInt32(l3At + 16);
  const halves = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  const field = protocol === PROTOCOL_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT;
  return view.getUint16(l4At + field) === fold(halves + protocol + where.l4Length);
}

/** Writes at `header` the vnet header that asks the kernel to finish the checksum of the frame at `frame`. */
export function writePartialHeader(bytes: Uint8Array, header: number, frame: number, where: Location): void {
  const offset = checksumOffset(where.protocol);
  writeVnetHeader(bytes, header, NEEDS_CSUM, GSO_NONE, 0, 0, where.l4At - frame, offset);
}

/**
 * Writes at `header` the vnet header of a super-frame, so that the kernel cuts it where it must.
 * @param mtu the overlay MTU, from which the segment size of TCP follows
 * @param udpSegment payload bytes per datagram of a pod's UDP_SEGMENT send, as UDP_GRO reported them; 0 for none
 * @returns 0, `NOT_SUPER` or `BAD_CSUM`
 */
export function writeSuperHeader(
  bytes: Uint8Array,
  header: number,
  frame: number,
  where: Location,
  mtu: number,
  udpSegment: number,
): number {
  const { l4At, l3At, protocol } = where;
  if (l4At === 0) return NOT_SUPER;
  const tcp = protocol === PROTOCOL_TCP;
  if (!tcp && (protocol !== PROTOCOL_UDP || udpSegment === 0)) return NOT_SUPER;
  const l4Header = tcp ? tcpHeaderLength(bytes, l4At) : UDP_LENGTH;
  const segment = tcp ? mtu - (l4At - l3At) - l4Header : udpSegment;
  if (l4Header >= where.l4Length || segment <= 0 || (tcp && l4Header < TCP_LENGTH)) return NOT_SUPER;
  const csum = l4At + checksumOffset(protocol);
  if (!makePartial(bytes, csum, where)) return BAD_CSUM;
  let type = GSO_UDP_L4;
  if (tcp) {
    type = where.version === 4 ? GSO_TCPV4 : GSO_TCPV6;
    if ((bytes[l4At + TCP_FLAGS_AT]! & TCP_CWR) !== 0) type |= GSO_ECN;
  }
  const headers = l4At - frame + l4Header;
  writeVnetHeader(bytes, header, NEEDS_CSUM, type, headers, segment, l4At - frame, csum - l4At);
  return 0;
}

/** Segmentation wants the pseudo-header sum in the field: a finished checksum is verified and undone. */
function makePartial(bytes: Uint8Array, csumAt: number, where: Location): boolean {
  const pseudo = pseudoSum(bytes, where);
  const field = u16(bytes, csumAt);
  if (field === pseudo) return true;
  // RFC 768: no checksum, nothing to verify. IPv6 has no such datagrams (RFC 8200 section 8.1).
  const unused = field === 0 && where.protocol === PROTOCOL_UDP && where.version === 4;
  if (!unused && fold(sum(bytes, where.l4At, where.l4Length, pseudo)) !== 0xffff) return false;
  putU16(bytes, csumAt, pseudo);
  return true;
}

/**
 * Finishes a checksum that the TAP left partial, as `skb_checksum_help` does, but for one in 65,536: where the checksum is
 * 0 that writes 0xffff for every protocol. Both are right in ones' complement; only UDP, where 0 says that there is none,
 * asks for it (RFC 768), and to some who look, tshark among them, it is wrong in TCP (RFC 1624). The frame's vnet header,
 * at `header`, says where; a header that points outside the frame changes nothing. It needs no checksum afterwards.
 */
export function completeChecksum(bytes: Uint8Array, header: number, frame: number, length: number): void {
  const start = le16(bytes, header + VNET_CSUM_START);
  const offset = le16(bytes, header + VNET_CSUM_OFFSET);
  bytes[header + VNET_FLAGS]! &= ~NEEDS_CSUM;
  if (start + offset + 2 > length) return;
  const value = ~fold(sum(bytes, frame + start, length - start)) & 0xffff;
  putU16(bytes, frame + start + offset, value === 0 && offset === UDP_CHECKSUM_AT ? 0xffff : value);
}
