/**
 * The questions and answers of ARP (RFC 826) and neighbour discovery (RFC 4861) over Ethernet, in place: which of them a
 * frame is, and what makes a question its answer. Nothing here allocates; `proxy.ts` decides who is answered.
 */
import { i32, putMac, putU16, putU32, u16 } from "../wire/bytes.ts";
import { checksum, pseudoSumV6 } from "../wire/checksum.ts";
import type { Location } from "../wire/flow.ts";
import { ETHERTYPE_IPV4, PROTOCOL_ICMPV6 } from "../wire/numbers.ts";
import { IPV6_LENGTH } from "../wire/views.ts";

const ARP_LENGTH = 28;
/** Hardware types that the kernel's `arp_reduce` takes for Ethernet: 1, and 6, IEEE 802. */
const HARDWARE_ETHERNET = 1;
const HARDWARE_IEEE802 = 6;
/** Address lengths, 6 and 4, and the opcode of a request. */
const LENGTHS_AND_REQUEST = 0x06040001;
const ARP_REPLY = 2;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
/** Where the target's address lies in an ARP message. */
export const ARP_TARGET = 24;

const ND_SOLICITATION = 135;
const ND_ADVERTISEMENT = 136;
/** Where the target's address lies in a solicitation or advertisement. */
export const ND_TARGET = 8;
/** Bytes before the options. */
const ND_LENGTH = 24;
const OPTION_SOURCE = 1;
const OPTION_TARGET = 2;
const OPTION_BYTES = 8;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const HOP_LIMIT = 255;
const IP_SOURCE = 8;
const IP_DESTINATION = 24;
/** First word of ff02::1, all nodes on the link, and its MAC. */
const ALL_NODES = 0xff020000 | 0;
const ALL_NODES_MAC_HI = 0x3333;
const ALL_NODES_MAC_LO = 1;

/** Whether the ARP message at `at` asks for the MAC of somebody: an announcement (RFC 5227 section 3) does not. */
export function isArpRequest(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + ARP_LENGTH > end) return false;
  const hardware = u16(bytes, at);
  if (hardware !== HARDWARE_ETHERNET && hardware !== HARDWARE_IEEE802) return false;
  if (u16(bytes, at + 2) !== ETHERTYPE_IPV4 || i32(bytes, at + 4) !== LENGTHS_AND_REQUEST) return false;
  const first = bytes[at + ARP_TARGET]!;
  if (first === 127 || first >>> 4 === 0xe) return false; // loopback, multicast
  return i32(bytes, at + ARP_TARGET) !== i32(bytes, at + SENDER_IP);
}

/**
 * Turns the request at `at` of the frame at `frame` into the reply that the target has this MAC.
 * @returns the length of the frame that it is now: any padding is gone
 */
export function writeArpReply(bytes: Uint8Array, frame: number, at: number, hi: number, lo: number): number {
  const target = i32(bytes, at + ARP_TARGET);
  bytes.copyWithin(frame, at + SENDER_MAC, at + SENDER_IP);
  putMac(bytes, frame + 6, hi, lo);
  putU16(bytes, at, HARDWARE_ETHERNET);
  putU16(bytes, at + 6, ARP_REPLY);
  bytes.copyWithin(at + TARGET_MAC, at + SENDER_MAC, at + TARGET_MAC);
  putMac(bytes, at + SENDER_MAC, hi, lo);
  putU32(bytes, at + SENDER_IP, target);
  return at + ARP_LENGTH - frame;
}

/** Whether a frame is a neighbour solicitation, as far as RFC 4861 section 7.1.1 asks without its checksum and options. */
export function isSolicitation(bytes: Uint8Array, where: Location): boolean {
  const { l3At, l4At } = where;
  return (
    where.protocol === PROTOCOL_ICMPV6 &&
    l4At === l3At + IPV6_LENGTH &&
    where.l4Length >= ND_LENGTH &&
    u16(bytes, l4At) === ND_SOLICITATION << 8 && // type, and code 0
    bytes[l3At + 7] === HOP_LIMIT
  );
}

/**
 * Where the MAC lies to which a solicitation is answered: in the first source link-layer option, else it is the frame's.
 * @param at where the solicitation starts, and `length`, its bytes with all options
 * @returns −1 where an option makes no sense: such a message is silently discarded (RFC 4861 section 4.6)
 */
export function askerOf(bytes: Uint8Array, frame: number, at: number, length: number): number {
  const end = at + length;
  for (let option = at + ND_LENGTH; option + 1 < end; ) {
    const size = bytes[option + 1]! << 3;
    if (size === 0 || option + size > end) return -1;
    if (bytes[option] === OPTION_SOURCE) return option + 2;
    option += size;
  }
  return frame + 6;
}

/**
 * Turns the solicitation that follows the IPv6 header at `ip` into the advertisement that the target has this MAC.
 * `vxlan_na_create` writes the same bytes, but for a probe.
 * @param asker from `askerOf`
 * @returns the length of the frame that it is now; there was room behind it for an option more
 */
export function writeAdvertisement(
  bytes: Uint8Array,
  frame: number,
  ip: number,
  asker: number,
  hi: number,
  lo: number,
): number {
  const at = ip + IPV6_LENGTH;
  const size = ND_LENGTH + OPTION_BYTES;
  const probe = isUnspecified(bytes, ip + IP_SOURCE);
  bytes.copyWithin(frame, asker, asker + 6);
  putMac(bytes, frame + 6, hi, lo);
  bytes.fill(0, ip + 1, ip + 4); // of traffic class and flow label the kernel keeps the first four bits
  putU16(bytes, ip + 4, size);
  bytes.copyWithin(ip + IP_DESTINATION, ip + IP_SOURCE, ip + IP_DESTINATION);
  bytes.copyWithin(ip + IP_SOURCE, at + ND_TARGET, at + ND_LENGTH);
  if (probe) {
    putMac(bytes, frame, ALL_NODES_MAC_HI, ALL_NODES_MAC_LO);
    putU32(bytes, ip + IP_DESTINATION, ALL_NODES);
    bytes[ip + IP_DESTINATION + 15] = 1;
  }
  putU32(bytes, at, ND_ADVERTISEMENT << 24);
  putU32(bytes, at + 4, (probe ? OVERRIDE : SOLICITED | OVERRIDE) << 24);
  putU16(bytes, at + ND_LENGTH, (OPTION_TARGET << 8) | (OPTION_BYTES >> 3));
  putMac(bytes, at + ND_LENGTH + 2, hi, lo);
  putU16(bytes, at + 2, checksum(bytes, at, size, pseudoSumV6(bytes, ip, PROTOCOL_ICMPV6, size)));
  return at + size - frame;
}

function isUnspecified(bytes: Uint8Array, at: number): boolean {
  return (i32(bytes, at) | i32(bytes, at + 4) | i32(bytes, at + 8) | i32(bytes, at + 12)) === 0;
}
