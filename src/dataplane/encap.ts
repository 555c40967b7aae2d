/**
 * Overlay → underlay: frames read from the TAP become datagrams to send.
 *
 * Per frame: find the VTEP that owns the inner destination MAC, choose the outer TOS and, where the underlay can set it,
 * the source port, write the VXLAN header into the headroom in front of the frame, and undo what the TAP's vnet header
 * says is still to be done: a partial checksum is completed, because a UDP socket cannot do it for us, and a super-frame
 * is cut (`segment.ts`). Only what is cut is copied. What cannot go is counted under its reason and its slot released;
 * the sender of a packet too long for the path to its VTEP is told so (`too-big.ts`).
 * At the end, rows that can leave in one send are made one message (`messages.ts`).
 */
import type { Fdb } from "../fdb/fdb.ts";
import { macHi, macLo } from "../wire/bytes.ts";
import { encapTos } from "../wire/ecn.ts";
import { Location, locate, locateUsual } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import { setVxlanHeader, VXLAN_LENGTH } from "../wire/vxlan.ts";
import { VNET_LENGTH } from "./arena.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import { sourcePort } from "./entropy.ts";
import { linkMessages } from "./messages.ts";
import type { DataplaneOptions } from "./options.ts";
import { completeChecksum } from "./partial.ts";
import { PathMtus } from "./path-mtus.ts";
import type { Underlay } from "./ports.ts";
import { LENGTH, OFFSET, OUTER, PEER, type Ring, SLOT, SUPER } from "./ring.ts";
import { NO_ROOM, SEGMENT_TOO_BIG, type Segmenter, segmentLength } from "./segment.ts";
import { TooBig } from "./too-big.ts";
import { GSO_NONE, le16, NEEDS_CSUM, VNET_FLAGS, VNET_GSO_SIZE, VNET_GSO_TYPE } from "./vnet.ts";

const NO_TX_TARGET = dropIndex("tx", "NO_TX_TARGET");
const INNER_TOO_SMALL = dropIndex("tx", "INNER_TOO_SMALL");
const PKT_TOO_BIG = dropIndex("tx", "PKT_TOO_BIG");
const TAP_GSO = dropIndex("tx", "TAP_GSO");
const TX_FRAMES = counterIndex("txFrames");
const TX_BYTES = counterIndex("txBytes");
const TX_SUPER = counterIndex("txSuperFrames");

/** What encap has to know of the underlay. */
export type EncapTarget = Pick<
  Underlay,
  "capabilities" | "sourcePorts" | "takesSuperFrames" | "superHeadLength"
>;

export class Encap {
  readonly #bytes: Uint8Array;
  /** Of the same bytes. */
  readonly #view: DataView;
  readonly #fdb: Fdb;
  /** Null where the TAP hands over no super-frames. */
  readonly #segmenter: Segmenter | null;
  /** Frames that go back to where they came from. */
  readonly #answers: Ring;
  readonly #target: EncapTarget;
  readonly #ports: Uint16Array;
  readonly #values: Float64Array;
  readonly #vni: number;
  /** The longest frame that is sent, without tags. */
  readonly #longest: number;
  /** The longest that fits every VTEP's path: what is longer has to look. */
  #largest: number;
  readonly #paths: PathMtus;
  readonly #tooBig: TooBig;
  readonly #sendTos: boolean;
  readonly #where = new Location();
  /** Where the last message starts that rows to come may join: a position of the ring that `run` filled last. */
  #open = 0;
  /** −1: the inner TOS is taken over whole. Else the outer TOS without its ECN bits. */
  #tos = 0;

  constructor(
    bytes: Uint8Array,
    fdb: Fdb,
    segmenter: Segmenter | null,
    answers: Ring,
    options: DataplaneOptions,
    target: EncapTarget,
    counters: Counters,
    paths = new PathMtus(),
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fdb = fdb;
    this.#segmenter = segmenter;
    this.#answers = answers;
    this.#target = target;
    this.#ports = target.sourcePorts;
    this.#values = counters.values;
    this.#vni = options.vni;
    this.#longest = options.mtu + ETHERNET_LENGTH;
    this.#largest = this.#longest;
    this.#paths = paths;
    this.#tooBig = new TooBig(bytes, paths);
    this.#sendTos = target.capabilities.sendTos;
    this.setTos(options.tos);
  }

  /** To be called after the paths have changed. */
  pathsChanged(): void {
    this.#largest = Math.min(this.#longest, this.#paths.smallest + ETHERNET_LENGTH);
  }

  /** Changes the outer TOS of what is sent from now on. */
  setTos(tos: DataplaneOptions["tos"]): void {
    this.#tos = tos === "inherit" ? -1 : tos & 0xfc;
  }

  /**
   * Rows of `ready` that no row to come will join: those that may leave even when it is known that more frames wait.
   * Nothing has been pushed to it since `run`.
   */
  closed(ready: Ring): number {
    return Math.max(0, (this.#open - ready.tail) | 0);
  }

  /** Moves as many frames from `filled` to `ready` as `ready` has room for. */
  run(filled: Ring, ready: Ring): void {
    const waits = ready.length > 0 && ((this.#open - ready.tail) | 0) >= 0;
    ready.rewind();
    const from = waits ? this.#open : ready.head;
    if (this.#fdb.large) this.#prefetch(filled);
    for (;;) {
      this.#usual(filled, ready);
      if (filled.length === 0 || ready.room === 0 || !this.#other(filled, ready)) break;
    }
    this.#open = this.#target.capabilities.gso ? linkMessages(ready, from) : ready.head;
  }

  /** Has the FDB's rows for what waits brought into the cache together. */
  #prefetch(filled: Ring): void {
    const view = this.#view;
    const { words } = filled;
    for (let i = filled.tail; i !== filled.head; i = (i + 1) | 0) {
      const frame = words[filled.row(i) + OFFSET]! + VNET_LENGTH;
      this.#fdb.expect(this.#vni, view.getUint16(frame), view.getInt32(frame + 2));
    }
    this.#fdb.prefetch();
  }

  /**
   * Moves frames as long as they are what nearly all are: IPv4, TCP or UDP, not larger than the MTU, to a VTEP that we
   * know. One loop with nothing else in it, which the compiler makes one piece of: half the time of `#other`, which
   * would do the same with them.
   */
  #usual(filled: Ring, ready: Ring): void {
    const bytes = this.#bytes;
    const view = this.#view;
    const where = this.#where;
    const { words } = filled;
    // Most frames go where the one before went.
    let hi = -1;
    let lo = 0;
    let peer = -1;
    let frames = 0;
    let octets = 0;
    while (filled.length > 0 && ready.room > 0) {
      const at = filled.row(filled.tail);
      const frame = words[at + OFFSET]! + VNET_LENGTH;
      const length = words[at + LENGTH]! - VNET_LENGTH;
      if (length > this.#largest || bytes[frame - VNET_LENGTH + VNET_GSO_TYPE] !== GSO_NONE) break;
      if (!locateUsual(view, frame, length, where)) break;
      if (view.getInt32(frame + 2) !== lo || view.getUint16(frame) !== hi) {
        hi = view.getUint16(frame);
        lo = view.getInt32(frame + 2);
        peer = this.#fdb.lookup(this.#vni, hi, lo);
      }
      if (peer < 0) break;
      this.#push(words[at + SLOT]!, frame, length, peer, ready);
      frames++;
      octets += length;
      filled.forward(1);
    }
    this.#values[TX_FRAMES]! += frames;
    this.#values[TX_BYTES]! += octets;
  }

  /** Moves a frame of any kind. @returns false when there is no room for what it becomes */
  #other(filled: Ring, ready: Ring): boolean {
    const { words, pool } = filled;
    const values = this.#values;
    const at = filled.row(filled.tail);
    const slot = words[at + SLOT]!;
    const length = words[at + LENGTH]! - VNET_LENGTH;
    const verdict = this.#one(slot, words[at + OFFSET]! + VNET_LENGTH, length, ready);
    if (verdict === NO_ROOM) return false;
    if (verdict > 0) {
      values[TX_FRAMES]! += verdict;
      values[TX_BYTES]! += length;
    } else {
      values[-verdict]! += 1;
      pool.release(slot);
    }
    filled.forward(1);
    return true;
  }

  /** @returns how many rows the frame became, `NO_ROOM`, or minus the index of the drop counter */
  #one(slot: number, frame: number, length: number, ready: Ring): number {
    if (length < ETHERNET_LENGTH) return -INNER_TOO_SMALL;
    const bytes = this.#bytes;
    const vnet = frame - VNET_LENGTH;
    const type = bytes[vnet + VNET_GSO_TYPE]!;
    const where = this.#where;
    if (!locateUsual(this.#view, frame, length, where)) locate(bytes, frame, length, where);
    const peer = this.#fdb.lookup(this.#vni, macHi(bytes, frame), macLo(bytes, frame));
    if (type !== GSO_NONE) return this.#superFrame(slot, frame, type, peer, ready);
    if (length > this.#longest && length > this.#longest + (where.l3At - frame - ETHERNET_LENGTH))
      return -PKT_TOO_BIG;
    if (peer < 0) return -NO_TX_TARGET;
    if (length > this.#largest && this.#refuses(frame, length, length - (where.l3At - frame), peer))
      return -PKT_TOO_BIG;
    this.#push(slot, frame, length, peer, ready);
    return 1;
  }

  /** Whether packets of `size` bytes are too long for the path, and the sender has been told so. */
  #refuses(frame: number, length: number, size: number, peer: number): boolean {
    return this.#tooBig.refuses(frame, length, this.#where, size, peer, this.#answers);
  }

  /** Finishes a frame, puts the VXLAN header before it and makes it a row. */
  #push(slot: number, frame: number, length: number, peer: number, ready: Ring): void {
    const bytes = this.#bytes;
    const vnet = frame - VNET_LENGTH;
    if ((bytes[vnet + VNET_FLAGS]! & NEEDS_CSUM) !== 0) completeChecksum(bytes, vnet, frame, length);
    setVxlanHeader(this.#view, frame - VXLAN_LENGTH, this.#vni);
    const row = ready.push(slot, frame - VXLAN_LENGTH, length + VXLAN_LENGTH);
    ready.words[row + PEER] = peer;
    ready.words[row + OUTER] = this.#outer(frame);
  }

  /** As `#one`, for a frame that is to be cut. */
  #superFrame(slot: number, frame: number, type: number, peer: number, ready: Ring): number {
    if (this.#segmenter === null) return -TAP_GSO;
    if (peer < 0) return -NO_TX_TARGET;
    const bytes = this.#bytes;
    const size = le16(bytes, frame - VNET_LENGTH + VNET_GSO_SIZE);
    const { l4At, l4Length } = this.#where;
    if (this.#largest < this.#longest && l4At > 0) {
      const segment = segmentLength(bytes, this.#where, size);
      if (this.#refuses(frame, l4At + l4Length - frame, segment, peer)) return -PKT_TOO_BIG;
    }
    const outer = this.#outer(frame);
    if (this.#target.takesSuperFrames && this.#whole(slot, frame, type, peer, outer, ready)) return 1;
    const rows = this.#segmenter.cut(frame, this.#where, type, size, peer, outer, ready);
    if (rows > 0) {
      ready.pool.release(slot);
      this.#values[TX_SUPER]! += 1;
      return rows;
    }
    if (rows === NO_ROOM) return NO_ROOM;
    return rows === SEGMENT_TOO_BIG ? -PKT_TOO_BIG : -TAP_GSO;
  }

  /** Hands a super-frame on as it is. @returns whether it could be; what cannot be is cut */
  #whole(slot: number, frame: number, type: number, peer: number, outer: number, ready: Ring): boolean {
    const row = ready.row(ready.head);
    const headLength = this.#target.superHeadLength!;
    if (this.#segmenter!.whole(frame, this.#where, type, headLength, ready) <= 0) return false;
    ready.words[row + SLOT] = slot;
    ready.words[row + PEER] = peer;
    ready.words[row + OUTER] = outer | SUPER;
    this.#values[TX_SUPER]! += 1;
    return true;
  }

  /** The OUTER word: TOS as the kernel's VXLAN derives it (`ip_tunnel_ecn_encap`), source port from the flow. */
  #outer(frame: number): number {
    const where = this.#where;
    const tos = this.#sendTos ? encapTos(this.#tos < 0 ? where.tos : this.#tos, where.tos) : 0;
    return this.#ports.length > 0 ? tos | (sourcePort(this.#view, frame, where, this.#ports) << 16) : tos;
  }
}
