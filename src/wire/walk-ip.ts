/** IPv4 and IPv6. */
import { u16, u32 } from "./bytes.ts";
import { IPV4 } from "./ipv4.ts";
import { IPV6 } from "./ipv6.ts";
import {
  IPV6_DESTINATION_OPTIONS,
  IPV6_EXTENSIONS,
  IPV6_FRAGMENT,
  IPV6_HOP_BY_HOP,
  IPV6_ROUTING,
} from "./ipv6-extensions.ts";
import {
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_NONE,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  protocolName,
} from "./numbers.ts";
import { type Next, number, type Walk } from "./walk.ts";
import { IPV4_STYLE, IPV6_STYLE, walkOptions } from "./walk-options.ts";

export function walkIp(walk: Walk, at: number, end: number): Next {
  const version = at < end ? walk.bytes[at]! >>> 4 : 4;
  return version === 6 ? walkIpv6(walk, at, end) : walkIpv4(walk, at, end);
}

export function walkIpv4(walk: Walk, at: number, end: number): Next {
  if (!hasVersion(walk, 4, at, end)) return null;
  const header = walk.header(IPV4, at, end);
  if (!header) return null;
  const headerEnd = at + number(header, "headerLength") * 4;
  const says = at + number(header, "totalLength");
  if (headerEnd < at + IPV4.length) {
    walk.malformed(at, `IPv4 header length is ${headerEnd - at} bytes, less than ${IPV4.length}`);
    walk.span("unexplained", at + IPV4.length, end, "after a header with a wrong length");
    return null;
  }
  if (says < headerEnd) walk.malformed(at + 2, `IPv4 total length is ${says - at}, less than the header`);
  const ipEnd = says < headerEnd ? end : walk.bound(says, end, "the IPv4 packet", "padding");
  if (headerEnd > ipEnd)
    walk.truncated(ipEnd, `IPv4 options need ${headerEnd - ipEnd} bytes more than are here`);
  const payloadAt = Math.min(headerEnd, ipEnd);
  walkOptions(walk, IPV4_STYLE, at + IPV4.length, payloadAt);
  if (headerEnd > ipEnd) return null;
  return afterIp(walk, {
    protocol: number(header, "protocol"),
    at: payloadAt,
    end: ipEnd,
    version: 4,
    offset: number(header, "fragmentOffset"),
    more: number(header, "moreFragments") === 1,
  });
}

export function walkIpv6(walk: Walk, at: number, end: number): Next {
  if (!hasVersion(walk, 6, at, end)) return null;
  const header = walk.header(IPV6, at, end);
  if (!header) return null;
  let protocol = number(header, "nextHeader");
  let next = at + IPV6.length;
  const length = number(header, "payloadLength") || jumboLength(walk.bytes, protocol, next, end);
  const ipEnd = walk.bound(next + length, end, "the IPv6 packet", "padding");
  for (let table = IPV6_EXTENSIONS[protocol]; table; table = IPV6_EXTENSIONS[protocol]) {
    if (next + 2 > ipEnd) {
      walk.header(table, next, ipEnd);
      return null;
    }
    const size = table === IPV6_FRAGMENT ? table.length : (walk.bytes[next + 1]! + 1) * 8;
    const extensionEnd = Math.min(next + size, ipEnd);
    const extension = walk.header(table, next, table === IPV6_ROUTING ? extensionEnd : ipEnd);
    if (!extension) return null;
    if (table === IPV6_HOP_BY_HOP || table === IPV6_DESTINATION_OPTIONS) {
      walkOptions(walk, IPV6_STYLE, next + table.length, extensionEnd);
    }
    if (next + size > ipEnd) {
      walk.truncated(ipEnd, `${table.title} needs ${next + size - ipEnd} bytes more than are here`);
      return null;
    }
    protocol = number(extension, "nextHeader");
    next += size;
    if (table === IPV6_FRAGMENT) {
      const offset = number(extension, "fragmentOffset");
      const more = number(extension, "moreFragments") === 1;
      if (offset > 0) return afterIp(walk, { protocol, at: next, end: ipEnd, version: 6, offset, more });
      if (more) walk.partial = true;
    }
  }
  return afterIp(walk, { protocol, at: next, end: ipEnd, version: 6, offset: 0, more: false });
}

/** RFC 2675 section 3: payload length 0, and the real one in the first hop-by-hop option. 0 when it is not there. */
function jumboLength(bytes: Uint8Array, nextHeader: number, at: number, end: number): number {
  const isJumbo = nextHeader === PROTOCOL_HOP_BY_HOP && at + 8 <= end && u16(bytes, at + 2) === 0xc204;
  return isJumbo ? u32(bytes, at + 4) : 0;
}

function hasVersion(walk: Walk, version: 4 | 6, at: number, end: number): boolean {
  if (at >= end || walk.bytes[at]! >>> 4 === version) return true;
  walk.malformed(at, `IPv${version} is announced, but the version field says ${walk.bytes[at]! >>> 4}`);
  walk.span("unexplained", at, end, `not IPv${version}`);
  return false;
}

interface IpPayload {
  readonly protocol: number;
  readonly at: number;
  readonly end: number;
  readonly version: 4 | 6;
  /** Fragment offset in units of 8 bytes. */
  readonly offset: number;
  readonly more: boolean;
}

function afterIp(walk: Walk, ip: IpPayload): Next {
  const { protocol, at, end } = ip;
  const name = protocolName(protocol) ?? `protocol ${protocol}`;
  if (ip.offset > 0) {
    walk.span("payload", at, end, `part of a fragmented packet (${name})`);
    return null;
  }
  if (ip.more) walk.partial = true;
  if (protocol === PROTOCOL_UDP) return { layer: "udp", at, end };
  if (protocol === PROTOCOL_TCP) return { layer: "tcp", at, end };
  if (protocol === PROTOCOL_ICMP && ip.version === 4) return { layer: "icmp", at, end };
  if (protocol === PROTOCOL_ICMPV6 && ip.version === 6) return { layer: "icmpv6", at, end };
  if (protocol === PROTOCOL_NONE && ip.version === 6)
    walk.span("unexplained", at, end, 'after "no next header"');
  else walk.span("payload", at, end, `${name} payload`);
  return null;
}
