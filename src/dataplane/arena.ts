/**
 * The buffer pool: one buffer, cut once, never grown.
 *
 *   arena ┌──────────── tx pool ───────────┬────────── rx pool ─────────┬─ headers ─┐
 *         │ slot │ slot │ slot │ …         │   slot    │   slot    │ …  │           │
 *         └──────┴──────┴──────┴───────────┴───────────┴───────────┴────┴───────────┘
 *
 * A packet is an integer: the byte offset of its slot in the arena. Nothing between the read of a frame and the
 * write of it copies payload or allocates. The arena belongs to one thread; the native shim is handed the same
 * bytes on every call and checks each offset against their length.
 *
 * Where a packet lies in its slot is the same in both directions, so headers can be written in place:
 *
 *   slot + 0        4                       16                                        (size)
 *        ├ unused ──┼── vnet header (12) ───┼── inner Ethernet frame … ─────────────────┤
 *                   ·      8 ┌─ VXLAN (8) ──┤   the VXLAN header overwrites the tail of the vnet header:
 *                            └──────────────┘   a frame never needs both at the same time
 */

/** Where the TAP's vnet header starts in a slot. */
export const VNET_AT = 4;
/** Length of the TAP's vnet header: struct virtio_net_hdr_mrg_rxbuf, `include/uapi/linux/virtio_net.h`. */
export const VNET_LENGTH = 12;
/** Where the VXLAN header, and so the UDP payload, starts in a slot. */
export const VXLAN_AT = 8;
/** Where the inner Ethernet frame starts in a slot: a multiple of 16, so that 32-bit copies stay aligned. */
export const FRAME_AT = 16;

/** A set of equal slots. Of the free ones the last given back is taken first: it is still in the cache. */
export class SlotPool {
  /** The arena's bytes: offsets of slots count from their start. */
  readonly bytes: Uint8Array;
  /** Bytes in one slot, headroom included. */
  readonly slotSize: number;
  /** How many slots there are in all. */
  readonly count: number;
  /** The free slots: the first `free` of these. */
  readonly #slots: Int32Array;
  #free = 0;

  constructor(bytes: Uint8Array, base: number, slotSize: number, count: number) {
    this.bytes = bytes;
    this.slotSize = slotSize;
    this.count = count;
    this.#slots = new Int32Array(count);
    for (let i = count - 1; i >= 0; i--) this.release(base + i * slotSize);
  }

  /** Slots that can be taken now. */
  get free(): number {
    return this.#free;
  }

  /** @returns the byte offset of a free slot, or −1 when every slot is in use. */
  take(): number {
    return this.#free === 0 ? -1 : this.#slots[--this.#free]!;
  }

  /** Gives back a slot that `take` returned. Giving one back twice would let two packets share it. */
  release(slot: number): void {
    this.#slots[this.#free++] = slot;
  }
}

/** One buffer for everything a dataplane holds. Carve it at start; `bytes` never moves afterwards. */
export class Arena {
  readonly bytes: Uint8Array;
  /** Where the first piece starts; the others are multiples of 64 behind it. */
  readonly #lead: number;
  #used: number;

  /**
   * @param size bytes to reserve; untouched pages cost nothing until a packet lands in them
   * @param lead given the buffer, how many bytes to leave free before the first piece, 0 to 63
   */
  constructor(size: number, lead: (bytes: Uint8Array) => number = () => 0) {
    this.bytes = new Uint8Array(size);
    this.#lead = lead(this.bytes);
    this.#used = this.#lead;
  }

  /** Cuts the next `count` slots of `slotSize` bytes (rounded up to 64, a cache line). */
  carvePool(slotSize: number, count: number): SlotPool {
    const size = alignUp(slotSize, 64);
    return new SlotPool(this.bytes, this.reserve(size * count), size, count);
  }

  /** Cuts a plain region. @returns its byte offset, a multiple of 64 behind the first. @throws RangeError when the arena is full. */
  reserve(length: number): number {
    const at = this.#used;
    if (at + length > this.bytes.length) {
      throw new RangeError(
        `arena of ${this.bytes.length} bytes is full: ${at} used, ${length} more asked for`,
      );
    }
    this.#used = this.#lead + alignUp(at + length - this.#lead, 64);
    return at;
  }
}

/** Smallest power of two that is at least `n`. */
export function nextPowerOfTwo(n: number): number {
  let p = 1;
  while (p < n) p *= 2;
  return p;
}

/** `n` rounded up to a multiple of `step`. */
export function alignUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
