/** Loopback sockets, rings and an address slab for the tests of this folder. */
import { type Arena, VXLAN_AT } from "../../../src/dataplane/arena.ts";
import { ADDRESS_BYTES, OUTER, PEER, Ring, SEGMENT, SLOT } from "../../../src/dataplane/ring.ts";
import { PLAIN_SOCKET, type UdpSocketOptions } from "../../../src/io/linux/shim.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

export function udpOptions(overrides: Partial<UdpSocketOptions> = {}): UdpSocketOptions {
  const family = overrides.family ?? 4;
  return {
    ...PLAIN_SOCKET,
    family,
    address: family === 4 ? "127.0.0.1" : "::1",
    receiveBuffer: 1 << 20,
    sendBuffer: 1 << 20,
    ...overrides,
  };
}

/** A slab whose row i is port `ports[i]` of the loopback address. */
export function loopbackSlab(family: 4 | 6, ports: readonly number[]): Uint8Array {
  const slab = new Uint8Array(ports.length * ADDRESS_BYTES);
  const view = new DataView(slab.buffer);
  ports.forEach((port, i) => {
    const at = i * ADDRESS_BYTES;
    new Uint16Array(slab.buffer, at, 1)[0] = family === 4 ? AF_INET : AF_INET6; // the machine's byte order
    view.setUint16(at + 2, port);
    if (family === 4) slab.set([127, 0, 0, 1], at + 4);
    else slab[at + 8 + 15] = 1;
  });
  return slab;
}

/** A ring of its own pool. */
export function makeRing(arena: Arena, capacity = 128, slotSize = 2048): Ring {
  return new Ring(arena.carvePool(slotSize, capacity), capacity);
}

/** Appends a datagram whose payload is `payload` to the ring, for row `peer` of the slab. */
export function pushPayload(
  ring: Ring,
  payload: Uint8Array,
  { peer = 0, tos = 0, segment = 0 }: { peer?: number; tos?: number; segment?: number } = {},
): number {
  const slot = ring.pool.take();
  ring.bytes.set(payload, slot + VXLAN_AT);
  const at = ring.push(slot, slot + VXLAN_AT, payload.length);
  ring.words[at + PEER] = peer;
  ring.words[at + OUTER] = tos;
  ring.words[at + SEGMENT] = segment;
  return at;
}

/** `length` bytes that tell one payload from another. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
}

/** Whether every slot of the pool is free and none twice: what a port must leave behind. */
export function slotsIntact(ring: Ring): boolean {
  const { pool } = ring;
  const slots = new Set<number>();
  for (let i = 0; i < ring.length; i++) slots.add(ring.words[ring.row(ring.tail + i) + SLOT]!);
  // The last slot that was given back is the next one taken: take them all first.
  const free = Array.from({ length: pool.free }, () => pool.take());
  for (const slot of free) {
    slots.add(slot);
    pool.release(slot);
  }
  return slots.size === pool.count;
}
