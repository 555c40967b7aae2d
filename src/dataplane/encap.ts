/**
 * Overlay → underlay: frames read from the TAP become datagrams to send.
 *
 * Per frame: find the VTEP that owns the inner destination MAC, and undo what the TAP's vnet header says is still to be
 * done: a partial checksum is completed, because a UDP socket cannot do it for us, and a super-frame is cut
 * (`segment.ts`). Only what is cut is copied. Then the VXLAN header goes into the headroom in front of the frame, which
 * becomes a row to send (`outgoing.ts`), or one for each of several VTEPs (`flood.ts`). What cannot go is counted under
 * its reason and its slot released; the sender of a packet too long for the path to its VTEP is told so (`too-big.ts`).
 * At the end, rows that can leave in one send are made one message (`messages.ts`).
 */
import type { Fdb } from "../fdb/fdb.ts";
import { type RemoteSets, SETS } from "../fdb/remotes.ts";
import { macHi, macLo } from "../wire/bytes.ts";
import { type Location, locate, locateUsual } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import { pushAnswer } from "./answers.ts";
import { VNET_LENGTH } from "./arena.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import type { DropTeller } from "./drop-teller.ts";
import { Flood } from "./flood.ts";
import type { Learner } from "./learn.ts";
import { linkMessages } from "./messages.ts";
import type { DataplanePolicy, OverlayOptions } from "./options.ts";
import { Outgoing } from "./outgoing.ts";
import type { PathMtus } from "./path-mtus.ts";
import type { Underlay } from "./ports.ts";
import { type NeighbourProxy, NO_QUESTION, UNANSWERED } from "./proxy.ts";
import { LENGTH, OFFSET, OUTER, PEER, type Ring, SLOT, SUPER } from "./ring.ts";
import { NO_ROOM, SEGMENT_TOO_BIG, type Segmenter, segmentLength } from "./segment.ts";
import { TooBig } from "./too-big.ts";
import { stripTags } from "./vlan.ts";
import { GSO_NONE, le16, VNET_GSO_SIZE, VNET_GSO_TYPE } from "./vnet.ts";

const NO_TX_TARGET = dropIndex("tx", "NO_TX_TARGET");
const INNER_TOO_SMALL = dropIndex("tx", "INNER_TOO_SMALL");
const PKT_TOO_BIG = dropIndex("tx", "PKT_TOO_BIG");
const TAP_GSO = dropIndex("tx", "TAP_GSO");
const FLOOD_LIMIT = dropIndex("tx", "FLOOD_LIMIT");
const NEIGH_MISS = dropIndex("tx", "NEIGH_MISS");
const TAP_REFUSED = dropIndex("rx", "TAP_REFUSED");
const TX_PROXIED = counterIndex("txProxied");
const TX_FRAMES = counterIndex("txFrames");
const TX_BYTES = counterIndex("txBytes");
const TX_SUPER = counterIndex("txSuperFrames");
const TX_FLOODED = counterIndex("txFlooded");

/** From `#one`: the frame has become an answer, and its slot is with that. */
const ANSWERED = -0x40000000;

/** What encap works with. */
export interface EncapParts {
  /** The arena's. */
  readonly bytes: Uint8Array;
  readonly fdb: Fdb;
  readonly remotes: RemoteSets;
  readonly learner: Learner;
  /** Null where the TAP hands over no super-frames. */
  readonly segmenter: Segmenter | null;
  /** Where frames go that are answered here (`answers.ts`). */
  readonly answers: Ring;
  readonly proxy: NeighbourProxy;
  readonly paths: PathMtus;
  readonly drops: DropTeller;
}

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
  readonly #remotes: RemoteSets;
  readonly #learner: Learner;
  /** Null where the TAP hands over no super-frames. */
  readonly #segmenter: Segmenter | null;
  readonly #answers: Ring;
  readonly #proxy: NeighbourProxy;
  readonly #target: EncapTarget;
  readonly #drops: DropTeller;
  readonly #values: Float64Array;
  readonly #vni: number;
  /** The longest frame that is sent, without tags. */
  readonly #longest: number;
  /** The longest that fits every VTEP's path: what is longer has to look. */
  #largest: number;
  readonly #paths: PathMtus;
  readonly #tooBig: TooBig;
  /** The last step, and where the headers of the frame at hand are. */
  readonly #out: Outgoing;
  readonly #where: Location;
  readonly #flood: Flood;
  /** Where the last message starts that rows to come may join: a position of the ring that `run` filled last. */
  #open = 0;
  #stripTags = false;

  constructor(parts: EncapParts, options: OverlayOptions, target: EncapTarget, counters: Counters) {
    const { bytes } = parts;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fdb = parts.fdb;
    this.#remotes = parts.remotes;
    this.#learner = parts.learner;
    this.#segmenter = parts.segmenter;
    this.#answers = parts.answers;
    this.#proxy = parts.proxy;
    this.#target = target;
    this.#drops = parts.drops;
    this.#values = counters.values;
    this.#vni = options.vni;
    this.#longest = options.mtu + ETHERNET_LENGTH;
    this.#largest = this.#longest;
    this.#paths = parts.paths;
    this.#tooBig = new TooBig(bytes, parts.paths);
    this.#out = new Outgoing(bytes, options, target);
    this.#where = this.#out.where;
    this.#flood = new Flood(bytes, this.#out, parts.segmenter, counters);
    this.setPolicy(options);
  }

  /** A VTEP's index is another's from now on: a frame that is half way through several does not go to it. */
  forget(vtep: number): void {
    this.#flood.forget(vtep);
  }

  /** To be called after the paths have changed. */
  pathsChanged(): void {
    this.#largest = Math.min(this.#longest, this.#paths.smallest + ETHERNET_LENGTH);
  }

  /** Changes the headers of what is sent from now on, and how much is flooded. */
  setPolicy({ tos, vlan, gbp, floodRate = 0 }: Omit<DataplanePolicy, "reservedBits" | "senderCheck">): void {
    this.#flood.limit.set(floodRate);
    this.#stripTags = vlan === "rfc";
    this.#out.setPolicy({ tos, gbp });
    this.#segmenter?.setFlags(this.#out.flags);
  }

  /**
   * Rows of `ready` that no row to come will join: those that may leave even when it is known that more frames wait.
   * Nothing has been pushed to it since `run`.
   */
  closed(ready: Ring): number {
    return Math.max(0, (this.#open - ready.tail) | 0);
  }

  /** Another overlay has filled `ready` meanwhile: none of its rows are joined by those to come. */
  startOver(ready: Ring): void {
    this.#open = (ready.tail - 1) | 0;
  }

  /** Moves as many frames from `filled` to `ready` as `ready` has room for. */
  run(filled: Ring, ready: Ring): void {
    const waits = ready.length > 0 && ((this.#open - ready.tail) | 0) >= 0;
    ready.rewind();
    const from = waits ? this.#open : ready.head;
    if (this.#learner.on) this.#learner.absorb();
    if (this.#fdb.large) this.#prefetch(filled);
    for (;;) {
      if (!this.#flood.waits) this.#usual(filled, ready);
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
    const out = this.#out;
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
      if (peer >>> 0 >= SETS) break; // none, or several
      out.push(words[at + SLOT]!, frame, length, peer, ready);
      frames++;
      octets += length;
      filled.forward(1);
    }
    this.#values[TX_FRAMES]! += frames;
    this.#values[TX_BYTES]! += octets;
  }

  /** Moves a frame of any kind. @returns false when there is no room for what it becomes */
  #other(filled: Ring, ready: Ring): boolean {
    // Half way through several VTEPs its bytes are rows' already.
    if (this.#stripTags && !this.#flood.waits) stripTags(filled);
    const { words, pool } = filled;
    const values = this.#values;
    const at = filled.row(filled.tail);
    const slot = words[at + SLOT]!;
    const length = words[at + LENGTH]! - VNET_LENGTH;
    const frame = words[at + OFFSET]! + VNET_LENGTH;
    const verdict = this.#one(slot, frame, length, ready);
    if (verdict === NO_ROOM) return false;
    if (verdict > 0) {
      values[TX_FRAMES]! += verdict;
      values[TX_BYTES]! += length;
    } else if (verdict !== ANSWERED) {
      this.#drops.frame(-verdict, frame, length);
      pool.release(slot);
    }
    filled.forward(1);
    return true;
  }

  /** @returns how many rows the frame became, `NO_ROOM`, `ANSWERED`, or minus the index of the drop counter */
  #one(slot: number, frame: number, length: number, ready: Ring): number {
    if (length < ETHERNET_LENGTH) return -INNER_TOO_SMALL;
    const bytes = this.#bytes;
    const vnet = frame - VNET_LENGTH;
    const type = bytes[vnet + VNET_GSO_TYPE]!;
    const where = this.#where;
    if (!locateUsual(this.#view, frame, length, where)) locate(bytes, frame, length, where);
    if (this.#flood.waits) return this.#flood.goOn(slot, frame, length, type, ready);
    if (this.#proxy.on && type === GSO_NONE) {
      const answer = this.#proxy.answer(frame, length, where);
      if (answer !== NO_QUESTION) return this.#answer(slot, frame, answer);
    }
    let peer = this.#fdb.lookup(this.#vni, macHi(bytes, frame), macLo(bytes, frame));
    if (peer < 0) peer = this.#fdb.lookup(this.#vni, 0, 0);
    if (type === GSO_NONE && length > this.#longest) {
      const tags = where.l3At - frame - ETHERNET_LENGTH;
      if (length > this.#longest + tags) return -PKT_TOO_BIG;
    }
    if (peer < 0) return this.#nowhere(frame);
    if (peer < SETS) return this.#toOne(slot, frame, length, type, peer, ready);
    const vteps = this.#remotes.of(peer);
    return vteps.length === 1
      ? this.#floodToOne(slot, frame, length, type, vteps[0]!, ready)
      : this.#flood.start(vteps, slot, frame, length, type, ready);
  }

  /** As `#one`, for a frame that goes to one VTEP. */
  #toOne(slot: number, frame: number, length: number, type: number, peer: number, ready: Ring): number {
    if (type !== GSO_NONE) return this.#superFrame(slot, frame, type, peer, ready);
    if (length > this.#largest) {
      const size = length - (this.#where.l3At - frame);
      if (this.#refuses(frame, length, size, peer)) return -PKT_TOO_BIG;
    }
    this.#out.push(slot, frame, length, peer, ready);
    return 1;
  }

  /** What would go to several VTEPs, where there is one: a link of two hosts, or a multicast group. */
  #floodToOne(slot: number, frame: number, length: number, type: number, peer: number, ready: Ring): number {
    if (!this.#flood.limit.take()) return -FLOOD_LIMIT;
    const verdict = this.#toOne(slot, frame, length, type, peer, ready);
    if (verdict > 0) this.#values[TX_FLOODED]! += 1;
    else if (verdict === NO_ROOM) this.#flood.limit.giveBack();
    return verdict;
  }

  /** Sends back what the proxy has made of a frame. One that the TAP has no room for is dropped, as by `netif_rx`. */
  #answer(slot: number, frame: number, length: number): number {
    if (length === UNANSWERED) return -NEIGH_MISS;
    if (!pushAnswer(this.#answers, slot, frame, length)) return -TAP_REFUSED;
    this.#values[TX_PROXIED]! += 1;
    return ANSWERED;
  }

  /** The verdict on a frame whose destination has no row. */
  #nowhere(frame: number): number {
    this.#proxy.missed(frame);
    return -NO_TX_TARGET;
  }

  /** Whether packets of `size` bytes are too long for the path, and the sender has been told so. */
  #refuses(frame: number, length: number, size: number, peer: number): boolean {
    return this.#tooBig.refuses(frame, length, this.#where, size, peer, this.#answers);
  }

  /** As `#one`, for a frame that is to be cut. */
  #superFrame(slot: number, frame: number, type: number, peer: number, ready: Ring): number {
    if (this.#segmenter === null) return -TAP_GSO;
    const bytes = this.#bytes;
    const size = le16(bytes, frame - VNET_LENGTH + VNET_GSO_SIZE);
    const { l4At, l4Length } = this.#where;
    if (this.#largest < this.#longest && l4At > 0) {
      const segment = segmentLength(bytes, this.#where, size);
      if (this.#refuses(frame, l4At + l4Length - frame, segment, peer)) return -PKT_TOO_BIG;
    }
    const outer = this.#out.outer(frame);
    const to = this.#out.to(peer);
    if (this.#target.takesSuperFrames && this.#whole(slot, frame, type, to, outer, ready)) return 1;
    const rows = this.#segmenter.cut(frame, this.#where, type, size, to, outer, ready);
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
}
