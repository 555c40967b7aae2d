/** The dataplane's side of a port: a pool, a ring to read into and one to write from. */
import { Arena, alignUp, VXLAN_AT } from "../../src/dataplane/arena.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  Ring,
} from "../../src/dataplane/ring.ts";
import { sockaddrPort } from "../../src/fdb/sockaddr.ts";

/** One packet that was read or received. */
export interface Read {
  readonly bytes: Uint8Array;
  readonly tos: number;
  readonly outer: number;
  /** The sender's sockaddr. */
  readonly from: Uint8Array;
  readonly port: number;
}

export class Side {
  readonly filled: Ring;
  readonly ready: Ring;

  constructor(slots = 64, slotBytes = 2048, rows = slots) {
    const pool = new Arena(slots * alignUp(slotBytes, 64)).carvePool(slotBytes, slots);
    this.filled = new Ring(pool, rows);
    this.ready = new Ring(pool, rows);
  }

  /** Slots that are neither free nor in a ring's rows would be leaked; this is 0 when both rings are empty. */
  get inUse(): number {
    return this.ready.pool.count - this.ready.pool.free;
  }

  /** Readies one packet to go out, its first `head` bytes apart from the rest. @returns its row */
  put(bytes: Uint8Array, { head = 0, peer = 0, outer = 0, at = VXLAN_AT } = {}): number {
    const { ready } = this;
    const slot = ready.pool.take();
    const body = slot + at + (head > 0 ? 64 : 0);
    ready.bytes.set(bytes.subarray(0, head), slot);
    ready.bytes.set(bytes.subarray(head), body);
    const row = ready.push(slot, body, bytes.length - head);
    ready.words[row + HEAD_OFFSET] = slot;
    ready.words[row + HEAD_LENGTH] = head;
    ready.words[row + PEER] = peer;
    ready.words[row + OUTER] = outer;
    return row;
  }

  /** Takes everything that was read, and completes it. */
  drain(): Read[] {
    const { filled } = this;
    const reads = Array.from({ length: filled.length }, (_, n): Read => {
      const i = filled.tail + n;
      const row = filled.row(i);
      const at = filled.words[row + OFFSET]!;
      const address = (i & filled.mask) * ADDRESS_BYTES;
      const outer = filled.words[row + OUTER]!;
      return {
        bytes: filled.bytes.slice(at, at + filled.words[row + LENGTH]!),
        tos: outer & 0xff,
        outer,
        from: filled.addresses.slice(address, address + ADDRESS_BYTES),
        port: sockaddrPort(filled.addresses, address),
      };
    });
    filled.complete(filled.length);
    return reads;
  }
}

/** `length` bytes that no other `serial` has. */
export function packet(serial: number, length = 60): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i < 4 ? serial >>> (24 - i * 8) : serial * 31 + i * 7));
}

/** The serial of a packet that `packet` made. */
export function serialOf(bytes: Uint8Array, at = 0): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
