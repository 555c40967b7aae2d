/**
 * Fast views: one field of a header that the caller knows to start at `at` and to be complete. No bounds checks, no
 * allocation. `flow.ts` finds where the headers of an untrusted frame start.
 */
import { u16 } from "./bytes.ts";

/** Bytes in an Ethernet header without tags. */
export const ETHERNET_LENGTH = 14;
/** Bytes one 802.1Q tag adds. */
export const VLAN_LENGTH = 4;
/** Bytes in an IPv4 header without options. */
export const IPV4_LENGTH = 20;
/** Bytes in the fixed IPv6 header. */
export const IPV6_LENGTH = 40;
export const UDP_LENGTH = 8;
/** Bytes in a TCP header without options. */
export const TCP_LENGTH = 20;

/** Where fields lie in a TCP header, and in a UDP header. */
export const TCP_FLAGS_AT = 13;
export const TCP_CHECKSUM_AT = 16;
export const UDP_CHECKSUM_AT = 6;
/** TCP flags (RFC 9293 section 3.1). */
export const TCP_FIN = 0x01;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_CWR = 0x80;

/** EtherType (or 802.3 length) of the frame at `at`; a tag's own EtherType where there is a tag. */
export function etherType(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + 12);
}

/** 4, 6, or whatever else the first four bits say. */
export function ipVersion(bytes: Uint8Array, ipAt: number): number {
  return bytes[ipAt]! >>> 4;
}

/** Bytes in the IPv4 header, options included: 20 to 60, and less only if the packet is broken. */
export function ipv4HeaderLength(bytes: Uint8Array, ipAt: number): number {
  return (bytes[ipAt]! & 0x0f) << 2;
}

/** Bytes in the IPv4 packet, header included. */
export function ipv4TotalLength(bytes: Uint8Array, ipAt: number): number {
  return u16(bytes, ipAt + 2);
}

/** The 13 bits that place a fragment, in units of 8 bytes. */
export function ipv4FragmentOffset(bytes: Uint8Array, ipAt: number): number {
  return u16(bytes, ipAt + 6) & 0x1fff;
}

/** Whether the IPv4 packet is a piece of a larger one: MF is set or the offset is not 0. */
export function ipv4IsFragment(bytes: Uint8Array, ipAt: number): boolean {
  return (u16(bytes, ipAt + 6) & 0x3fff) !== 0;
}

export function ipv4Protocol(bytes: Uint8Array, ipAt: number): number {
  return bytes[ipAt + 9]!;
}

/** Bytes after the fixed IPv6 header, extension headers included. */
export function ipv6PayloadLength(bytes: Uint8Array, ipAt: number): number {
  return u16(bytes, ipAt + 4);
}

export function ipv6NextHeader(bytes: Uint8Array, ipAt: number): number {
  return bytes[ipAt + 6]!;
}

/** IPv4 TOS or IPv6 traffic class: six bits DSCP, two bits ECN. */
export function ipTos(bytes: Uint8Array, ipAt: number): number {
  return ipVersion(bytes, ipAt) === 4 ? bytes[ipAt + 1]! : (u16(bytes, ipAt) >>> 4) & 0xff;
}

/** IPv4 TTL or IPv6 hop limit. */
export function ipTtl(bytes: Uint8Array, ipAt: number): number {
  return ipVersion(bytes, ipAt) === 4 ? bytes[ipAt + 8]! : bytes[ipAt + 7]!;
}

/** Bytes in the TCP header, options included. */
export function tcpHeaderLength(bytes: Uint8Array, tcpAt: number): number {
  return (bytes[tcpAt + 12]! >>> 4) << 2;
}
