/**
 * What becomes of an inner packet that is too long for the path to its VTEP: its sender is told, as a router would tell
 * him, by ICMP "fragmentation needed" (RFC 1191 section 4) or ICMPv6 "packet too big" (RFC 4443 section 3.2). The kernel's
 * tunnels do the same (`skb_tunnel_check_pmtu`, `net/ipv4/ip_tunnel_core.c`), and so:
 *
 *   Ethernet   the two MACs swapped, tags kept: behind a bridge only the MAC says where the sender is
 *   IP         from the inner destination, so that the sender and whoever filters takes it for an answer
 *   ICMP       the largest packet that fits, and the start of the one that did not
 *
 * The packet is dropped then. What must not be answered (below), or may be fragmented, is sent nevertheless: the underlay
 * fragments it, or refuses it, and that is counted there. IPv4 packets without DF are among those.
 *
 * The answer lies in a slot of its own and goes through the ring of answers. When there are no slots, or too many answers
 * for one second, the packet is dropped without: the sender tries again.
 */
import { putU16, u16 } from "../wire/bytes.ts";
import { checksum, pseudoSumV6 } from "../wire/checksum.ts";
import type { Location } from "../wire/flow.ts";
import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
} from "../wire/icmp.ts";
import { ICMPV6_ECHO_REQUEST, ICMPV6_PACKET_TOO_BIG } from "../wire/icmpv6.ts";
import { PROTOCOL_FRAGMENT, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from "../wire/numbers.ts";
import {
  ETHERNET_LENGTH,
  IPV4_LENGTH,
  IPV6_LENGTH,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv6NextHeader,
} from "../wire/views.ts";
import { pushAnswer } from "./answers.ts";
import { FRAME_AT } from "./arena.ts";
import type { PathMtus } from "./path-mtus.ts";
import { RateLimit } from "./rate-limit.ts";
import type { Ring } from "./ring.ts";

/** Bytes in an ICMP or ICMPv6 header with the word that the type defines. */
const ICMP_LENGTH = 8;
/** Bytes of the answer, at most: RFC 1812 section 4.3.2.3, RFC 4443 section 3.2 (c). */
const LONGEST_V4 = 576;
const LONGEST_V6 = 1280;
/** What every host takes, so that nobody lowers his MTU below it (RFC 791, RFC 8200 section 5); the kernel draws the same line. */
const LEAST_V4 = 576;
const LEAST_V6 = 1280;
const DF = 0x40;
const TTL = 64;
const GROUP = 1;
/** RFC 6633 has done away with it; an error it is. */
const ICMP_SOURCE_QUENCH = 4;

/** Answers in a second, and at once: `net.ipv4.icmp_msgs_per_sec` and `icmp_msgs_burst`. */
const PER_SECOND = 1000;
const BURST = 50;

export class TooBig {
  readonly #bytes: Uint8Array;
  readonly #paths: PathMtus;
  readonly #limit: RateLimit;

  /** @param now milliseconds of any clock that only goes forward */
  constructor(bytes: Uint8Array, paths: PathMtus, now = () => performance.now()) {
    this.#bytes = bytes;
    this.#paths = paths;
    this.#limit = new RateLimit(now);
    this.#limit.set(PER_SECOND, BURST);
  }

  /**
   * @param length bytes of the frame
   * @param size bytes of the IP packet; of a super-frame, of the longest packet that it will be cut into. Tags, which take
   * of the path, too, are counted here.
   * @returns whether the frame is to be dropped: its path is too narrow, and its sender has to know
   */
  refuses(
    frame: number,
    length: number,
    where: Location,
    size: number,
    vtep: number,
    answers: Ring,
  ): boolean {
    const narrow = this.#paths.limitOf(vtep);
    const limit = narrow - (where.l3At - frame - ETHERNET_LENGTH);
    if (narrow === 0 || size <= limit || !mayAnswer(this.#bytes, frame, length, where, limit)) return false;
    const { pool } = answers;
    if (answers.room === 0 || pool.free === 0 || !this.#limit.take()) return true;
    const slot = pool.take();
    const at = slot + FRAME_AT;
    pushAnswer(answers, slot, at, writeTooBig(this.#bytes, frame, length, where, limit, at));
    return true;
  }
}

/**
 * Whether the sender of a packet may be told that the path takes only `limit` bytes: never about an ICMP error, never to
 * or about a group, never about a fragment but the first (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e)).
 */
export function mayAnswer(
  bytes: Uint8Array,
  frame: number,
  length: number,
  where: Location,
  limit: number,
): boolean {
  if (((bytes[frame]! | bytes[frame + 6]!) & GROUP) !== 0) return false;
  if (where.version === 4) return limit >= LEAST_V4 && mayAnswerV4(bytes, frame + length, where);
  return where.version === 6 && limit >= LEAST_V6 && mayAnswerV6(bytes, where);
}

function mayAnswerV4(bytes: Uint8Array, end: number, { l3At, protocol }: Location): boolean {
  if ((bytes[l3At + 6]! & DF) === 0 || ipv4FragmentOffset(bytes, l3At) !== 0) return false;
  const source = bytes[l3At + 12]!;
  // This network (0/8), loopback, and from 224 on multicast, reserved and broadcast.
  if (source === 0 || source === 127 || source >= 224 || bytes[l3At + 16]! >= 224) return false;
  const icmp = l3At + ipv4HeaderLength(bytes, l3At);
  return protocol !== PROTOCOL_ICMP || (icmp < end && !isIcmpError(bytes[icmp]!));
}

/** As the kernel's `icmp_is_err`. */
function isIcmpError(type: number): boolean {
  return (
    type === ICMP_UNREACHABLE ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM
  );
}

function mayAnswerV6(bytes: Uint8Array, { l3At, l4At, protocol, fragment }: Location): boolean {
  if (protocol < 0 || bytes[l3At + 24] === 0xff || !hasSenderV6(bytes, l3At + 8)) return false;
  if (fragment) {
    // Only where the header stands first is it sure which fragment it is; and what ICMPv6 it is nobody has read.
    const first = (u16(bytes, l3At + IPV6_LENGTH + 2) & 0xfff8) === 0;
    return ipv6NextHeader(bytes, l3At) === PROTOCOL_FRAGMENT && first && protocol !== PROTOCOL_ICMPV6;
  }
  // Types below 128 are errors (RFC 4443 section 2.1).
  return protocol !== PROTOCOL_ICMPV6 || (l4At > 0 && bytes[l4At]! >= ICMPV6_ECHO_REQUEST);
}

/** Neither a group nor unspecified nor loopback. */
function hasSenderV6(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === 0xff) return false;
  for (let i = 0; i < 15; i++) if (bytes[at + i] !== 0) return true;
  return bytes[at + 15]! > 1;
}

/**
 * Writes the answer to a frame at `to`, in whose slot the frame itself would fit.
 * @returns its length
 */
export function writeTooBig(
  bytes: Uint8Array,
  frame: number,
  length: number,
  where: Location,
  limit: number,
  to: number,
): number {
  const { l3At, version, totalLength } = where;
  const ip = to + (l3At - frame);
  bytes.copyWithin(to, frame + 6, frame + 12);
  bytes.copyWithin(to + 6, frame, frame + 6);
  bytes.copyWithin(to + 12, frame + 12, l3At);
  const headers = (version === 4 ? IPV4_LENGTH : IPV6_LENGTH) + ICMP_LENGTH;
  const longest = version === 4 ? LONGEST_V4 : LONGEST_V6;
  const quoted = Math.min(totalLength, frame + length - l3At, longest - headers);
  bytes.copyWithin(ip + headers, l3At, l3At + quoted);
  if (version === 4) writeV4(bytes, ip, l3At, limit, headers + quoted);
  else writeV6(bytes, ip, l3At, limit, headers + quoted);
  return ip + headers + quoted - to;
}

function writeV4(bytes: Uint8Array, ip: number, of: number, limit: number, total: number): void {
  const icmp = ip + IPV4_LENGTH;
  bytes.fill(0, ip, icmp + ICMP_LENGTH);
  bytes[ip] = 0x45;
  putU16(bytes, ip + 2, total);
  bytes[ip + 6] = DF;
  bytes[ip + 8] = TTL;
  bytes[ip + 9] = PROTOCOL_ICMP;
  bytes.copyWithin(ip + 12, of + 16, of + 20);
  bytes.copyWithin(ip + 16, of + 12, of + 16);
  putU16(bytes, ip + 10, checksum(bytes, ip, IPV4_LENGTH));
  bytes[icmp] = ICMP_UNREACHABLE;
  bytes[icmp + 1] = ICMP_FRAGMENTATION_NEEDED;
  putU16(bytes, icmp + 6, limit);
  putU16(bytes, icmp + 2, checksum(bytes, icmp, total - IPV4_LENGTH));
}

function writeV6(bytes: Uint8Array, ip: number, of: number, limit: number, total: number): void {
  const icmp = ip + IPV6_LENGTH;
  const length = total - IPV6_LENGTH;
  bytes.fill(0, ip, icmp + ICMP_LENGTH);
  bytes[ip] = 0x60;
  putU16(bytes, ip + 4, length);
  bytes[ip + 6] = PROTOCOL_ICMPV6;
  bytes[ip + 7] = TTL;
  bytes.copyWithin(ip + 8, of + 24, of + 40);
  bytes.copyWithin(ip + 24, of + 8, of + 24);
  bytes[icmp] = ICMPV6_PACKET_TOO_BIG;
  putU16(bytes, icmp + 6, limit); // the low half of 32 bits
  putU16(bytes, icmp + 2, checksum(bytes, icmp, length, pseudoSumV6(bytes, ip, PROTOCOL_ICMPV6, length)));
}
