/** Whether the checksums in a packet are right: what a header's table cannot say, since it sees one header only. */
import {
  checksum,
  fold,
  type HeaderPart,
  isHeader,
  type Packet,
  pseudoSumV4,
  pseudoSumV6,
} from "../wire/index.ts";

/**
 * `none`: zero, which in UDP says that there is none. `partial`: the sum of the pseudo-header only, to be completed
 * by a network card; usual in captures on virtual devices. `unknown`: the bytes it covers are not all here.
 */
export interface Verdict {
  readonly state: "right" | "wrong" | "none" | "partial" | "unknown";
  /** What it should be. Only for `wrong`. */
  readonly expected?: number;
}

const UNKNOWN: Verdict = { state: "unknown" };
const RIGHT: Verdict = { state: "right" };

/** What each header's checksum is worth; headers without one are left out. */
export function verdicts(bytes: Uint8Array, packet: Packet): ReadonlyMap<HeaderPart, Verdict> {
  const found = new Map<HeaderPart, Verdict>();
  let ip: IpAround | null = null;
  for (const part of packet.parts) {
    if (!isHeader(part)) continue;
    const { name, fields } = part.table;
    if (name === "ipv4" || name === "ipv6") ip = ipAround(part, bytes);
    if (name === "ipv6-fragment" && ip) ip = { ...ip, whole: ip.whole && isAtomic(part) };
    if (!fields.some((field) => field.format === "checksum")) continue;
    found.set(part, name === "ipv4" ? ipv4Verdict(bytes, part) : l4Verdict(bytes, part, ip));
  }
  return found;
}

/** The IP packet that the next headers are in. */
interface IpAround {
  readonly version: 4 | 6;
  readonly at: number;
  readonly end: number;
  /** Neither cut off, nor a fragment, nor a quote. */
  readonly whole: boolean;
}

function ipAround(part: HeaderPart, bytes: Uint8Array): IpAround {
  const { values } = part;
  const v4 = part.table.name === "ipv4";
  const end = part.at + Number(v4 ? values.totalLength : 40 + Number(values.payloadLength));
  const fragment = v4 && (values.moreFragments !== 0 || values.fragmentOffset !== 0);
  const whole = !part.truncated && !part.quoted && !fragment && end <= bytes.length;
  return { version: v4 ? 4 : 6, at: part.at, end, whole };
}

function isAtomic(part: HeaderPart): boolean {
  return part.values.moreFragments === 0 && part.values.fragmentOffset === 0;
}

function ipv4Verdict(bytes: Uint8Array, part: HeaderPart): Verdict {
  const length = Number(part.values.headerLength) * 4;
  if (part.truncated || length < 20 || part.at + length > bytes.length) return UNKNOWN;
  return judge(bytes, part, length, 10, 0);
}

function l4Verdict(bytes: Uint8Array, part: HeaderPart, ip: IpAround | null): Verdict {
  const { at } = part;
  const { name } = part.table;
  if (!ip?.whole || part.truncated || ip.end <= at) return UNKNOWN;
  const room = ip.end - at;
  if (name === "udp") {
    if (part.values.checksum === 0) return { state: "none" };
    const length = Number(part.values.length);
    return length < 8 || length > room
      ? UNKNOWN
      : judge(bytes, part, length, 6, pseudo(bytes, ip, 17, length));
  }
  if (name === "tcp") return judge(bytes, part, room, 16, pseudo(bytes, ip, 6, room));
  return judge(bytes, part, room, 2, ip.version === 4 ? 0 : pseudo(bytes, ip, 58, room));
}

function pseudo(bytes: Uint8Array, ip: IpAround, protocol: number, length: number): number {
  return ip.version === 4
    ? pseudoSumV4(bytes, ip.at, protocol, length)
    : pseudoSumV6(bytes, ip.at, protocol, length);
}

/** @param field where the checksum is in the header, in bytes; @param initial the pseudo-header's sum, 0 for none */
function judge(bytes: Uint8Array, part: HeaderPart, length: number, field: number, initial: number): Verdict {
  if (checksum(bytes, part.at, length, initial) === 0) return RIGHT;
  const is = (bytes[part.at + field]! << 8) | bytes[part.at + field + 1]!;
  if (initial !== 0 && is === fold(initial)) return { state: "partial" };
  const copy = bytes.slice(part.at, part.at + length);
  copy.fill(0, field, field + 2);
  return { state: "wrong", expected: checksum(copy, 0, length, initial) };
}
