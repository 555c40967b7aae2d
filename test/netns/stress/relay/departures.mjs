// Datagrams on their way out of the relay, in order. With `gso` a run of equal ones (the last may be shorter) leaves
// as one UDP_SEGMENT send: on a veth it arrives as the train it is, with the losses, copies, swaps and flips in it.
import { LENGTH, OFFSET, OUTER, PEER, Ring, SEGMENT } from "../../../../dist/dataplane/ring.js";

/** Datagrams per run: UDP_MAX_SEGMENTS of kernels before 6.9. */
const MOST = 64;
/** Bytes per run: what a UDP datagram over IPv4 or IPv6 may hold. */
const MOST_BYTES = 65_487;
/** Everything leaves by the one socket. */
const NO_SENDERS = new Int32Array(0);

export class Departures {
  #shim;
  #fd;
  #address;
  #ring;
  #gso;
  /** The largest payload that leaves unfragmented. */
  #whole;
  /** The run at the head of the ring: its row, its datagrams' length, and whether another may join. */
  #row = -1;
  #size = 0;
  #count = 0;
  #tos = 0;
  /** Runs of more than one; datagrams the kernel refused. */
  trains = 0;
  refused = 0;

  /** @param pool its slots hold the largest datagram each */
  constructor(shim, fd, address, pool, { gso, whole }) {
    this.#shim = shim;
    this.#fd = fd;
    this.#address = address;
    this.#ring = new Ring(pool, pool.count);
    this.#gso = gso;
    this.#whole = whole;
  }

  /** @param segment of a kernel peer's super-frame of UDP: the size that UDP_GRO told, to be told again; else 0 */
  add(bytes, at, length, tos, segment) {
    if (this.#joins(length, tos, segment)) {
      const { words } = this.#ring;
      const end = words[this.#row + OFFSET] + words[this.#row + LENGTH];
      bytes.copyWithin(end, at, at + length);
      words[this.#row + LENGTH] += length;
      this.#count++;
      if (length < this.#size) this.#close();
      return;
    }
    this.#close();
    if (this.#ring.pool.free === 0) this.flush();
    const slot = this.#ring.pool.take();
    bytes.copyWithin(slot, at, at + length);
    const row = this.#ring.push(slot, slot, length);
    this.#ring.words[row + PEER] = 0;
    this.#ring.words[row + OUTER] = tos;
    this.#ring.words[row + SEGMENT] = segment;
    if (!this.#gso || segment !== 0 || length === 0 || length > this.#whole) return;
    this.#row = row;
    this.#size = length;
    this.#count = 1;
    this.#tos = tos;
  }

  #joins(length, tos, segment) {
    if (this.#row < 0 || segment !== 0 || length === 0 || length > this.#size || tos !== this.#tos)
      return false;
    return this.#count < MOST && this.#ring.words[this.#row + LENGTH] + length <= MOST_BYTES;
  }

  #close() {
    if (this.#count > 1) {
      this.#ring.words[this.#row + SEGMENT] = this.#size;
      this.trains++;
    }
    this.#row = -1;
    this.#count = 0;
  }

  /** Sends everything. */
  flush() {
    this.#close();
    const ring = this.#ring;
    while (ring.length > 0) {
      const { bytes, words, mask, tail } = ring;
      const count = ring.length;
      const sent = this.#shim.sendBatch(
        this.#fd,
        bytes,
        words,
        mask,
        tail,
        count,
        this.#address,
        NO_SENDERS,
        false,
      );
      if (sent < 0) this.refused++;
      ring.complete(sent < 0 ? 1 : sent);
    }
  }
}
