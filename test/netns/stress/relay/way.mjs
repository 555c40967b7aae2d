// One direction through the relay: what one socket receives, with its faults, to what the other one sends.
import { LENGTH, OFFSET, OUTER, Ring, SEGMENT } from "../../../../dist/dataplane/ring.js";
import { Location, locate } from "../../../../dist/wire/flow.js";
import { DUPLICATE, Faults, FLIP, LOSE, REORDER } from "./faults.mjs";

/** Datagrams, or trains of them, per receive. */
const BATCH = 32;
/** Receives before the other direction has its turn. */
const ROUNDS = 4;
/** Most datagrams that are held to be overtaken at one time, and most that overtake one. */
const HELD = 16;
const WINDOW = 24;

const VXLAN = 8;
const TCP = 6;
const SYN = 0x02;
const ECE = 0x40;
const CWR = 0x80;

/** Slots of 64 KB that a way takes from its arena: received, on their way out, held. */
export const WAY_SLOTS = { received: BATCH, leaving: 64, held: HELD };

export class Way {
  #shim;
  #fd;
  #ring;
  #departures;
  #holding;
  #held = [];
  #where = new Location();
  #watchFlags;
  /** Where the last segment with CWR ended. */
  #cwrEnd = -1;
  faults;
  counts = {
    /** Datagrams of the wire. */
    seen: 0,
    lost: 0,
    duplicated: 0,
    /** Really overtaken. */
    reordered: 0,
    flipped: 0,
    /** Outer ECT that became CE. */
    marked: 0,
    /** Receives that held several datagrams; super-frames of a kernel peer. */
    trainsIn: 0,
    superFrames: 0,
    /** Inner TCP segments that carry the flag, if marks are made; CWR on the one right behind another with CWR. */
    ece: 0,
    cwr: 0,
    cwrAgain: 0,
  };

  constructor(shim, fd, departures, pools, { seed, rates }) {
    this.#shim = shim;
    this.#fd = fd;
    this.#departures = departures;
    this.#ring = new Ring(pools.received, BATCH);
    this.#holding = pools.held;
    this.#watchFlags = (rates.mark ?? 0) > 0;
    this.faults = new Faults(seed, rates, WINDOW);
  }

  report() {
    const { trains, refused } = this.#departures;
    return { ...this.counts, trainsOut: trains, refused, overflows: this.#shim.socketDrops(this.#fd) };
  }

  /** Takes what the socket has. */
  pump() {
    const ring = this.#ring;
    const { bytes, words, mask, addresses } = ring;
    for (let round = 0; round < ROUNDS; round++) {
      const n = ring.prepare(BATCH, 0);
      const got = this.#shim.recvBatch(this.#fd, bytes, words, mask, ring.head, n, addresses);
      ring.publish(n, Math.max(got, 0));
      for (let i = 0; i < got; i++) this.#received(ring.row(ring.tail + i));
      if (got > 0) ring.complete(got);
      if (got < n) break;
    }
    this.#departures.flush();
  }

  /** Lets go of what nothing has overtaken by now. Call it every few milliseconds. */
  tick() {
    if (this.#held.length === 0) return;
    for (const held of this.#held) held.age++;
    this.#release((held) => held.age > 2);
    this.#departures.flush();
  }

  #received(row) {
    const { bytes, words } = this.#ring;
    const at = words[row + OFFSET];
    const length = words[row + LENGTH];
    const tos = words[row + OUTER] & 0xff;
    const told = words[row + SEGMENT] & 0xffff;
    const segment = told < length ? told : 0;
    if (segment === 0 || this.#isSuper(bytes, at, length)) {
      if (length > 2048) this.counts.superFrames++;
      return this.#datagram(bytes, at, length, tos, segment);
    }
    this.counts.trainsIn++;
    for (let done = 0; done < length; done += segment) {
      this.#datagram(bytes, at + done, Math.min(segment, length - done), tos, 0);
    }
  }

  /** One inner packet fills all of it: no train, but one datagram that the sender's kernel has left uncut. */
  #isSuper(bytes, at, length) {
    const where = this.#where;
    locate(bytes, at + VXLAN, length - VXLAN, where);
    return where.version !== 0 && where.l3At + where.totalLength === at + length;
  }

  #datagram(bytes, at, length, outer, segment) {
    const { counts, faults } = this;
    counts.seen++;
    if (this.#watchFlags) this.#flags(bytes, at, length);
    const fate = faults.next();
    const tos = faults.tos(outer);
    if (tos !== outer) counts.marked++;
    const out = this.#departures;
    if (fate === LOSE) {
      counts.lost++;
    } else if (fate === REORDER && this.#holding.free > 0) {
      this.#hold(bytes, at, length, tos, segment);
    } else {
      if (fate === FLIP && faults.flip(bytes, at, length)) counts.flipped++;
      out.add(bytes, at, length, tos, segment);
      if (fate === DUPLICATE) {
        out.add(bytes, at, length, tos, segment);
        counts.duplicated++;
      }
      if (this.#held.length > 0) this.#overtake();
    }
  }

  #hold(bytes, at, length, tos, segment) {
    const slot = this.#holding.take();
    bytes.copyWithin(slot, at, at + length);
    this.#held.push({ slot, length, tos, segment, left: this.faults.delay(), passed: 0, age: 0 });
  }

  #overtake() {
    for (const held of this.#held) held.passed++;
    this.#release((held) => held.passed >= held.left);
  }

  #release(isDue) {
    const due = this.#held.filter(isDue);
    if (due.length === 0) return;
    this.#held = this.#held.filter((held) => !due.includes(held));
    for (const { slot, length, tos, segment, passed } of due) {
      this.#departures.add(this.#ring.bytes, slot, length, tos, segment);
      this.#holding.release(slot);
      if (passed > 0) this.counts.reordered++;
    }
  }

  #flags(bytes, at, length) {
    const { counts } = this;
    const where = this.#where;
    locate(bytes, at + VXLAN, length - VXLAN, where);
    const { l4At, l4Length, protocol } = where;
    if (l4At === 0 || protocol !== TCP) return;
    const flags = bytes[l4At + 13];
    if ((flags & SYN) !== 0) return; // there the two mean something else (RFC 3168 section 6.1.1)
    if ((flags & ECE) !== 0) counts.ece++;
    if ((flags & CWR) === 0) return;
    const sequence = new DataView(bytes.buffer, bytes.byteOffset + l4At + 4).getUint32(0);
    counts.cwr++;
    if (sequence === this.#cwrEnd) counts.cwrAgain++;
    this.#cwrEnd = (sequence + l4Length - (bytes[l4At + 12] >>> 4) * 4) >>> 0;
  }
}
