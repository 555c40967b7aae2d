/**
 * Consecutive segments of one flow → one super-frame for the TAP, so that the kernel above handles 64 KB once instead of
 * 46 times. What `tcp_gro_receive` and `udp_gro_receive` join, and by the same rules:
 *
 * - all of the headers are the same (VXLAN, MACs, tags, TTL, TOS, DF, addresses, ports, acknowledgement, window,
 *   options) but for lengths, checksums, the IPv4 id and TCP's sequence number;
 * - IPv4 without options, no fragment, a right header checksum; ids go up by one, or do not matter (DF, RFC 6864);
 *   IPv6 without extension headers;
 * - TCP: ACK is the only flag, but the last may have PSH too; sequence numbers follow each other. UDP: a checksum is there;
 * - all payloads of one size, only the last may be shorter;
 * - **every checksum was verified**: the kernel takes a super-frame's word for it, so what is wrong must not get in.
 *
 * A chain is rows one behind another: the first is a whole frame, the others are payloads only. Headers are compared in
 * words, under a mask that leaves out what may differ. A packet that passes has thereby passed all that decap would
 * check: its header *is* that of a packet that was let in. Checksums are summed for all chains of a batch together, in
 * one call (`sums.ts`); a chain in which one is wrong is taken apart again, and the kernel finds the culprit.
 */
import { i32, u16 } from "../wire/bytes.ts";
import { fold, sum } from "../wire/checksum.ts";
import type { Location } from "../wire/flow.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";
import {
  IPV4_LENGTH,
  IPV6_LENGTH,
  TCP_ACK,
  TCP_FLAGS_AT,
  TCP_PSH,
  tcpHeaderLength,
  UDP_CHECKSUM_AT,
  UDP_LENGTH,
} from "../wire/views.ts";
import { HeaderMask } from "./header-mask.ts";
import { ADDRESS_BYTES, FOLLOW_SHIFT, HEAD_OFFSET, type Ring, SEGMENT } from "./ring.ts";
import { RANGE_WORDS, type SumRanges } from "./sums.ts";
import {
  CHAIN_WORDS,
  FIRST,
  FLAGS,
  PACKET,
  PAYLOAD,
  RANGES,
  ROWS,
  SHAPE_HEADER,
  SHAPE_L3,
  SHAPE_L4,
  takeChainApart,
  verifyChain,
  writeSuperFrame,
} from "./super-frame.ts";

const IPV4_DF = 0x40;
/** Largest IP packet. */
const LARGEST = 65_535;
/** Rows in a chain, at most: what every kernel takes as one UDP super-frame (UDP_MAX_SEGMENTS before 6.9). */
const MOST = 64;

export class Coalescer {
  readonly #bytes: Uint8Array;
  readonly #sums: SumRanges;
  readonly #tcp: boolean;
  readonly #udp: boolean;
  readonly #mask: HeaderMask;
  readonly #ranges: Int32Array;
  readonly #chains: Int32Array;
  #count = 0;
  #summed = 0;
  #active: boolean;

  // The packet that the next one may follow, as the head of a chain of one row or more. Offsets count from its start,
  // which is its VXLAN header.
  #open = false;
  #first = 0;
  #packet = 0;
  #l3 = 0;
  #l4 = 0;
  #headerLength = 0;
  #version = 0;
  #isTcp = false;
  #size = 0;
  #rows = 0;
  #payload = 0;
  #sequence = 0;
  #id = 0;
  #idMatters = false;
  /** What the IPv4 length, id and checksum of each packet add up to. */
  #ipRest = 0;
  #tos = 0;
  #flags = 0;
  #firstRange = 0;
  #addresses: Uint8Array | null = null;
  #from = 0;

  /** @param rows of the ring that decap fills */
  constructor(bytes: Uint8Array, rows: number, tcp: boolean, udp: boolean, sums: SumRanges) {
    this.#bytes = bytes;
    this.#mask = new HeaderMask(bytes);
    this.#sums = sums;
    this.#tcp = tcp;
    this.#udp = udp;
    this.#active = tcp || udp;
    this.#ranges = new Int32Array(rows * RANGE_WORDS);
    this.#chains = new Int32Array((rows >> 1) * CHAIN_WORDS);
  }

  /** Joins nothing from now on: the TAP does not take super-frames. */
  disable(): void {
    this.#active = false;
    this.#open = false;
  }

  /** Whether the packet that was pushed last may be followed. */
  get open(): boolean {
    return this.#open;
  }

  /** A row was pushed that nothing may follow. */
  end(): void {
    this.#close();
  }

  /**
   * A packet was pushed as a row of its own, with nothing for the kernel to finish: the next may follow it.
   * @param position the row's, in the ring
   * @param at where its VXLAN header starts, and `length`, the bytes from there
   * @param tos outer TOS
   * @param addresses with the sender's sockaddr at `from`
   */
  begin(
    position: number,
    at: number,
    length: number,
    where: Location,
    tos: number,
    addresses: Uint8Array,
    from: number,
  ): void {
    if (!this.#active) return;
    this.#close();
    if (!this.#suits(at, length, where)) return;
    this.#open = true;
    this.#first = position;
    this.#packet = at;
    this.#rows = 1;
    this.#payload = this.#size;
    this.#tos = tos;
    this.#addresses = addresses;
    this.#from = from;
    this.#mask.shape(this.#l3, this.#l4, this.#headerLength, this.#version, this.#isTcp);
  }

  /**
   * Pushes a packet as the continuation of the one before it, if it is that.
   * @returns whether it was; if not, nothing was done
   */
  follow(at: number, length: number, tos: number, addresses: Uint8Array, from: number, ready: Ring): boolean {
    const payload = length - this.#headerLength;
    if (payload <= 0 || payload > this.#size || tos !== this.#tos) return false;
    if (this.#headerLength - this.#l3 + this.#payload + payload > LARGEST) return false;
    if (!this.#mask.same(this.#packet, at) || !this.#sameSender(addresses, from)) return false;
    if (!this.#continues(at, payload, this.#rows)) return false;
    if (this.#rows === 1) {
      this.#firstRange = this.#summed;
      this.#sum(this.#packet, this.#size);
    }
    this.#sum(at, payload);
    ready.push(-1, at + this.#headerLength, payload);
    this.#rows++;
    this.#payload += payload;
    const ends = this.#isTcp && (this.#bytes[at + this.#l4 + TCP_FLAGS_AT]! & TCP_PSH) !== 0;
    if (ends) this.#flags |= TCP_PSH;
    if (ends || payload < this.#size || this.#rows === MOST) this.#close();
    return true;
  }

  /**
   * As `follow`, for packets of `segment` bytes one behind another, all of one receive and so of one sender and TOS, as
   * long as each is the continuation of the one before: most of what arrives goes through this loop. Packets of another
   * length than the first are left to `follow`.
   * @param at the first of them, and `end`, where the last one ends
   * @returns how many were pushed
   */
  followAll(at: number, end: number, segment: number, ready: Ring): number {
    const size = this.#size;
    const headerLength = this.#headerLength;
    const packet = this.#packet;
    if (segment !== headerLength + size || ((packet | at | segment) & 3) !== 0) return 0;
    const fit = Math.floor((LARGEST - headerLength + this.#l3 - this.#payload) / size);
    const most = Math.min(fit, MOST - this.#rows, Math.floor((end - at) / segment));
    const { words: arena, maskWords: mask, count } = this.#mask;
    const ranges = this.#ranges;
    const l4 = this.#l4;
    const summed = headerLength - l4 + size;
    let range = (this.#rows === 1 ? this.#summed + 1 : this.#summed) * RANGE_WORDS;
    let n = 0;
    let pushed = false;
    for (; n < most && !pushed; n++, at += segment) {
      const a = packet >> 2;
      const b = at >> 2;
      let differs = 0;
      for (let i = 0; i < count; i++) differs |= (arena[a + i]! ^ arena[b + i]!) & mask[i]!;
      if (differs !== 0 || !this.#continues(at, size, this.#rows + n)) break;
      ready.push(-1, at + headerLength, size);
      ranges[range] = at + l4;
      ranges[range + 1] = summed;
      range += RANGE_WORDS;
      pushed = this.#isTcp && (this.#bytes[at + l4 + TCP_FLAGS_AT]! & TCP_PSH) !== 0;
    }
    if (n === 0) return 0;
    if (this.#rows === 1) {
      this.#firstRange = this.#summed;
      this.#sum(packet, size);
    }
    this.#summed += n;
    this.#rows += n;
    this.#payload += n * size;
    if (pushed) this.#flags |= TCP_PSH;
    if (pushed || this.#rows === MOST) this.#close();
    return n;
  }

  /**
   * Ends the batch: verifies what was joined and makes super-frames of it.
   * @param headers where the vnet header of row i goes: `headers + i * stride`
   * @param none a vnet header that asks for nothing
   * @returns how many rows became a part of another
   */
  finish(ready: Ring, headers: number, stride: number, none: number): number {
    this.#close();
    if (this.#count === 0) return 0;
    this.#sums(this.#bytes, this.#ranges, this.#summed);
    let joined = 0;
    for (let i = 0; i < this.#count; i++) {
      const at = i * CHAIN_WORDS;
      const row = ready.row(this.#chains[at + FIRST]!);
      const header = headers + (this.#chains[at + FIRST]! & ready.mask) * stride;
      if (verifyChain(this.#bytes, this.#chains, at, this.#ranges)) {
        ready.words[row + SEGMENT] = (this.#chains[at + ROWS]! - 1) << FOLLOW_SHIFT;
        ready.words[row + HEAD_OFFSET] = header;
        writeSuperFrame(this.#bytes, this.#chains, at, this.#ranges, header);
        joined += this.#chains[at + ROWS]! - 1;
      } else {
        takeChainApart(ready, this.#chains, at, headers, stride, none);
      }
    }
    this.#count = 0;
    this.#summed = 0;
    return joined;
  }

  /** Whether a packet may be the first of a chain; notes its shape. */
  #suits(at: number, length: number, where: Location): boolean {
    const { l3At, l4At, version, protocol } = where;
    const bytes = this.#bytes;
    this.#isTcp = protocol === PROTOCOL_TCP;
    if (l4At === 0 || !(this.#isTcp ? this.#tcp : protocol === PROTOCOL_UDP && this.#udp)) return false;
    if (l4At - l3At !== (version === 4 ? IPV4_LENGTH : IPV6_LENGTH)) return false;
    if (l3At + where.totalLength !== at + length) return false;
    const l4Header = this.#isTcp ? tcpHeaderLength(bytes, l4At) : UDP_LENGTH;
    if (
      this.#isTcp
        ? (bytes[l4At + TCP_FLAGS_AT]! & 0xff) !== TCP_ACK
        : u16(bytes, l4At + UDP_CHECKSUM_AT) === 0
    )
      return false;
    if (this.#isTcp ? l4Header < 20 : u16(bytes, l4At + 4) !== where.l4Length) return false;
    this.#l3 = l3At - at;
    this.#l4 = l4At - at;
    this.#headerLength = this.#l4 + l4Header;
    this.#version = version;
    this.#size = length - this.#headerLength;
    this.#flags = 0;
    if (this.#size <= 0 || this.#headerLength > HeaderMask.LONGEST) return false;
    if (this.#isTcp) this.#sequence = (i32(bytes, l4At + 4) + this.#size) | 0;
    if (version === 6) return true;
    this.#id = u16(bytes, l3At + 4);
    this.#idMatters = (bytes[l3At + 6]! & IPV4_DF) === 0;
    this.#ipRest = ipRest(bytes, l3At);
    return fold(sum(bytes, l3At, IPV4_LENGTH)) === 0xffff;
  }

  /** What the mask leaves out: lengths, the IPv4 id and checksum, TCP's sequence number and flags. */
  #continues(at: number, payload: number, rows: number): boolean {
    const bytes = this.#bytes;
    const l3 = at + this.#l3;
    const l4 = at + this.#l4;
    const l4Length = this.#headerLength - this.#l4 + payload;
    if (this.#version === 4) {
      if (u16(bytes, l3 + 2) !== IPV4_LENGTH + l4Length) return false;
      if (this.#idMatters && u16(bytes, l3 + 4) !== ((this.#id + rows) & 0xffff)) return false;
      // The rest of the header is the same, so the checksum is right exactly if these three add up to the same.
      if (ipRest(bytes, l3) !== this.#ipRest) return false;
    } else if (u16(bytes, l3 + 4) !== l4Length) return false;
    if (!this.#isTcp) return u16(bytes, l4 + 4) === l4Length && u16(bytes, l4 + UDP_CHECKSUM_AT) !== 0;
    if ((bytes[l4 + TCP_FLAGS_AT]! & ~TCP_PSH) !== TCP_ACK) return false;
    if (i32(bytes, l4 + 4) !== this.#sequence) return false;
    this.#sequence = (this.#sequence + payload) | 0;
    return true;
  }

  /** The sender's address decides whether a packet is let in: the same address as the packet before. */
  #sameSender(addresses: Uint8Array, from: number): boolean {
    if (addresses === this.#addresses && from === this.#from) return true;
    const known = this.#addresses!;
    for (let i = 0; i < ADDRESS_BYTES; i++) if (addresses[from + i] !== known[this.#from + i]) return false;
    return true;
  }

  #sum(at: number, payload: number): void {
    const range = this.#summed++ * RANGE_WORDS;
    this.#ranges[range] = at + this.#l4;
    this.#ranges[range + 1] = this.#headerLength - this.#l4 + payload;
  }

  /** Keeps the chain at hand, if it is one, for `finish`. */
  #close(): void {
    if (this.#open && this.#rows > 1) {
      const at = this.#count++ * CHAIN_WORDS;
      const chains = this.#chains;
      chains[at + FIRST] = this.#first;
      chains[at + PACKET] = this.#packet;
      chains[at + RANGES] = this.#firstRange;
      chains[at + ROWS] = this.#rows;
      chains[at + PAYLOAD] = this.#payload;
      chains[at + SHAPE_L3] = this.#l3;
      chains[at + SHAPE_L4] = this.#l4;
      chains[at + SHAPE_HEADER] = this.#headerLength;
      chains[at + FLAGS] = this.#flags;
    }
    this.#open = false;
  }
}

/** Length, id and checksum of an IPv4 header, added up. */
function ipRest(bytes: Uint8Array, l3: number): number {
  return fold(u16(bytes, l3 + 2) + u16(bytes, l3 + 4) + u16(bytes, l3 + 10));
}
