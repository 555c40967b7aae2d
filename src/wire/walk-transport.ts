/** What IP carries: UDP, TCP, ICMP and ICMPv6; and what UDP carries here, VXLAN. */
import type { HeaderTable } from "./field.ts";
import { ICMP, ICMP_ERRORS, ICMP_MESSAGES } from "./icmp.ts";
import { ICMPV6, ICMPV6_MESSAGES } from "./icmpv6.ts";
import { ND_MESSAGES } from "./nd.ts";
import { TCP } from "./tcp.ts";
import { UDP } from "./udp.ts";
import { hasGroup, VXLAN, VXLAN_GBP } from "./vxlan.ts";
import { type Next, number, type Walk } from "./walk.ts";
import { ND_STYLE, TCP_STYLE, walkOptions } from "./walk-options.ts";

export function walkUdp(walk: Walk, at: number, end: number): Next {
  const header = walk.header(UDP, at, end);
  if (!header) return null;
  const says = number(header, "length");
  if (says < UDP.length) walk.malformed(at + 4, `UDP length is ${says}, less than its header`);
  const udpEnd = says < UDP.length ? end : walk.bound(at + says, end, "the UDP datagram", "unexplained");
  if (walk.vxlanPorts.has(number(header, "destinationPort"))) {
    return { layer: "udp-payload", at: at + UDP.length, end: udpEnd };
  }
  walk.span("payload", at + UDP.length, udpEnd, "UDP payload");
  return null;
}

export function walkVxlan(walk: Walk, at: number, end: number): Next {
  const table = at < end && hasGroup(walk.bytes, at) ? VXLAN_GBP : VXLAN;
  const header = walk.header(table, at, end);
  if (!header) return null;
  if (number(header, "i") === 0) walk.malformed(at, "the I flag of VXLAN is clear: a VTEP drops this");
  walk.level += 1;
  return { layer: "ethernet", at: at + table.length, end };
}

export function walkTcp(walk: Walk, at: number, end: number): Next {
  const header = walk.header(TCP, at, end);
  if (!header) return null;
  const headerEnd = at + number(header, "dataOffset") * 4;
  if (headerEnd < at + TCP.length) {
    walk.malformed(at + 12, `TCP data offset is ${headerEnd - at} bytes, less than ${TCP.length}`);
    walk.span("unexplained", at + TCP.length, end, "after a header with a wrong length");
    return null;
  }
  if (headerEnd > end) walk.truncated(end, `TCP options need ${headerEnd - end} bytes more than are here`);
  walkOptions(walk, TCP_STYLE, at + TCP.length, Math.min(headerEnd, end));
  walk.span("payload", headerEnd, end, "TCP payload");
  return null;
}

export function walkIcmp(walk: Walk, at: number, end: number): Next {
  const type = at < end ? walk.bytes[at]! : -1;
  const table = ICMP_MESSAGES[type] ?? ICMP;
  if (!walk.header(table, at, end)) return null;
  if (ICMP_ERRORS.has(type)) return quoted(walk, at + table.length, end);
  walk.span("payload", at + table.length, end, "ICMP data");
  return null;
}

export function walkIcmpv6(walk: Walk, at: number, end: number): Next {
  const type = at < end ? walk.bytes[at]! : -1;
  const table: HeaderTable = ICMPV6_MESSAGES[type] ?? ND_MESSAGES[type] ?? ICMPV6;
  if (!walk.header(table, at, end)) return null;
  const bodyAt = at + table.length;
  if (ND_MESSAGES[type]) walkOptions(walk, ND_STYLE, bodyAt, end);
  // RFC 4443 section 2.1: the high bit of the type is clear in errors, and errors quote
  else if (type < 128 && table !== ICMPV6) return quoted(walk, bodyAt, end);
  else walk.span("payload", bodyAt, end, "ICMPv6 data");
  return null;
}

/** The packet an error is about: its beginning, as much as the sender of the error saw fit to copy. */
function quoted(walk: Walk, at: number, end: number): Next {
  if (at >= end) return null;
  walk.quoted = true;
  walk.partial = true;
  return { layer: "ip", at, end };
}
