/**
 * Super-frame → segments: what the kernel left undone for us because the TAP said that it could (TUN_F_TSO4, TSO6, USO4,
 * USO6), done as `tcp_gso_segment`, `__udp_gso_segment` and `inet_gso_segment` do it.
 *
 *   slot of the frame     VXLAN Ethernet IP TCP │ payload ············· payload ············· payload ····
 *   slot of a message     VXLAN Ethernet IP TCP │ payload ·············│VXLAN Ethernet IP TCP │ payload ············
 *   rows                  segment 0                                     segment 1
 *
 * The segments are copied, one behind the other as they leave, into slots of their own, no more into one than the bytes of
 * one send: one pass copies and sums, and the kernel takes one run of bytes faster than a hundred pieces. In the headers
 * differ: the IP length, the IPv4 id (one more each) and checksum; TCP's sequence number, PSH and FIN (on the last segment
 * only), CWR (on the first only, RFC 3168 section 6.1.2) and checksum; UDP's length and checksum. Checksums are computed
 * from scratch: a partial one holds the pseudo-header sum of the whole.
 */
import { i32, putU16, putU32, u16 } from "../wire/bytes.ts";
import { fold, pseudoSumV4, pseudoSumV6, sum } from "../wire/checksum.ts";
import type { Location } from "../wire/flow.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";
import {
  IPV4_LENGTH,
  IPV6_LENGTH,
  TCP_CHECKSUM_AT,
  TCP_CWR,
  TCP_FIN,
  TCP_LENGTH,
  TCP_PSH,
  tcpHeaderLength,
  UDP_CHECKSUM_AT,
  UDP_LENGTH,
} from "../wire/views.ts";
import { VXLAN_LENGTH, vxlanFlags } from "../wire/vxlan.ts";
import { VNET_LENGTH, VXLAN_AT } from "./arena.ts";
import { LARGEST_PAYLOAD } from "./messages.ts";
import type { DataplaneOptions } from "./options.ts";
import { HEAD_LENGTH, HEAD_OFFSET, OUTER, PEER, type Ring, SLOT, WORDS } from "./ring.ts";
import { type CopyPieces, JOB_WORDS } from "./sums.ts";
import {
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_HEADER_LENGTH,
  VNET_INNER_L3,
} from "./vnet.ts";

/** Bytes of headers that a super-frame may have: VXLAN 8, Ethernet with tags 22, IPv6 with some extensions, TCP up to 60. */
const LONGEST_HEADERS = 256;
/** Bytes per entry of the slab for the heads of super-frames that leave whole. */
const STRIDE = 256;
/**
 * Slots that reading leaves free, for the segments of one super-frame: whoever holds all others (a middleware that
 * reorders) would wait for ever for the one that must be cut before it gives its own back. As many as 2,048 rows with the
 * longest headers need.
 */
export const SLOTS_TO_CUT = 9;
/** Bytes of headers that a super-frame to send whole may have: with the outer ones before them they are named in a byte. */
const LONGEST_WHOLE = 190;

/** Bytes of the arena for the slab of a ring of `rows` rows. */
export function segmentSlabBytes(rows: number): number {
  return rows * STRIDE;
}

/** From `cut`: the rows do not fit into the ring now, or too few slots are free. */
export const NO_ROOM = 0;
/** From `cut`: no super-frame that anybody could cut, or its segments would not fit the MTU. */
export const CANNOT_CUT = -1;
export const SEGMENT_TOO_BIG = -2;

/** Bytes of the largest IP packet that `cut` would make of a super-frame with `size` bytes of payload per segment. */
export function segmentLength(
  bytes: Uint8Array,
  { l3At, l4At, l4Length, protocol }: Location,
  size: number,
): number {
  const l4Header = protocol === PROTOCOL_TCP ? tcpHeaderLength(bytes, l4At) : UDP_LENGTH;
  return l4At - l3At + Math.min(l4Header + size, l4Length);
}

export class Segmenter {
  readonly #bytes: Uint8Array;
  readonly #slab: number;
  readonly #vni: number;
  readonly #mtu: number;
  /** First word of every VXLAN header. */
  #flags = vxlanFlags();
  readonly #pieces: CopyPieces;
  readonly #job = new Int32Array(JOB_WORDS);
  /** One for each datagram that fits into a slot. */
  #sums = new Int32Array(64);

  // The super-frame at hand. Offsets count from the VXLAN header, where each segment's header starts, too.
  #start = 0;
  #l3 = 0;
  #l4 = 0;
  #version = 0;
  #tcp = false;
  #headerLength = 0;
  /** Sums over what is the same in all segments. */
  #ipSum = 0;
  #l4Sum = 0;
  #id = 0;
  #sequence = 0;
  #offsetAndFlags = 0;

  /**
   * @param slab where `segmentSlabBytes` of the arena are reserved, at a multiple of 4
   * @param options the VNI that the segments carry, and the overlay MTU, which none exceeds
   */
  constructor(
    bytes: Uint8Array,
    slab: number,
    options: Pick<DataplaneOptions, "vni" | "mtu">,
    pieces: CopyPieces,
  ) {
    this.#bytes = bytes;
    this.#slab = slab;
    this.#vni = options.vni;
    this.#mtu = options.mtu;
    this.#pieces = pieces;
  }

  /** Changes the first word of the VXLAN headers of what is cut from now on (`vxlanFlags`). */
  setFlags(flags: number): void {
    this.#flags = flags;
  }

  /**
   * Cuts one super-frame, which has eight bytes of headroom, into slots of the ring's pool, and pushes its segments. The
   * frame is the caller's again after it. Once it is sure to be cut, the VXLAN header goes into the headroom, over what
   * is left of the vnet header.
   * @param type gso_type of its vnet header, and `size`, gso_size: payload bytes per segment
   * @param outer and `peer`: those words of each row
   * @returns how many rows were pushed, `NO_ROOM`, or why it was not cut; then nothing was pushed
   */
  cut(
    frame: number,
    where: Location,
    type: number,
    size: number,
    peer: number,
    outer: number,
    ready: Ring,
  ): number {
    if (!this.#understand(frame, where, type & ~GSO_ECN)) return CANNOT_CUT;
    const first = this.#start + this.#headerLength;
    const payload = where.l4At + where.l4Length - first;
    if (size === 0 || payload <= 0) return CANNOT_CUT;
    if (first - where.l3At + Math.min(size, payload) > this.#mtu) return SEGMENT_TOO_BIG;
    const count = Math.ceil(payload / size);
    const perSlot = Math.floor(LARGEST_PAYLOAD / (this.#headerLength + Math.min(size, payload)));
    const slots = Math.ceil(count / perSlot);
    if (count > ready.capacity || slots > SLOTS_TO_CUT) return CANNOT_CUT;
    if (count > ready.room || slots > ready.pool.free) return NO_ROOM;
    if (perSlot > this.#sums.length) this.#sums = new Int32Array(2 * perSlot);
    this.#writeVxlan();
    this.#sumHeaders(where);
    for (let at = 0; at < payload; at += perSlot * size) {
      const length = Math.min(perSlot * size, payload - at);
      this.#fill(ready, first, payload, at, length, size, peer, outer);
    }
    return count;
  }

  /** Fills a slot with the segments of `length` bytes of payload, which start `at` bytes into it. */
  #fill(
    ready: Ring,
    first: number,
    payload: number,
    at: number,
    length: number,
    size: number,
    peer: number,
    outer: number,
  ): void {
    const headerLength = this.#headerLength;
    const slot = ready.pool.take();
    const job = this.#job;
    job[0] = this.#start;
    job[1] = headerLength;
    job[2] = first + at;
    job[3] = length;
    job[4] = size;
    job[5] = slot + VXLAN_AT;
    const sums = this.#sums;
    this.#pieces(this.#bytes, job, sums);
    const { words } = ready;
    const l4Header = headerLength - this.#l4;
    const number = at / size;
    let segment = slot + VXLAN_AT;
    let row = 0;
    for (let i = 0, done = 0; done < length; i++, done += size) {
      const piece = Math.min(size, length - done);
      row = ready.push(-1, segment, headerLength + piece);
      words[row + PEER] = peer;
      words[row + OUTER] = outer;
      this.#writeIp(segment, number + i, l4Header + piece);
      if (this.#tcp) this.#writeTcp(segment, at + done, piece, payload, sums[i]!);
      else this.#writeUdp(segment, l4Header + piece, sums[i]!);
      segment += headerLength + piece;
    }
    words[row + SLOT] = slot;
  }

  /**
   * Pushes a TCP super-frame uncut, for an underlay that takes those. Its VXLAN header is written, and its vnet header
   * kept in the head of the row as `Underlay.takesSuperFrames` says.
   * @param headLength bytes of the head
   * @returns 1, `NO_ROOM`, or `CANNOT_CUT` when it is none that the kernel could carry
   */
  whole(frame: number, where: Location, type: number, headLength: number, ready: Ring): number {
    if (!this.#understand(frame, where, type & ~GSO_ECN) || !this.#tcp) return CANNOT_CUT;
    const length = where.l4At + where.l4Length - this.#start;
    if (length > LARGEST_PAYLOAD || this.#headerLength > LONGEST_WHOLE) return CANNOT_CUT;
    if (ready.room === 0) return NO_ROOM;
    const row = ready.push(-1, this.#start, length);
    const head = this.#slab + (row / WORDS) * STRIDE;
    const bytes = this.#bytes;
    for (let i = 0; i < VNET_LENGTH; i++) bytes[head + i] = bytes[frame - VNET_LENGTH + i]!;
    bytes.fill(0, head + VNET_LENGTH, head + headLength);
    bytes[head + VNET_CSUM_START] = where.l4At - frame;
    bytes[head + VNET_CSUM_START + 1] = 0;
    bytes[head + VNET_CSUM_OFFSET] = TCP_CHECKSUM_AT;
    bytes[head + VNET_CSUM_OFFSET + 1] = 0;
    bytes[head + VNET_HEADER_LENGTH] = this.#headerLength - VXLAN_LENGTH;
    bytes[head + VNET_HEADER_LENGTH + 1] = 0;
    bytes[head + VNET_INNER_L3] = where.l3At - frame;
    bytes[head + VNET_INNER_L3 + 1] = 0;
    this.#writeVxlan();
    ready.words[row + HEAD_OFFSET] = head;
    ready.words[row + HEAD_LENGTH] = headLength;
    return 1;
  }

  #writeVxlan(): void {
    putU32(this.#bytes, this.#start, this.#flags);
    putU32(this.#bytes, this.#start + 4, this.#vni << 8);
  }

  /** Where the headers are; false when the frame is none of the kind that its vnet header says. */
  #understand(frame: number, where: Location, type: number): boolean {
    const { l4At, protocol, version } = where;
    if (l4At === 0) return false;
    this.#tcp = protocol === PROTOCOL_TCP;
    if (type === GSO_UDP_L4 ? protocol !== PROTOCOL_UDP : !this.#tcp) return false;
    if ((type === GSO_TCPV4 && version !== 4) || (type === GSO_TCPV6 && version !== 6)) return false;
    if (type !== GSO_UDP_L4 && type !== GSO_TCPV4 && type !== GSO_TCPV6) return false;
    const l4Header = this.#tcp ? tcpHeaderLength(this.#bytes, l4At) : UDP_LENGTH;
    this.#start = frame - VXLAN_LENGTH;
    this.#l3 = where.l3At - this.#start;
    this.#l4 = l4At - this.#start;
    this.#version = version;
    this.#headerLength = this.#l4 + l4Header;
    return this.#headerLength <= LONGEST_HEADERS && (!this.#tcp || l4Header >= TCP_LENGTH);
  }

  /** Sums what all segments share; what differs is left out. */
  #sumHeaders({ l3At, l4At, l4Length, protocol }: Location): void {
    const bytes = this.#bytes;
    if (this.#version === 4) {
      this.#id = u16(bytes, l3At + 4);
      this.#ipSum = sum(bytes, l3At, 2) + sum(bytes, l3At + 6, 4) + sum(bytes, l3At + 12, l4At - l3At - 12);
      this.#l4Sum = pseudoSumV4(bytes, l3At, protocol, 0);
    } else {
      this.#l4Sum = pseudoSumV6(bytes, l3At, protocol, 0);
    }
    if (l4At - l3At > (this.#version === 4 ? IPV4_LENGTH : IPV6_LENGTH)) {
      // With a source route the pseudo-header has the last destination, not the next (RFC 8200 section 8.1). The kernel
      // knows it: the field holds the pseudo-header sum, over the length of the whole.
      const field = u16(bytes, l4At + (this.#tcp ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT));
      this.#l4Sum = fold(field + (~l4Length & 0xffff));
    }
    this.#l4Sum += u16(bytes, l4At) + u16(bytes, l4At + 2);
    if (!this.#tcp) return;
    const rest = l4At + 18;
    this.#sequence = i32(bytes, l4At + 4);
    this.#offsetAndFlags = u16(bytes, l4At + 12);
    // acknowledgement, window; urgent pointer and options
    this.#l4Sum += sum(bytes, l4At + 8, 4) + u16(bytes, l4At + 14);
    this.#l4Sum = fold(sum(bytes, rest, this.#start + this.#headerLength - rest, this.#l4Sum));
  }

  /** The IP header of segment `i`, whose headers start at `header`. */
  #writeIp(header: number, i: number, l4Length: number): void {
    const bytes = this.#bytes;
    const l3 = header + this.#l3;
    const total = this.#l4 - this.#l3 + l4Length;
    if (this.#version === 6) {
      putU16(bytes, l3 + 4, total - IPV6_LENGTH);
      return;
    }
    const id = (this.#id + i) & 0xffff;
    putU16(bytes, l3 + 2, total);
    putU16(bytes, l3 + 4, id);
    putU16(bytes, l3 + 10, ~fold(this.#ipSum + total + id));
  }

  #writeUdp(header: number, l4Length: number, payloadSum: number): void {
    const l4 = header + this.#l4;
    putU16(this.#bytes, l4 + 4, l4Length);
    // RFC 768: 0 says that there is none
    putU16(this.#bytes, l4 + 6, ~fold(this.#l4Sum + 2 * l4Length + payloadSum) & 0xffff || 0xffff);
  }

  /** The TCP header of the segment with `length` of the `payload` bytes, from the one `at` on. */
  #writeTcp(header: number, at: number, length: number, payload: number, payloadSum: number): void {
    const bytes = this.#bytes;
    const l4 = header + this.#l4;
    const sequence = (this.#sequence + at) | 0;
    let flags = this.#offsetAndFlags;
    if (at + length < payload) flags &= ~(TCP_FIN | TCP_PSH);
    if (at > 0) flags &= ~TCP_CWR;
    putU32(bytes, l4 + 4, sequence);
    putU16(bytes, l4 + 12, flags);
    const l4Length = this.#headerLength - this.#l4 + length;
    const total = this.#l4Sum + (sequence >>> 16) + (sequence & 0xffff) + flags + l4Length + payloadSum;
    putU16(bytes, l4 + 16, ~fold(total));
  }
}
