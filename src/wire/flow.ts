/**
 * Where the headers of an Ethernet frame lie. The frame may be anything an attacker likes: nothing outside
 * [at, at + length) is read, and every offset that is reported lies inside it together with the header it names.
 * `Location` is made once and filled again for each frame, so the hot path allocates nothing.
 */
import { u16 } from "./bytes.ts";
import {
  ETHERTYPE_FIRST,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_ROUTING,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "./numbers.ts";
import {
  ETHERNET_LENGTH,
  IPV4_LENGTH,
  IPV6_LENGTH,
  ipTos,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
  ipv6NextHeader,
  ipv6PayloadLength,
  VLAN_LENGTH,
} from "./views.ts";

/** EtherType IPv4; version 4, five words of header; any TOS. */
const USUAL_START = (ETHERTYPE_IPV4 << 16) | 0x4500;
/** Most VLAN tags that are looked behind. */
const MAX_TAGS = 2;

/** What `locate` found. Offsets are into `bytes`; 0 stands for "there is none". */
export class Location {
  /** EtherType after up to two VLAN tags; 0 when the frame is too short, or its field is an 802.3 length. */
  etherType = 0;
  /** Where the IP (or other layer 3) header starts; 0 when the frame is too short for an Ethernet header. */
  l3At = 0;
  /** 4 or 6, when there is a complete IP header whose version and lengths make sense; else 0. */
  version = 0;
  /** IPv4 TOS or IPv6 traffic class; 0 without IP. */
  tos = 0;
  /** Bytes in the IP packet as its own header says, IPv6 header included; 0 without IP. May exceed the frame. */
  totalLength = 0;
  /** IP protocol, after IPv6 extension headers; −1 without IP, or when the chain of headers ends too early. */
  protocol = -1;
  /** Whether it is a piece of a larger IP packet. */
  fragment = false;
  /**
   * Where the TCP, UDP, SCTP, ICMP or ICMPv6 header starts. 0 for another protocol, for a fragment (the first one
   * too: the pieces of a packet must not differ), and when the frame is shorter than the IP packet says.
   */
  l4At = 0;
  /** Bytes from `l4At` to the end of the IP packet, for checksums; 0 where `l4At` is. */
  l4Length = 0;
}

/**
 * The frame that nearly all are: untagged, IPv4 without options, a whole TCP or UDP packet. A view reads a word in one
 * step, where bytes take four: so the hot path asks here first, and only then `locate`.
 * @param view of the bytes in which the frame is
 * @returns false, with `out` as it was, for any other frame; else `out` is what `locate` would have made of it
 */
export function locateUsual(view: DataView, at: number, length: number, out: Location): boolean {
  if (length < ETHERNET_LENGTH + IPV4_LENGTH) return false;
  const l3At = at + ETHERNET_LENGTH;
  // EtherType, version and header length, TOS
  if ((view.getInt32(l3At - 2) & 0xffffff00) !== USUAL_START) return false;
  const totalLength = view.getUint16(l3At + 2);
  const protocol = view.getUint8(l3At + 9);
  const least = protocol === PROTOCOL_TCP ? 20 : protocol === PROTOCOL_UDP ? 8 : length;
  if ((view.getUint16(l3At + 6) & 0x3fff) !== 0) return false; // a fragment
  if (totalLength < IPV4_LENGTH + least || totalLength > length - ETHERNET_LENGTH) return false;
  out.etherType = ETHERTYPE_IPV4;
  out.l3At = l3At;
  out.version = 4;
  out.tos = view.getUint8(l3At + 1);
  out.totalLength = totalLength;
  out.protocol = protocol;
  out.fragment = false;
  out.l4At = l3At + IPV4_LENGTH;
  out.l4Length = totalLength - IPV4_LENGTH;
  return true;
}

/** Finds the headers of the Ethernet frame in [at, at + length) and writes to `out` where they are. */
export function locate(bytes: Uint8Array, at: number, length: number, out: Location): void {
  out.etherType = 0;
  out.l3At = 0;
  out.version = 0;
  out.tos = 0;
  out.totalLength = 0;
  out.protocol = -1;
  out.fragment = false;
  out.l4At = 0;
  out.l4Length = 0;
  if (length < ETHERNET_LENGTH) return;

  const end = at + length;
  let l3At = at + ETHERNET_LENGTH;
  let type = u16(bytes, l3At - 2);
  for (let tags = 0; tags < MAX_TAGS && (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ); tags++) {
    if (l3At + VLAN_LENGTH > end) return;
    l3At += VLAN_LENGTH;
    type = u16(bytes, l3At - 2);
  }
  out.l3At = l3At;
  if (type < ETHERTYPE_FIRST) return;
  out.etherType = type;
  if (type === ETHERTYPE_IPV4) locateIpv4(bytes, l3At, end, out);
  else if (type === ETHERTYPE_IPV6) locateIpv6(bytes, l3At, end, out);
}

function locateIpv4(bytes: Uint8Array, ipAt: number, end: number, out: Location): void {
  if (ipAt + IPV4_LENGTH > end || bytes[ipAt]! >>> 4 !== 4) return;
  const headerLength = ipv4HeaderLength(bytes, ipAt);
  const totalLength = ipv4TotalLength(bytes, ipAt);
  if (headerLength < IPV4_LENGTH || ipAt + headerLength > end || totalLength < headerLength) return;
  out.version = 4;
  out.tos = ipTos(bytes, ipAt);
  out.totalLength = totalLength;
  out.protocol = ipv4Protocol(bytes, ipAt);
  out.fragment = ipv4IsFragment(bytes, ipAt);
  locateL4(ipAt + headerLength, ipAt + totalLength, end, out);
}

function locateIpv6(bytes: Uint8Array, ipAt: number, end: number, out: Location): void {
  if (ipAt + IPV6_LENGTH > end || bytes[ipAt]! >>> 4 !== 6) return;
  out.version = 6;
  out.tos = ipTos(bytes, ipAt);
  out.totalLength = IPV6_LENGTH + ipv6PayloadLength(bytes, ipAt);
  const ipEnd = ipAt + out.totalLength;
  const limit = Math.min(end, ipEnd);
  let next = ipv6NextHeader(bytes, ipAt);
  let at = ipAt + IPV6_LENGTH;
  // Each turn moves on by at least 8 bytes, so the walk ends with the packet.
  while (isExtension(next)) {
    if (at + 8 > limit) return;
    if (next === PROTOCOL_FRAGMENT) {
      // Offset 0 and M clear is an "atomic" fragment, a whole packet (RFC 6946).
      if ((u16(bytes, at + 2) & 0xfff9) !== 0) out.fragment = true;
      next = bytes[at]!;
      at += 8;
      if (out.fragment) break; // what follows belongs to the packet as a whole
    } else {
      next = bytes[at]!;
      at += (bytes[at + 1]! + 1) << 3;
    }
  }
  if (at > limit) return;
  out.protocol = next;
  locateL4(at, ipEnd, end, out);
}

function isExtension(next: number): boolean {
  return (
    next === PROTOCOL_HOP_BY_HOP ||
    next === PROTOCOL_ROUTING ||
    next === PROTOCOL_FRAGMENT ||
    next === PROTOCOL_DESTINATION_OPTIONS
  );
}

function locateL4(at: number, ipEnd: number, end: number, out: Location): void {
  if (out.fragment || ipEnd > end) return;
  const least = leastL4Length(out.protocol);
  if (least === 0 || at + least > ipEnd) return;
  out.l4At = at;
  out.l4Length = ipEnd - at;
}

/** Bytes in the shortest header of a protocol; 0 for those we do not look into. */
function leastL4Length(protocol: number): number {
  switch (protocol) {
    case PROTOCOL_TCP:
      return 20;
    case PROTOCOL_UDP:
      return 8;
    case PROTOCOL_SCTP:
      return 12;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
      return 4;
    default:
      return 0;
  }
}
