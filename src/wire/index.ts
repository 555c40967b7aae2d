/**
 * `poplin/wire`: packets as bytes, and what the bytes mean. No Node API: runs in a browser.
 *
 * Three ways to the same bytes:
 * - `decodePacket(bytes)` explains a packet from its first byte to its last, every byte once, and never throws;
 * - `decode(TABLE, bytes, at)` and `encode(TABLE, values)` read and write one header by its table, which also says
 *   what each field means, why it is there, where it is defined, and what breaks if it is wrong;
 * - views such as `readVni(bytes, at)` and `locate(bytes, at, length, out)` are for code that runs for every packet:
 *   they allocate nothing and, but for `locate`, check nothing.
 *
 * @example
 * ```ts
 * import { decodePacket, encode, fromHex, VXLAN } from "poplin/wire";
 *
 * encode(VXLAN, { i: 1, vni: 1 }); // 08 00 00 00 00 00 01 00
 *
 * const packet = decodePacket(fromHex("0800000000000100 ffffffffffff 0a580af40102 0806"), { layer: "udp-payload" });
 * packet.parts[0]; // { kind: "header", table: VXLAN, at: 0, length: 8, values: { i: 1, vni: 1, … }, … }
 * packet.truncated; // true: the ARP packet that the inner frame announces is not there
 * ```
 */

export * from "./arp.ts";
export * from "./bytes.ts";
export * from "./checksum.ts";
export { type DecodedField, type DecodedHeader, decode } from "./decode.ts";
export * from "./ecn.ts";
export { encode, putBits } from "./encode.ts";
export { encodePacket, type PacketLayer } from "./encode-packet.ts";
export * from "./errors.ts";
export * from "./ethernet.ts";
export * from "./field.ts";
export * from "./flow.ts";
export { formatValue } from "./format.ts";
export {
  ICMP,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_REDIRECT_MESSAGE,
  ICMP_TIME_EXCEEDED,
  ICMP_TIME_EXCEEDED_MESSAGE,
  ICMP_UNREACHABLE,
  ICMP_UNREACHABLE_MESSAGE,
} from "./icmp.ts";
export {
  ICMPV6,
  ICMPV6_ECHO,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_NEIGHBOUR_ADVERTISEMENT,
  ICMPV6_NEIGHBOUR_SOLICITATION,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PACKET_TOO_BIG_MESSAGE,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_PARAMETER_PROBLEM_MESSAGE,
  ICMPV6_ROUTER_ADVERTISEMENT,
  ICMPV6_ROUTER_SOLICITATION,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_TIME_EXCEEDED_MESSAGE,
  ICMPV6_UNREACHABLE,
  ICMPV6_UNREACHABLE_MESSAGE,
} from "./icmpv6.ts";
export { IPV4 } from "./ipv4.ts";
export * from "./ipv4-options.ts";
export { IPV6 } from "./ipv6.ts";
export * from "./ipv6-extensions.ts";
export * from "./nd.ts";
export * from "./nd-options.ts";
export * from "./numbers.ts";
export { decodePacket, type Packet, type PacketOptions } from "./packet.ts";
export * from "./tables.ts";
export * from "./tcp.ts";
export * from "./tcp-options.ts";
export * from "./udp.ts";
export * from "./views.ts";
export * from "./vlan.ts";
export * from "./vxlan.ts";
export { type HeaderPart, isHeader, type LayerName, type Note, type Part, type SpanPart } from "./walk.ts";
