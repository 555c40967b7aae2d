/**
 * Packets that pass, told to whoever watches (`packet-ring.ts`). While nobody does, a batch costs a look at a word. A
 * datagram that was received is written down before decap looks at it, and told after: what was dropped says so.
 *
 * Nothing is allocated here.
 */
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";
import { Location } from "../wire/flow.ts";
import { readVni } from "../wire/vxlan.ts";
import { dropAt } from "./counters.ts";
import { type EventRing, PACKETS } from "./event-ring.ts";
import type { PacketRing } from "./packet-ring.ts";
import {
  IS_DATAGRAM,
  IS_RECEIVED,
  KEPT,
  KIND,
  LENGTH,
  META,
  OUTER,
  REMOTE,
  SNAP,
  TRAIN,
  VNI,
  WHY,
} from "./packet-row.ts";
import { isOnePacket } from "./partial.ts";
import {
  HEAD_LENGTH,
  HEAD_OFFSET,
  PEER,
  type Ring,
  LENGTH as ROW_LENGTH,
  OFFSET as ROW_OFFSET,
  OUTER as ROW_OUTER,
  SEGMENT,
  SUPER,
  VTEP_MASK,
} from "./ring.ts";

/** The VNI of a datagram that nobody has looked at. */
const UNKNOWN = -1;
const NOBODY = new Uint8Array(ADDRESS_BYTES);

export class PacketTeller {
  readonly #events: EventRing;
  readonly #ring: PacketRing;
  readonly #bytes: Uint8Array;
  readonly #vni: number;
  readonly #where = new Location();
  /** First word of the row that is being written. */
  #row = 0;

  /**
   * @param events beside whose rows packets are told
   * @param bytes in which packets lie
   * @param vni of the overlay that they belong to
   */
  constructor(events: EventRing, bytes: Uint8Array, vni: number) {
    this.#events = events;
    this.#ring = events.packets;
    this.#bytes = bytes;
    this.#vni = vni;
  }

  /** Whether anybody watches: asked once for a batch. */
  get watched(): boolean {
    return this.#events.listensTo(PACKETS);
  }

  /** Datagrams were received: the rows `from` to `to` of a ring. Told by `settle`. */
  received(ring: Ring, from: number, to: number): void {
    this.#ring.isHolding = true;
    const { words, addresses, mask } = ring;
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const row = ring.row(i);
      const length = words[row + ROW_LENGTH]!;
      const at = words[row + ROW_OFFSET]!;
      const segment = words[row + SEGMENT]! & 0xffff;
      const isTrain = segment > 0 && segment < length && !isOnePacket(this.#bytes, at, length, this.#where);
      const train = isTrain ? Math.ceil(length / segment) : 1;
      if (!this.#isKept(train)) continue;
      const first = isTrain ? segment : length;
      if (!this.#begin(UNKNOWN, IS_DATAGRAM | IS_RECEIVED, 0, first, words[row + ROW_OUTER]!, train))
        continue;
      this.#ring.pendingAt[this.#ring.pending - 1] = at;
      this.#remote(addresses, (i & mask) * ADDRESS_BYTES);
      this.#copy(at, first, 0);
    }
  }

  /** What was received has been looked at. */
  settle(): void {
    this.#ring.isHolding = false;
    this.#ring.publish();
  }

  /**
   * Datagrams are ready to be sent: the rows `from` to `to` of a ring. One that the underlay then refuses is told again, as that.
   * @param addresses by the VTEPs' indexes
   */
  sent(ring: Ring, from: number, to: number, addresses: Uint8Array): void {
    const { words } = ring;
    for (let i = from; i !== to; i = (i + 1) | 0) {
      if (!this.#isKept(1)) continue;
      const row = ring.row(i);
      const outer = words[row + ROW_OUTER]!;
      // Of a super-frame that leaves uncut the head is the port's own.
      const head = (outer & SUPER) === 0 ? words[row + HEAD_LENGTH]! : 0;
      const body = words[row + ROW_LENGTH]!;
      const start = head > 0 ? words[row + HEAD_OFFSET]! : words[row + ROW_OFFSET]!;
      // Of whatever overlay: what did not fit before is sent while another one has its turn.
      const vni = readVni(this.#bytes, start);
      if (!this.#begin(vni, IS_DATAGRAM, 0, head + body, outer, 1)) continue;
      this.#remote(addresses, (words[row + PEER]! & VTEP_MASK) * ADDRESS_BYTES);
      this.#copy(words[row + HEAD_OFFSET]!, head, 0);
      this.#copy(words[row + ROW_OFFSET]!, body, head);
    }
    this.#ring.publish();
  }

  /**
   * A datagram that was received is dropped.
   * @param counter of the reason
   * @param outer as in a ring's row: the outer TOS
   * @param addresses whose bytes at `from` are the sender's sockaddr
   */
  dropped(
    counter: number,
    outer: number,
    addresses: Uint8Array,
    from: number,
    at: number,
    length: number,
  ): void {
    if (this.#mark(counter, at)) return;
    // It was counted as one that goes its way.
    if (this.#ring.isHolding) this.#ring.unkept--;
    this.#drop(IS_DATAGRAM | IS_RECEIVED, counter, outer, at, length, addresses, from);
  }

  /** The underlay has refused a datagram of ours. @param why its counter, and in the high half the errno */
  refused(why: number, outer: number, addresses: Uint8Array, to: number, at: number, length: number): void {
    this.#drop(IS_DATAGRAM, why, outer, at, length, addresses, to);
  }

  /** A frame is dropped, which came from the TAP or was for it. */
  droppedFrame(counter: number, errno: number, at: number, length: number): void {
    const kind = dropAt(counter).direction === "rx" ? IS_RECEIVED : 0;
    this.#drop(kind, counter | (errno << 16), 0, at, length, NOBODY, 0);
  }

  #drop(
    kind: number,
    why: number,
    outer: number,
    at: number,
    length: number,
    addresses: Uint8Array,
    from: number,
  ): void {
    if (this.#begin(this.#vni, kind, why + 1, length, outer, 1)) {
      this.#remote(addresses, from);
      this.#copy(at, length, 0);
    }
    if (!this.#ring.isHolding) this.#ring.publish();
  }

  /** Says of a pending packet that it is dropped. @returns whether it is one of them */
  #mark(counter: number, at: number): boolean {
    const ring = this.#ring;
    for (let i = 0; i < ring.pending; i++) {
      const row = ring.pendingRow(i);
      if (ring.pendingAt[i] !== at || ring.words[row + WHY] !== 0) continue;
      ring.words[row + WHY] = counter + 1;
      ring.words[row + VNI] = this.#vni;
      return true;
    }
    return false;
  }

  /** Whether the next packet is one of the sample. @param train datagrams of it */
  #isKept(train: number): boolean {
    const ring = this.#ring;
    const { stride } = ring;
    // Fewer come than before: on with the next.
    ring.left = Math.min(ring.left, stride) - train;
    const isKept = ring.left <= 0;
    if (isKept) ring.left = stride;
    ring.unkept += isKept ? train - 1 : train;
    return isKept;
  }

  /** Begins a row. @returns false where there is no room */
  #begin(vni: number, kind: number, why: number, length: number, outer: number, train: number): boolean {
    const row = this.#ring.push(why !== 0);
    if (row < 0) return false;
    const { words } = this.#ring;
    this.#row = row;
    words[row + VNI] = vni;
    words[row + KIND] = kind;
    words[row + WHY] = why;
    words[row + LENGTH] = length;
    words[row + KEPT] = Math.min(length, SNAP);
    words[row + OUTER] = outer;
    words[row + TRAIN] = train;
    this.#ring.pendingAt[this.#ring.pending - 1] = -1;
    return true;
  }

  #remote(addresses: Uint8Array, from: number): void {
    const { bytes } = this.#ring;
    const to = (this.#row + REMOTE) * 4;
    for (let i = 0; i < ADDRESS_BYTES; i++) bytes[to + i] = addresses[from + i]!;
  }

  /** @param behind bytes of the packet that are there already */
  #copy(at: number, length: number, behind: number): void {
    const { bytes } = this.#ring;
    const to = (this.#row + META) * 4 + behind;
    const count = Math.min(length, SNAP - behind);
    for (let i = 0; i < count; i++) bytes[to + i] = this.#bytes[at + i]!;
  }
}
