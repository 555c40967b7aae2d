/**
 * Underlay → overlay: received datagrams become frames for the TAP.
 *
 * Per datagram: tell apart what one receive may hold (one packet; a UDP_GRO train of equal packets; one un-segmented
 * super-frame of a kernel peer). Per packet: whether it is let in (`admission.ts`), then its size and checksum (see
 * `partial.ts`). The frame is a slice of the slot it came in; only the vnet header in front of it lies elsewhere, in a
 * slab with one entry per row, since in a train there is no room between two packets. What cannot go is counted under its
 * reason. Consecutive segments of one flow become one super-frame (`coalesce.ts`).
 */
import type { Fdb } from "../fdb/fdb.ts";
import { AF_INET, sockaddrFamily } from "../fdb/sockaddr.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { ECN_MASK, NOT_ECT } from "../wire/ecn.ts";
import { Location, locate, locateUsual } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import {
  type GroupPolicy,
  groupPolicyOf,
  VXLAN_FLAG_G,
  VXLAN_GBP_D,
  VXLAN_LENGTH,
  vxlanFlags,
} from "../wire/vxlan.ts";
import { Admission } from "./admission.ts";
import { VNET_LENGTH } from "./arena.ts";
import type { Coalescer } from "./coalesce.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import type { DropTeller } from "./drop-teller.ts";
import type { Learner } from "./learn.ts";
import type { DataplanePolicy, OverlayOptions } from "./options.ts";
import {
  BAD_CSUM,
  hasPartialChecksum,
  hasPartialIpv4Checksum,
  isOnePacket,
  NOT_SUPER,
  writePartialHeader,
  writeSuperHeader,
} from "./partial.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  type Ring,
  SEGMENT,
  SLOT,
  TRUNCATED,
  WORDS,
} from "./ring.ts";
import { takeApart } from "./super-frame.ts";

const PKT_TOO_BIG = dropIndex("rx", "PKT_TOO_BIG");
const INNER_CSUM = dropIndex("rx", "INNER_CSUM");
const RX_FRAMES = counterIndex("rxFrames");
const RX_BYTES = counterIndex("rxBytes");
const RX_PARTIAL = counterIndex("rxPartialChecksums");
const RX_SUPER = counterIndex("rxSuperFrames");
const RX_GBP = counterIndex("rxGbp");
const RX_COALESCED = counterIndex("rxCoalesced");

/** The first word of a VXLAN header in which nothing but the I flag is set. */
const USUAL_FLAGS = vxlanFlags();
const G = VXLAN_FLAG_G << 24;
/** With D beside it: the sender knows that the way says nothing about where the source is. */
const DONT_LEARN = G | (VXLAN_GBP_D << 16);
/** Bytes in front of the inner packet. */
const LEAST = VXLAN_LENGTH + ETHERNET_LENGTH;

/** Most packets in one receive: UDP_MAX_SEGMENTS of the kernel (64 before 6.9). */
export const MAX_SEGMENTS = 128;
/** Rows of the ring that decap fills: room for several trains. */
export const READY_ROWS = 8 * MAX_SEGMENTS;
/** Bytes per entry of the header slab: a vnet header, aligned. */
const HEADER_STRIDE = 16;
/** Bytes to reserve for the header slab: one entry per row, and one that stays zero. */
export const HEADER_SLAB_BYTES = (READY_ROWS + 1) * HEADER_STRIDE;

/** What decap works with. */
export interface DecapParts {
  /** The arena's. */
  readonly bytes: Uint8Array;
  /** Where `HEADER_SLAB_BYTES` of it are reserved for this stage, zero. */
  readonly headers: number;
  readonly fdb: Fdb;
  readonly vteps: VtepTable;
  readonly coalescer: Coalescer;
  readonly learner: Learner;
  readonly drops: DropTeller;
}

export class Decap {
  readonly #bytes: Uint8Array;
  /** Of the same bytes. */
  readonly #view: DataView;
  /** The header slab: entry i belongs to row i of the ready ring. */
  readonly #headers: number;
  /** The vnet header of a frame that needs nothing: shared by all of them. */
  readonly #noHeader: number;
  readonly #fdb: Fdb;
  readonly #vteps: VtepTable;
  readonly #coalescer: Coalescer;
  readonly #learner: Learner;
  readonly #drops: DropTeller;
  readonly #values: Float64Array;
  readonly #where = new Location();
  readonly #vni: number;
  readonly #mtu: number;
  readonly #admission: Admission;
  /**
   * The first word of a VXLAN header that `#usual` lets in. With `gbp` on it is that of the last packet that was let in:
   * the packets of one sender have the same. An open packet of the coalescer always has this one.
   */
  #flags = USUAL_FLAGS;
  /** The same, of the last packet that named a group; 0 before the first. */
  #lastGroup = 0;

  constructor(parts: DecapParts, options: OverlayOptions, counters: Counters) {
    const { bytes, headers, fdb, vteps, coalescer, learner } = parts;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#headers = headers;
    this.#noHeader = headers + READY_ROWS * HEADER_STRIDE;
    this.#fdb = fdb;
    this.#vteps = vteps;
    this.#coalescer = coalescer;
    this.#learner = learner;
    this.#drops = parts.drops;
    this.#values = counters.values;
    this.#vni = options.vni;
    this.#mtu = options.mtu;
    this.#admission = new Admission(bytes, fdb, vteps, learner, options, counters);
    this.setPolicy(options);
  }

  /** Changes what is let in from now on. */
  setPolicy(policy: Omit<DataplanePolicy, "tos">): void {
    this.#admission.setPolicy(policy);
    this.#flags = USUAL_FLAGS;
    this.#coalescer.end();
  }

  /** What the last packet said that named a group; null before the first, and where `gbp` is off. */
  get lastGroup(): GroupPolicy | null {
    return this.#admission.gbp ? groupPolicyOf(this.#lastGroup) : null;
  }

  /** Turns datagrams of `filled` into frames of `ready`, as long as `ready` has room for the longest train. */
  run(filled: Ring, ready: Ring): void {
    ready.rewind();
    this.begin(filled);
    for (;;) {
      this.#usual(filled, ready);
      if (filled.length === 0 || ready.room < MAX_SEGMENTS) break;
      this.#datagram(filled, ready);
      filled.forward(1);
    }
    this.finish(ready);
  }

  // What `run` is made of, for a stage in front of several overlays' (`demux.ts`).

  /** To be called before the first datagram of a batch. */
  begin(filled: Ring): void {
    if (this.#learner.on) this.#expect(filled);
  }

  /** Moves what is usual, and then one datagram the long way, if there is room. */
  some(filled: Ring, ready: Ring): void {
    const { length } = filled;
    this.#usual(filled, ready);
    if (filled.length < length || ready.room < MAX_SEGMENTS) return;
    this.#datagram(filled, ready);
    filled.forward(1);
  }

  /** Whether the oldest datagram of `filled` holds one packet, whatever UDP_GRO says. */
  isWhole(filled: Ring): boolean {
    const row = filled.row(filled.tail);
    return isOnePacket(this.#bytes, filled.words[row + OFFSET]!, filled.words[row + LENGTH]!, this.#where);
  }

  /** Takes a part of the oldest datagram of `filled`, `length` bytes from `at` on; its slot stays with the caller. */
  part(filled: Ring, at: number, length: number, ready: Ring): void {
    const row = filled.row(filled.tail);
    const from = (row / WORDS) * ADDRESS_BYTES;
    const segment = filled.words[row + SEGMENT]! & 0xffff;
    this.#train(filled.addresses, from, at, length, filled.words[row + OUTER]! & 0xff, segment, ready);
  }

  /** To be called after the last datagram of a batch: makes super-frames of what can be joined. */
  finish(ready: Ring): void {
    const joined = this.#coalescer.finish(ready, this.#headers, HEADER_STRIDE, this.#noHeader);
    this.#values[RX_COALESCED]! += joined;
  }

  /** A batch to learn from. In a table that no cache holds, the rows of its MACs are fetched together. */
  #expect(filled: Ring): void {
    this.#learner.absorb();
    if (!this.#fdb.large) return;
    const view = this.#view;
    const { words } = filled;
    for (let i = filled.tail; i !== filled.head; i = (i + 1) | 0) {
      if (words[filled.row(i) + LENGTH]! < LEAST) continue;
      const source = words[filled.row(i) + OFFSET]! + VXLAN_LENGTH + 6;
      this.#fdb.expect(this.#vni, view.getUint16(source), view.getInt32(source + 2));
    }
    this.#fdb.prefetch();
  }

  /** From now on every frame goes to the TAP by itself. */
  joinNothing(): void {
    this.#coalescer.disable();
  }

  /** The oldest message of `ready` was refused. @returns whether it was ours to take apart, and can be tried again */
  takeApart(ready: Ring): boolean {
    return takeApart(ready, this.#noHeader);
  }

  /**
   * Moves datagrams as long as they are what nearly all are that come one by one: behind a VXLAN header without anything
   * special, from a known VTEP, IPv4, TCP or UDP, not larger than the MTU, the checksum finished, with no mark to carry
   * inwards; or the continuation of the packet before, which makes them just like that one.
   * One loop with nothing else in it, which the compiler makes one piece of: half the time of `#datagram`, which would do
   * the same with them.
   */
  #usual(filled: Ring, ready: Ring): void {
    const view = this.#view;
    const where = this.#where;
    const coalescer = this.#coalescer;
    const { words, addresses, addressWords } = filled;
    const largest = LEAST + this.#mtu;
    const vni = this.#vni << 8;
    const { checkAddress, ownHi, ownLo } = this.#admission;
    const noHeader = this.#noHeader;
    const learner = this.#learner;
    // The source MAC that was learned last, of the sender at hand.
    let sourceHi = -1;
    let sourceLo = 0;
    const flags = this.#flags;
    const learning = learner.on && (flags & DONT_LEARN) !== DONT_LEARN;
    // Most packets come from where the one before came from: a port and an IPv4 address.
    let sender = -1;
    let address = 0;
    let frames = 0;
    let octets = 0;
    while (filled.length > 0 && ready.room >= MAX_SEGMENTS) {
      const row = filled.row(filled.tail);
      const at = words[row + OFFSET]!;
      const length = words[row + LENGTH]!;
      const tos = words[row + OUTER]!;
      const from = (row / WORDS) * ADDRESS_BYTES;
      if ((words[row + SEGMENT]! & 0xffff) !== 0 || tos > 0xff || length > largest || length < LEAST) break;
      if (coalescer.open && coalescer.follow(at, length, tos, addresses, from, ready)) {
        ready.words[ready.row(ready.head - 1) + SLOT] = words[row + SLOT]!;
        frames++;
        octets += length - VXLAN_LENGTH;
        filled.forward(1);
        continue;
      }
      if (view.getInt32(at) !== flags || view.getInt32(at + 4) !== vni) break;
      if (addressWords[from >> 2] !== sender || addressWords[(from >> 2) + 1] !== address) {
        if (checkAddress ? this.#vteps.findByAddress(addresses, from) < 0 : !learning) break;
        sourceHi = -1;
        sender = sockaddrFamily(addresses, from) === AF_INET ? addressWords[from >> 2]! : -1;
        address = addressWords[(from >> 2) + 1]!;
      }
      const frame = at + VXLAN_LENGTH;
      if (view.getInt32(frame + 8) === ownLo && view.getUint16(frame + 6) === ownHi) break;
      if (!locateUsual(view, frame, length - VXLAN_LENGTH, where)) break;
      if ((tos & ECN_MASK) !== NOT_ECT && (tos & ECN_MASK) !== (where.tos & ECN_MASK)) break;
      if (hasPartialIpv4Checksum(view, where)) break;
      if (learning) {
        const hi = view.getUint16(frame + 6);
        const lo = view.getInt32(frame + 8);
        if (lo !== sourceLo || hi !== sourceHi) {
          if (learner.see(hi, lo, addresses, from, frame, length - VXLAN_LENGTH) !== 0) break;
          sourceHi = hi;
          sourceLo = lo;
        }
      }
      const pushed = ready.push(words[row + SLOT]!, frame, length - VXLAN_LENGTH);
      ready.words[pushed + HEAD_OFFSET] = noHeader;
      ready.words[pushed + HEAD_LENGTH] = VNET_LENGTH;
      coalescer.begin(ready.head - 1, at, length, where, tos, addresses, from);
      frames++;
      octets += length - VXLAN_LENGTH;
      filled.forward(1);
    }
    this.#values[RX_FRAMES]! += frames;
    this.#values[RX_BYTES]! += octets;
    if ((flags & G) !== 0) this.#values[RX_GBP]! += frames;
  }

  /** The oldest datagram of `filled`: its slot goes to the last frame that comes of it, or back to the pool. */
  #datagram(filled: Ring, ready: Ring): void {
    const { words } = filled;
    const row = filled.row(filled.tail);
    const from = (row / WORDS) * ADDRESS_BYTES;
    const offset = words[row + OFFSET]!;
    const length = words[row + LENGTH]!;
    const outer = words[row + OUTER]!;
    const reported = words[row + SEGMENT]! & 0xffff;
    const segment = reported < length ? reported : 0;
    const before = ready.head;
    if ((outer & TRUNCATED) !== 0) {
      this.#drops.datagram(PKT_TOO_BIG, filled.addresses, from, offset, length, outer & 0xff);
    } else if (segment === 0 || isOnePacket(this.#bytes, offset, length, this.#where)) {
      this.#packet(filled.addresses, from, offset, length, outer & 0xff, segment, ready);
    } else {
      this.#train(filled.addresses, from, offset, length, outer & 0xff, segment, ready);
    }
    const slot = words[row + SLOT]!;
    if (ready.head === before) ready.pool.release(slot);
    else ready.words[ready.row(ready.head - 1) + SLOT] = slot;
  }

  /** Several packets of `segment` bytes in one receive; the last may be shorter. */
  #train(
    addresses: Uint8Array,
    from: number,
    offset: number,
    length: number,
    tos: number,
    segment: number,
    ready: Ring,
  ): void {
    const coalescer = this.#coalescer;
    let at = 0;
    let n = 0;
    while (at < length && n < MAX_SEGMENTS) {
      this.#packet(addresses, from, offset + at, Math.min(segment, length - at), tos, 0, ready);
      at += segment;
      n++;
      if (!coalescer.open || at + segment > length) continue;
      // Never more rows than `run` has made sure of.
      const end = Math.min(length, at + (MAX_SEGMENTS - n) * segment);
      const joined = coalescer.followAll(offset + at, offset + end, segment, ready);
      this.#values[RX_FRAMES]! += joined;
      if ((this.#flags & G) !== 0) this.#values[RX_GBP]! += joined;
      this.#values[RX_BYTES]! += joined * (segment - VXLAN_LENGTH);
      at += joined * segment;
      n += joined;
    }
    // No kernel joins more than MAX_SEGMENTS; what would be more is a train of nonsense.
    if (at < length) this.#values[PKT_TOO_BIG]! += Math.ceil((length - at) / segment);
  }

  /** One VXLAN packet: pushes its frame, or counts why not. */
  #packet(
    addresses: Uint8Array,
    from: number,
    at: number,
    length: number,
    tos: number,
    udpSegment: number,
    ready: Ring,
  ): void {
    const coalescer = this.#coalescer;
    if (coalescer.open && udpSegment === 0 && coalescer.follow(at, length, tos, addresses, from, ready)) {
      this.#values[RX_FRAMES]! += 1;
      this.#values[RX_BYTES]! += length - VXLAN_LENGTH;
      if ((this.#flags & G) !== 0) this.#values[RX_GBP]! += 1;
      return;
    }
    this.#alone(addresses, from, at, length, tos, udpSegment, ready);
  }

  /** A packet that continues none before it. */
  #alone(
    addresses: Uint8Array,
    from: number,
    at: number,
    length: number,
    tos: number,
    udpSegment: number,
    ready: Ring,
  ): void {
    const values = this.#values;
    const frame = at + VXLAN_LENGTH;
    const frameLength = length - VXLAN_LENGTH;
    const admission = this.#admission;
    let dropped = admission.refuse(addresses, from, at, length);
    if (dropped === 0) {
      locate(this.#bytes, frame, frameLength, this.#where);
      dropped = admission.mark(tos, this.#where);
    }
    if (dropped === 0) {
      const header = this.#headers + (ready.row(ready.head) / WORDS) * HEADER_STRIDE;
      dropped = this.#finish(frame, frameLength, udpSegment, header);
      if (dropped <= 0) {
        const row = ready.push(-1, frame, frameLength);
        ready.words[row + HEAD_OFFSET] = dropped < 0 ? header : this.#noHeader;
        ready.words[row + HEAD_LENGTH] = VNET_LENGTH;
        values[RX_FRAMES]! += 1;
        values[RX_BYTES]! += frameLength;
        if (admission.gbp) this.#noteGroup(at);
        if (dropped < 0 || admission.mismatch) this.#coalescer.end();
        else this.#coalescer.begin(ready.head - 1, at, length, this.#where, tos, addresses, from);
        return;
      }
    }
    this.#drops.datagram(dropped, addresses, from, at, length, tos);
    // What comes next may be of the same sender and train: nothing that was let in before speaks for it.
    this.#coalescer.end();
  }

  /** Remembers the first word of a header that was let in, and counts it where it names a group. */
  #noteGroup(at: number): void {
    this.#flags = this.#view.getInt32(at);
    if ((this.#flags & G) === 0) return;
    this.#lastGroup = this.#flags;
    this.#values[RX_GBP]! += 1;
  }

  /**
   * Decides what vnet header a frame needs, and writes it at `header`.
   * @returns 0 for none, −1 when one was written, or the counter of the drop
   */
  #finish(frame: number, length: number, udpSegment: number, header: number): number {
    const bytes = this.#bytes;
    const where = this.#where;
    const untagged = length - (where.l3At === 0 ? 0 : where.l3At - frame - ETHERNET_LENGTH);
    if (udpSegment === 0 && untagged <= this.#mtu + ETHERNET_LENGTH) {
      if (!hasPartialChecksum(bytes, where)) return 0;
      writePartialHeader(bytes, header, frame, where);
      this.#values[RX_PARTIAL]! += 1;
      return -1;
    }
    const whole = where.version !== 0 && where.l3At + where.totalLength === frame + length;
    const result = whole ? writeSuperHeader(bytes, header, frame, where, this.#mtu, udpSegment) : NOT_SUPER;
    if (result !== 0) return result === BAD_CSUM ? INNER_CSUM : PKT_TOO_BIG;
    this.#values[RX_SUPER]! += 1;
    return -1;
  }
}
