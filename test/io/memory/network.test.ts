import { describe, expect, it } from "vitest";
import { VXLAN_AT } from "../../../src/dataplane/arena.ts";
import { LENGTH, OFFSET, SEGMENT, SLOT, TRUNCATED } from "../../../src/dataplane/ring.ts";
import { VtepTable } from "../../../src/fdb/vteps.ts";
import { MemoryNetwork } from "../../../src/io/memory.ts";
import { fromHex } from "../../../src/wire/bytes.ts";
import { packet, Side, serialOf } from "../side.ts";
import { turns } from "./turns.ts";

const A = Uint8Array.of(10, 0, 0, 1);
const B = Uint8Array.of(10, 0, 0, 2);
const PORT = 8472;

function pair(options = {}, receiver = {}) {
  const network = new MemoryNetwork(options);
  const a = network.attach({ address: A, port: PORT });
  const b = network.attach({ address: B, port: PORT, ...receiver });
  const vteps = new VtepTable();
  return { network, a, b, vteps, toA: vteps.acquire(A, PORT), toB: vteps.acquire(B, PORT) };
}

describe("MemoryNetwork", () => {
  it("carries a datagram, its TOS and source port, to the address it is sent to", () => {
    const { a, b, vteps, toB } = pair();
    const [from, to] = [new Side(), new Side()];
    to.filled.bytes.fill(0xa5);
    from.put(packet(1, 106), { peer: toB, outer: 0x03 | (50_001 << 16) });
    from.put(packet(2, 107), { peer: toB, head: 8, outer: 0x88 });
    expect(a.sendBatch(from.ready, vteps.slab)).toBe(2);
    expect(from.inUse).toBe(0);
    expect(a.recvBatch(from.filled, 8)).toBe(0);
    expect(b.recvBatch(to.filled, 8)).toBe(2);
    const row = to.filled.row(0);
    expect(to.filled.words[row + OFFSET]).toBe(to.filled.words[row + SLOT]! + VXLAN_AT);
    expect(to.filled.words[row + LENGTH]).toBe(106);
    expect(to.filled.words[row + SEGMENT]).toBe(0);
    const reads = to.drain();
    expect(reads.map(({ bytes }) => bytes)).toEqual([packet(1, 106), packet(2, 107)]);
    expect(reads.map(({ tos, port, outer }) => [tos, port, outer >>> 16])).toEqual([
      [0x03, 50_001, 50_001],
      [0x88, PORT, PORT],
    ]);
    for (const { from } of reads)
      expect(vteps.findByAddress(from, 0)).toBe(vteps.findByAddress(a.sockaddr, 0));
    expect(to.inUse).toBe(0);
  });

  it("works for IPv6 too, and tells two ports of one address apart", () => {
    const network = new MemoryNetwork();
    const address = fromHex("fd00 0000 0000 0000 0000 0000 0000 0001");
    const a = network.attach({ address, port: 1 });
    const b = network.attach({ address, port: 2 });
    expect([a.family, b.family]).toEqual([6, 6]);
    const vteps = new VtepTable();
    const side = new Side();
    side.put(packet(1), { peer: vteps.acquire(address, 2) });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(a.recvBatch(side.filled, 8)).toBe(0);
    expect(b.recvBatch(side.filled, 8)).toBe(1);
    expect(vteps.describe(vteps.findByAddress(side.drain()[0]!.from, 0)).port).toBe(2);
  });

  it("loses what is sent to nobody, and what waits for a receiver that goes", () => {
    const { network, a, b, vteps, toB } = pair();
    const side = new Side();
    side.put(packet(1), { peer: vteps.acquire(Uint8Array.of(10, 0, 0, 9), PORT) });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(network.lost).toBe(1);
    b.close();
    b.close();
    side.put(packet(2), { peer: toB });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(network.lost).toBe(2);
    expect(b.recvBatch(side.filled, 8)).toBe(-9);
    expect(b.sendBatch(side.ready, vteps.slab)).toBe(-9);
    expect(network.attach({ address: B, port: PORT }).recvBatch(side.filled, 8)).toBe(0);
  });

  it("drops and counts at the receiver what finds its queue full", () => {
    const { a, b, vteps, toB } = pair({}, { datagrams: 3, datagramBytes: 200 });
    const side = new Side();
    for (let i = 0; i < 5; i++) side.put(packet(i), { peer: toB });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(5);
    expect(b.overflows()).toBe(2);
    expect(a.overflows()).toBe(0);
    expect(b.recvBatch(side.filled, 8)).toBe(3);
    expect(side.drain().map(({ bytes }) => serialOf(bytes))).toEqual([0, 1, 2]);
    side.put(packet(9, 500), { peer: toB });
    a.sendBatch(side.ready, vteps.slab);
    expect(b.overflows()).toBe(3);
  });

  it("makes the sender wait instead, if told so, and wakes it when there is room", async () => {
    const { a, b, vteps, toA, toB } = pair({ whenFull: "wait" }, { datagrams: 2 });
    const side = new Side();
    let woken = 0;
    a.setWake(() => woken++);
    for (let i = 0; i < 3; i++) side.put(packet(i), { peer: toB });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(2);
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(0);
    expect(side.ready.length).toBe(1);
    a.setInterest(false, true);
    await turns(3);
    expect(woken).toBe(0);
    expect(b.recvBatch(side.filled, 1)).toBe(1);
    await turns(2);
    expect(woken).toBeGreaterThan(0);
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(b.recvBatch(side.filled, 8)).toBe(2);
    side.put(packet(3), { peer: toA });
    expect(b.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(a.recvBatch(side.filled, 8)).toBe(1);
    expect(side.drain().map(({ bytes }) => serialOf(bytes))).toEqual([0, 1, 2, 3]);
    expect(b.overflows()).toBe(0);
    a.close();
  });

  it("lets a sender go on when the receiver it waited for is gone", async () => {
    const { network, a, b, vteps, toB } = pair({ whenFull: "wait" }, { datagrams: 1 });
    const side = new Side();
    for (let i = 0; i < 2; i++) side.put(packet(i), { peer: toB });
    a.sendBatch(side.ready, vteps.slab);
    const woken = new Promise<void>((resolve) => a.setWake(resolve));
    a.setInterest(false, true);
    b.close();
    await woken;
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(network.lost).toBe(1);
    a.close();
  });

  it("says of a datagram that was longer than the slot that its end is lost", () => {
    const { a, b, vteps, toB } = pair();
    const side = new Side();
    const small = new Side(2, 128);
    side.put(packet(1, 128 - VXLAN_AT), { peer: toB });
    side.put(packet(2, 128 - VXLAN_AT + 1), { peer: toB });
    a.sendBatch(side.ready, vteps.slab);
    b.recvBatch(small.filled, 2);
    const reads = small.drain();
    expect(reads.map(({ outer }) => outer & TRUNCATED)).toEqual([0, TRUNCATED]);
    expect(reads.map(({ bytes }) => bytes.length)).toEqual([128 - VXLAN_AT, 128 - VXLAN_AT]);
  });

  it("refuses what sendmmsg(2) refuses, and leaves it in the ring", () => {
    const { a, vteps, toA, toB } = pair();
    const side = new Side(8, 70_000);
    vteps.release(toA);
    const v6 = vteps.acquire(fromHex("fd00 0000 0000 0000 0000 0000 0000 0001"), PORT); // takes the freed row
    const cases: [() => number, number][] = [
      [() => side.put(packet(1), { peer: 12 }), -22], // a row that nobody has acquired
      [() => side.put(packet(1), { peer: 10_000 }), -22], // no row at all
      [() => side.put(packet(1), { peer: v6 }), -97],
      [() => side.put(packet(1, 65_508), { peer: toB }), -90],
      [
        () => {
          const row = side.put(packet(1, 200), { peer: toB });
          side.ready.words[row + SEGMENT] = 100;
          return row;
        },
        -22,
      ],
    ];
    for (const [put, errno] of cases) {
      side.put(packet(0), { peer: toB });
      put();
      expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
      expect(a.sendBatch(side.ready, vteps.slab)).toBe(errno);
      expect(side.ready.length).toBe(1);
      side.ready.complete(1);
    }
    side.put(packet(1, 65_507), { peer: toB });
    expect(a.sendBatch(side.ready, vteps.slab)).toBe(1);
    expect(side.inUse).toBe(0);
  });

  it("takes each address and port once", () => {
    const { network } = pair();
    expect(() => network.attach({ address: A, port: PORT })).toThrow(
      expect.objectContaining({ code: "EADDRINUSE" }),
    );
    expect(() => network.attach({ address: A, port: 0 })).toThrow(RangeError);
    expect(() => network.attach({ address: Uint8Array.of(1), port: 1 })).toThrow(RangeError);
  });

  it("wakes a receiver that waits, in a later turn", async () => {
    const { a, b, vteps, toB } = pair();
    const side = new Side();
    let woken = 0;
    b.setWake(() => {
      woken++;
      b.recvBatch(side.filled, 8);
    });
    b.setInterest(true, false);
    side.put(packet(1), { peer: toB });
    a.sendBatch(side.ready, vteps.slab);
    expect(woken).toBe(0);
    await turns(5);
    expect(woken).toBe(1);
    expect(side.drain().length).toBe(1);
    expect(b.fd).toBe(-1);
  });
});
