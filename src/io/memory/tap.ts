/**
 * A TAP in memory. Where the kernel would be, there is a pod's side: what it injects the dataplane reads, what the
 * dataplane writes it takes.
 *
 * Both ways go through a ring with slots of its own, so bytes are copied once and nothing is allocated per frame
 * (except by `take` and `onFrame`, which hand over copies). A full ring does what the kernel's device does: injected
 * frames are dropped, as behind a full transmit queue, and the dataplane's writes wait.
 */
import { VNET_AT, VNET_LENGTH } from "../../dataplane/arena.ts";
import type { Tap } from "../../dataplane/ports.ts";
import { HEAD_LENGTH, HEAD_OFFSET, LENGTH, OFFSET, type Ring } from "../../dataplane/ring.ts";
import { ETHERNET_LENGTH } from "../../wire/views.ts";
import { copyBytes, viewsOf } from "../copy.ts";
import { Readiness } from "../readiness.ts";
import { hasRoom, packetQueue } from "./queue.ts";

const EBADF = 9;
const EINVAL = 22;
const EMSGSIZE = 90;

export interface MemoryTapOptions {
  /** As `poplin status` shows it. */
  readonly name?: string;
  /** Frames that may wait, in each direction. */
  readonly frames?: number;
  /** Bytes of the longest frame. The default holds a super-frame of 64 KB. */
  readonly frameBytes?: number;
}

/** A frame that the dataplane wrote. The bytes are the receiver's own. */
export interface WrittenFrame {
  /** `VNET_LENGTH` bytes: whether a checksum is partial, or the frame a super-frame. */
  readonly vnet: Uint8Array;
  readonly frame: Uint8Array;
}

export class MemoryTap implements Tap {
  readonly name: string;
  readonly fd = -1;
  /** Injected frames that found the queue full. */
  dropped = 0;
  /** From the pod to the dataplane. */
  readonly #inbound: Ring;
  /** From the dataplane to the pod. */
  readonly #outbound: Ring;
  readonly #readiness: Readiness;
  #receiver: ((written: WrittenFrame) => void) | null = null;
  #closed = false;

  constructor({ name = "memory", frames = 256, frameBytes = 65_600 }: MemoryTapOptions = {}) {
    this.name = name;
    this.#inbound = packetQueue(frames, frameBytes);
    this.#outbound = packetQueue(frames, frameBytes);
    this.#readiness = new Readiness(
      () => this.#inbound.length > 0,
      () => hasRoom(this.#outbound),
    );
  }

  // The pod's side

  /**
   * Puts a frame before the dataplane. The bytes are copied.
   * @param vnet its vnet header, `VNET_LENGTH` bytes; left out, it is all zero: nothing is left to be done
   * @returns false when it was dropped: the queue is full, the frame too long for it, or the TAP closed
   * @throws RangeError for a vnet header of another length
   */
  inject(frame: Uint8Array, vnet?: Uint8Array): boolean {
    if (vnet !== undefined && vnet.length !== VNET_LENGTH) {
      throw new RangeError(`a vnet header has ${VNET_LENGTH} bytes, not ${vnet.length}`);
    }
    const queue = this.#inbound;
    const room = queue.pool.slotSize - VNET_AT;
    if (this.#closed || VNET_LENGTH + frame.length > room || queue.prepare(1, VNET_AT) === 0) {
      this.dropped++;
      return false;
    }
    const row = queue.row(queue.head);
    const at = queue.words[row + OFFSET]!;
    if (vnet === undefined) queue.bytes.fill(0, at, at + VNET_LENGTH);
    else queue.bytes.set(vnet, at);
    queue.bytes.set(frame, at + VNET_LENGTH);
    queue.words[row + LENGTH] = VNET_LENGTH + frame.length;
    queue.publish(1, 1);
    this.#readiness.changed();
    return true;
  }

  /** Frames that wait for `take`. */
  get waiting(): number {
    return this.#outbound.length;
  }

  /** @returns the oldest frame that the dataplane wrote and nobody took yet, or null. */
  take(): WrittenFrame | null {
    const queue = this.#outbound;
    if (queue.length === 0) return null;
    const row = queue.row(queue.tail);
    const at = queue.words[row + OFFSET]!;
    const frame = queue.bytes.slice(at + VNET_LENGTH, at + queue.words[row + LENGTH]!);
    const vnet = queue.bytes.slice(at, at + VNET_LENGTH);
    this.#taken();
    return { vnet, frame };
  }

  /**
   * As `take`, without allocating: copies vnet header and frame to `at`.
   * @returns how many bytes, or −1 when no frame waits
   * @throws RangeError when they do not fit; the frame stays
   */
  takeInto(target: Uint8Array, at: number): number {
    const queue = this.#outbound;
    if (queue.length === 0) return -1;
    const row = queue.row(queue.tail);
    const length = queue.words[row + LENGTH]!;
    if (at + length > target.length) throw new RangeError(`a frame of ${length} bytes does not fit at ${at}`);
    copyBytes(viewsOf(queue.bytes), queue.words[row + OFFSET]!, viewsOf(target), at, length);
    this.#taken();
    return length;
  }

  /** Calls `receiver` for each frame that the dataplane writes, and for those that wait; null ends it. */
  onFrame(receiver: ((written: WrittenFrame) => void) | null): void {
    this.#receiver = receiver;
    this.#deliver();
  }

  // The dataplane's side

  readBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF;
    const queue = this.#inbound;
    const prepared = ring.prepare(Math.min(max, queue.length), VNET_AT);
    const from = viewsOf(queue.bytes);
    const to = viewsOf(ring.bytes);
    for (let i = 0; i < prepared; i++) {
      const source = queue.row(queue.tail + i);
      const target = ring.row(ring.head + i);
      // As read(2) on a TAP does, a frame that is longer than the room for it loses its end.
      const length = Math.min(queue.words[source + LENGTH]!, ring.words[target + LENGTH]!);
      copyBytes(from, queue.words[source + OFFSET]!, to, ring.words[target + OFFSET]!, length);
      ring.words[target + LENGTH] = length;
    }
    queue.complete(prepared);
    ring.publish(prepared, prepared);
    return prepared;
  }

  writeBatch(ring: Ring, count = ring.length): number {
    if (this.#closed) return -EBADF;
    let written = 0;
    let refused = 0;
    while (written < count && hasRoom(this.#outbound)) {
      refused = this.#write(ring, ring.row(ring.tail + written));
      if (refused !== 0) break;
      written++;
    }
    ring.complete(written);
    if (this.#receiver !== null) this.#deliver();
    return written > 0 ? written : refused;
  }

  setWake(wake: (() => void) | null): void {
    this.#readiness.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#readiness.setInterest(readable, writable);
  }

  close(): void {
    this.#closed = true;
    this.#readiness.setWake(null);
    this.#inbound.complete(this.#inbound.length);
  }

  /** Queues one row's bytes for the pod. @returns 0, or −errno as `tun_get_user` has it */
  #write(ring: Ring, row: number): number {
    const queue = this.#outbound;
    const head = ring.words[row + HEAD_LENGTH]!;
    const body = ring.words[row + LENGTH]!;
    if (head + body < VNET_LENGTH + ETHERNET_LENGTH) return -EINVAL;
    if (head + body > queue.pool.slotSize - VNET_AT) return -EMSGSIZE;
    queue.prepare(1, VNET_AT);
    const target = queue.row(queue.head);
    const at = queue.words[target + OFFSET]!;
    const from = viewsOf(ring.bytes);
    const to = viewsOf(queue.bytes);
    copyBytes(from, ring.words[row + HEAD_OFFSET]!, to, at, head);
    copyBytes(from, ring.words[row + OFFSET]!, to, at + head, body);
    queue.words[target + LENGTH] = head + body;
    queue.publish(1, 1);
    return 0;
  }

  #taken(): void {
    this.#outbound.complete(1);
    this.#readiness.changed();
  }

  #deliver(): void {
    while (this.#receiver !== null) {
      const written = this.take();
      if (written === null) return;
      this.#receiver(written);
    }
  }
}
