import { describe, expect, it } from "vitest";
import { VNET_AT, VNET_LENGTH } from "../../../src/dataplane/arena.ts";
import { ADDRESS_BYTES, OFFSET, PEER } from "../../../src/dataplane/ring.ts";
import { VtepTable } from "../../../src/fdb/vteps.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";
import { type TraceHandler, traceTap, traceUnderlay } from "../../../src/io/middleware.ts";
import { packet, Side, serialOf } from "../side.ts";

/** Notes passage and serials of what it is shown. */
function watch(lead: number): { seen: string[]; handler: TraceHandler } {
  const seen: string[] = [];
  return {
    seen,
    handler(passage, ring, from, to) {
      const serials: number[] = [];
      for (let i = from; i !== to; i = (i + 1) | 0) {
        serials.push(serialOf(ring.bytes, ring.words[ring.row(i) + OFFSET]! + lead));
      }
      seen.push(`${passage} ${serials.join()}`);
    },
  };
}

describe("traceTap", () => {
  it("shows each batch once, in either direction, and changes nothing", () => {
    const inner = new MemoryTap({ name: "flannel.1", frames: 2 });
    const { seen, handler } = watch(VNET_LENGTH);
    const tap = traceTap(inner, handler);
    const side = new Side();
    expect([tap.name, tap.fd]).toEqual(["flannel.1", -1]);
    expect(tap.readBatch(side.filled, 8)).toBe(0);
    inner.inject(packet(1));
    inner.inject(packet(2));
    expect(tap.readBatch(side.filled, 8)).toBe(2);
    expect(side.drain().map(({ bytes }) => serialOf(bytes, VNET_LENGTH))).toEqual([1, 2]);
    for (const serial of [3, 4, 5]) {
      side.put(Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...packet(serial)]), { at: VNET_AT });
    }
    expect(tap.writeBatch(side.ready)).toBe(2); // what does not fit is not shown
    expect(tap.writeBatch(side.ready)).toBe(0);
    expect(seen).toEqual(["in 1,2", "out 3,4"]);
    tap.close();
    expect(tap.readBatch(side.filled, 1)).toBe(-9);
    expect(seen.length).toBe(2);
  });
});

describe("traceUnderlay", () => {
  it("shows where packets come from and go to", () => {
    const network = new MemoryNetwork();
    const address = Uint8Array.of(10, 0, 0, 1);
    const inner = network.attach({ address, port: 8472 });
    const vteps = new VtepTable();
    const self = vteps.acquire(address, 8472);
    const { seen, handler } = watch(0);
    const peers: number[] = [];
    const underlay = traceUnderlay(inner, (passage, ring, from, to, addresses) => {
      handler(passage, ring, from, to, addresses);
      const index = passage === "in" ? from & ring.mask : ring.words[ring.row(from) + PEER]!;
      peers.push(vteps.findByAddress(addresses, index * ADDRESS_BYTES));
    });
    expect([underlay.kind, underlay.family, underlay.capabilities]).toEqual([
      "memory",
      4,
      inner.capabilities,
    ]);
    const side = new Side();
    side.put(packet(1), { peer: self });
    side.put(packet(2), { peer: 9 });
    expect(underlay.sendBatch(side.ready, vteps.slab, 1)).toBe(1);
    expect(side.ready.length).toBe(1);
    expect(underlay.sendBatch(side.ready, vteps.slab)).toBe(-22); // refused: not shown
    expect(underlay.recvBatch(side.filled, 8)).toBe(1);
    expect(seen).toEqual(["out 1", "in 1"]);
    expect(peers).toEqual([self, self]);
    expect(underlay.overflows()).toBe(0);
    underlay.close();
    expect(network.find(inner.sockaddr, 0)).toBeNull();
  });
});
