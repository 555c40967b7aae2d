/**
 * A frame for several VTEPs: a broadcast, a multicast, a MAC that nobody has been heard from. It becomes as many rows
 * over the same bytes, the last of which owns its slot; a super-frame is cut once for each. Where there is no room for
 * all of them, the frame waits where it is, half way through.
 */
import { NOBODY } from "../fdb/vteps.ts";
import { VNET_LENGTH } from "./arena.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import type { Outgoing } from "./outgoing.ts";
import { RateLimit } from "./rate-limit.ts";
import { type Ring, SLOT } from "./ring.ts";
import { NO_ROOM, SEGMENT_TOO_BIG, type Segmenter } from "./segment.ts";
import { GSO_NONE, le16, VNET_GSO_SIZE } from "./vnet.ts";

const NO_TX_TARGET = dropIndex("tx", "NO_TX_TARGET");
const PKT_TOO_BIG = dropIndex("tx", "PKT_TOO_BIG");
const TAP_GSO = dropIndex("tx", "TAP_GSO");
const FLOOD_LIMIT = dropIndex("tx", "FLOOD_LIMIT");
const TX_BYTES = counterIndex("txBytes");
const TX_SUPER = counterIndex("txSuperFrames");
const TX_FLOODED = counterIndex("txFlooded");

const NOWHERE = new Int32Array(0);

export class Flood {
  /** How many frames are flooded. */
  readonly limit = new RateLimit();
  readonly #bytes: Uint8Array;
  readonly #out: Outgoing;
  readonly #segmenter: Segmenter | null;
  readonly #values: Float64Array;
  /** The VTEPs of the frame that is on its way to several; else `NOWHERE`. */
  #vteps: Int32Array = NOWHERE;
  /** How many of them it has gone to. */
  #at = 0;
  /** Its gso_size, which the first copy of a super-frame overwrites. */
  #size = 0;
  /** Rows that it has become so far. */
  #rows = 0;

  /**
   * @param bytes the arena's
   * @param segmenter null where the TAP hands over no super-frames
   */
  constructor(bytes: Uint8Array, out: Outgoing, segmenter: Segmenter | null, counters: Counters) {
    this.#bytes = bytes;
    this.#out = out;
    this.#segmenter = segmenter;
    this.#values = counters.values;
  }

  /** Whether a frame is half way through, and the next is not to be begun with. */
  get waits(): boolean {
    return this.#vteps !== NOWHERE;
  }

  /** A VTEP's index is another's from now on: a frame that is half way through several does not go to it. */
  forget(vtep: number): void {
    for (let i = 0; i < this.#vteps.length; i++) if (this.#vteps[i] === vtep) this.#vteps[i] = NOBODY;
  }

  /**
   * Begins with a frame, which `Outgoing.where` describes.
   * @param type of its vnet header's GSO
   * @returns how many rows it became, `NO_ROOM` where it waits, or minus the index of the drop counter
   */
  start(vteps: Int32Array, slot: number, frame: number, length: number, type: number, ready: Ring): number {
    if (vteps.length === 0) return -NO_TX_TARGET;
    if (type !== GSO_NONE && this.#segmenter === null) return -TAP_GSO;
    if (!this.limit.take()) return -FLOOD_LIMIT;
    this.#vteps = vteps;
    this.#at = 0;
    this.#rows = 0;
    this.#size = le16(this.#bytes, frame - VNET_LENGTH + VNET_GSO_SIZE);
    return this.goOn(slot, frame, length, type, ready);
  }

  /** Goes on with the frame that waits, as far as there is room. @returns as `start`, the rows of before included */
  goOn(slot: number, frame: number, length: number, type: number, ready: Ring): number {
    const vteps = this.#vteps;
    let rows = 1;
    for (; this.#at < vteps.length; this.#at++) {
      rows = this.#copy(frame, length, type, vteps[this.#at]!, ready);
      if (rows === NO_ROOM) return NO_ROOM;
      if (rows < 0) break; // and so for all others
      this.#rows += rows;
    }
    this.#vteps = NOWHERE;
    if (rows < 0) return rows === SEGMENT_TOO_BIG ? -PKT_TOO_BIG : -TAP_GSO;
    this.#values[TX_FLOODED]! += 1;
    // Whoever asked counts the bytes of one copy.
    this.#values[TX_BYTES]! += length * (vteps.length - 1);
    // The last row owns the slot; segments lie in slots of their own.
    if (type === GSO_NONE) {
      ready.words[ready.row(ready.head - 1) + SLOT] = slot;
    } else {
      ready.pool.release(slot);
      this.#values[TX_SUPER]! += 1;
    }
    return this.#rows;
  }

  /** One copy for one VTEP: a row over the same bytes, or a super-frame cut once more. */
  #copy(frame: number, length: number, type: number, peer: number, ready: Ring): number {
    const out = this.#out;
    if (type !== GSO_NONE) {
      return this.#segmenter!.cut(frame, out.where, type, this.#size, out.to(peer), out.outer(frame), ready);
    }
    if (ready.room === 0) return NO_ROOM;
    out.push(-1, frame, length, peer, ready); // with the first, its checksum is complete
    return 1;
  }
}
