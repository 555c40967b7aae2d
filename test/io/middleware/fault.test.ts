import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VNET_LENGTH } from "../../../src/dataplane/arena.ts";
import { SLOT } from "../../../src/dataplane/ring.ts";
import { VtepTable } from "../../../src/fdb/vteps.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";
import { type FaultOptions, FaultyTap, FaultyUnderlay } from "../../../src/io/middleware.ts";
import { packet, Side, serialOf } from "../side.ts";

const A = Uint8Array.of(10, 0, 0, 1);
const B = Uint8Array.of(10, 0, 0, 2);

/** A sender, and a receiver behind a bad network. `clock.now` is the network's time. */
function network(options: FaultOptions, slots = 64) {
  const wires = new MemoryNetwork({ whenFull: "wait" });
  const sender = wires.attach({ address: A, port: 1 });
  const inner = wires.attach({ address: B, port: 1, datagrams: 1024, datagramBytes: 256 });
  const vteps = new VtepTable();
  const peer = vteps.acquire(B, 1);
  const clock = { now: 0 };
  const underlay = new FaultyUnderlay(inner, { now: () => clock.now, ...options });
  const out = new Side();
  const into = new Side(slots);
  return {
    clock,
    underlay,
    into,
    send(from: number, to: number): void {
      for (let i = from; i < to; i++) out.put(packet(i), { peer });
      while (out.ready.length > 0) sender.sendBatch(out.ready, vteps.slab);
    },
    /** Receives until nothing comes, and says what came. */
    receive(max = 32): Uint8Array[] {
      const got: Uint8Array[] = [];
      for (;;) {
        const n = underlay.recvBatch(into.filled, max);
        if (n === 0) return got;
        expect(n).toBeLessThanOrEqual(max);
        const reads = into.drain();
        expect(reads.length).toBe(n);
        for (const { bytes, from } of reads) {
          expect(from.subarray(4, 8)).toEqual(A);
          got.push(bytes);
        }
      }
    },
  };
}

/** Sends `count` packets a few at a time. @returns the serials that came */
function run(options: FaultOptions, count: number, step = 7): number[] {
  const net = network(options);
  const got: Uint8Array[] = [];
  for (let i = 0; i < count; i += step) {
    net.send(i, Math.min(i + step, count));
    got.push(...net.receive());
  }
  net.clock.now += 1000;
  got.push(...net.receive());
  expect(net.underlay.faults.held).toBe(0);
  expect(net.into.inUse).toBe(0);
  return got.map((bytes) => serialOf(bytes));
}

const UPTO_2000 = Array.from({ length: 2000 }, (_, i) => i);

describe("FaultyUnderlay", () => {
  it("passes everything when nothing is asked for", () => {
    expect(run({ seed: 1 }, 2000)).toEqual(UPTO_2000);
  });

  it("loses what share it was told to, and keeps the order of the rest", () => {
    const got = run({ seed: 1, loss: 0.1 }, 2000);
    expect(got.length).toBeGreaterThan(1740);
    expect(got.length).toBeLessThan(1860);
    expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
    expect(run({ seed: 1, loss: 1 }, 100)).toEqual([]);
  });

  it("repeats packets, each in a slot of its own", () => {
    const got = run({ seed: 2, duplicate: 0.1 }, 2000);
    expect(got.length).toBeGreaterThan(2140);
    expect(got.length).toBeLessThan(2260);
    expect([...new Set(got)]).toEqual(UPTO_2000);
    const net = network({ seed: 2, duplicate: 1 });
    net.send(0, 3);
    net.underlay.recvBatch(net.into.filled, 32);
    const { filled } = net.into;
    const slots = Array.from({ length: filled.length }, (_, i) => filled.words[filled.row(i) + SLOT]);
    expect(new Set(slots).size).toBe(6);
    expect(net.into.drain().map(({ bytes }) => bytes)).toEqual(
      [0, 0, 1, 1, 2, 2].map((serial) => packet(serial)),
    );
  });

  it("reorders within its window, and loses nothing", () => {
    const got = run({ seed: 3, reorder: 0.1, window: 5 }, 2000);
    expect([...got].sort((a, b) => a - b)).toEqual(UPTO_2000);
    const late = got.map((serial, place) => place - serial);
    expect(Math.max(...late)).toBe(5);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(-5);
    expect(late.filter((by) => by > 0).length).toBeGreaterThan(100);
  });

  it("flips one bit at most in a packet, in any place", () => {
    const net = network({ seed: 4, flip: 0.5 });
    const places = new Set<number>();
    let flipped = 0;
    for (let i = 0; i < 2000; i += 10) {
      net.send(i, i + 10);
      net.receive().forEach((bytes, n) => {
        const bits = differentBits(bytes, packet(i + n));
        expect(bits.length).toBeLessThanOrEqual(1);
        flipped += bits.length;
        for (const bit of bits) places.add(bit);
      });
    }
    expect(flipped).toBe(net.underlay.faults.counts.flipped);
    expect(flipped).toBeGreaterThan(900);
    expect(flipped).toBeLessThan(1100);
    expect(places.size).toBeGreaterThan(400); // of 480 bits
  });

  it("counts what it does", () => {
    const net = network({ seed: 5, loss: 0.2, duplicate: 0.2, reorder: 0.2 });
    let got = 0;
    for (let i = 0; i < 1000; i += 10) {
      net.send(i, i + 10);
      got += net.receive().length;
    }
    net.clock.now += 1000;
    got += net.receive().length;
    const { seen, lost, duplicated, reordered, flipped } = net.underlay.faults.counts;
    expect(seen).toBe(1000);
    expect(got).toBe(1000 - lost + duplicated);
    for (const n of [lost, duplicated, reordered]) expect(n).toBeGreaterThan(100);
    expect(flipped).toBe(0);
  });

  it("does the same again for the same seed, however packets are batched, and something else for another", () => {
    const options = { loss: 0.1, duplicate: 0.1, reorder: 0.2, window: 4 };
    const once = run({ seed: 6, ...options }, 500, 1);
    expect(run({ seed: 6, ...options }, 500, 1)).toEqual(once);
    expect(run({ seed: 7, ...options }, 500, 1)).not.toEqual(once);
    const lost = (serials: number[]) => UPTO_2000.slice(0, 500).filter((serial) => !serials.includes(serial));
    expect(lost(run({ seed: 6, ...options }, 500, 20))).toEqual(lost(once));
  });

  it("lets a held packet go after a while, although nothing overtakes it", () => {
    const net = network({ seed: 8, reorder: 1, window: 4, holdMilliseconds: 20 });
    net.send(0, 1);
    expect(net.receive()).toEqual([]);
    expect(net.underlay.faults.held).toBe(1);
    net.clock.now = 19;
    expect(net.receive()).toEqual([]);
    net.clock.now = 20;
    expect(net.receive()).toEqual([packet(0)]);
    expect(net.into.inUse).toBe(0);
  });

  it("wakes an event-loop driver for it, and again until it is gone", async () => {
    const net = network({ seed: 8, reorder: 1, window: 4, holdMilliseconds: 1 });
    net.send(0, 1);
    expect(net.receive()).toEqual([]);
    net.clock.now = 1000;
    const got = await new Promise<Uint8Array[]>((resolve) => {
      let wakes = 0;
      net.underlay.setWake(() => {
        // A driver whose ring is full does not receive when it is woken: what is held must not be forgotten.
        if (++wakes === 3) resolve(net.receive());
      });
    });
    expect(got).toEqual([packet(0)]);
    net.underlay.close();
  });

  it("gives all slots back when it is closed, and the port with it", () => {
    const net = network({ seed: 9, reorder: 1, window: 16 });
    net.send(0, 5);
    net.receive();
    expect(net.into.inUse).toBe(5);
    net.underlay.close();
    net.underlay.close();
    expect(net.into.inUse).toBe(0);
    expect(net.underlay.recvBatch(net.into.filled, 1)).toBe(-9);
  });

  it.each([
    { loss: -0.1 },
    { duplicate: 1.1 },
    { flip: Number.NaN },
    { window: 0 },
    { window: 1.5 },
    { holdMilliseconds: -1 },
  ])("refuses %j", (wrong) => {
    expect(() => network({ seed: 1, ...wrong })).toThrow(RangeError);
  });

  it("leaks no slot and makes nothing up, whatever the rates and however short the pool", () => {
    const rate = fc.constantFrom(0, 0.2, 0.7, 1);
    const options = fc.record({
      seed: fc.integer(),
      loss: fc.constantFrom(0, 0.2, 0.7),
      duplicate: rate,
      reorder: rate,
      flip: fc.constant(0),
      window: fc.integer({ min: 1, max: 20 }),
    });
    const steps = fc.array(
      fc.record({ send: fc.nat(20), max: fc.integer({ min: 1, max: 12 }), wait: fc.nat(30) }),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 12 }), steps, (faults, slots, steps) => {
        const net = network({ ...faults, holdMilliseconds: 20 }, slots);
        const got: number[] = [];
        let sent = 0;
        for (const { send, max, wait } of steps) {
          net.send(sent, sent + send);
          sent += send;
          net.clock.now += wait;
          got.push(...net.receive(max).map((bytes) => serialOf(bytes)));
          expect(net.into.inUse).toBe(net.underlay.faults.held);
        }
        // A pool may be all held: each time that ends, the rest comes a pool at a time.
        for (let i = 0; i < sent + 2; i++) {
          net.clock.now += 1000;
          got.push(...net.receive().map((bytes) => serialOf(bytes)));
        }
        const { lost, duplicated, seen } = net.underlay.faults.counts;
        expect(seen).toBe(sent);
        expect(got.length).toBe(sent - lost + duplicated);
        expect(new Set(got).size).toBe(sent - lost);
        expect(net.underlay.faults.held).toBe(0);
        expect(net.into.inUse).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe("FaultyTap", () => {
  it("spoils frames from the pod, and never the vnet header in front of them", () => {
    const inner = new MemoryTap({ frames: 100 });
    const tap = new FaultyTap(inner, { seed: 1, flip: 1 });
    const side = new Side();
    const vnet = Uint8Array.from({ length: VNET_LENGTH }, (_, i) => i);
    const places = new Set<number>();
    for (let i = 0; i < 400; i++) {
      inner.inject(packet(i, 14), vnet);
      expect(tap.readBatch(side.filled, 8)).toBe(1);
      const [read] = side.drain();
      expect(read!.bytes.subarray(0, VNET_LENGTH)).toEqual(vnet);
      const bits = differentBits(read!.bytes.subarray(VNET_LENGTH), packet(i, 14));
      expect(bits.length).toBe(1);
      places.add(bits[0]!);
    }
    expect(places.size).toBeGreaterThan(90); // of 112
    expect(tap.faults.counts).toMatchObject({ seen: 400, flipped: 400, lost: 0 });
  });

  it("passes what the dataplane writes, and the port's errors", () => {
    const inner = new MemoryTap();
    const tap = new FaultyTap(inner, { seed: 1, loss: 1 });
    const side = new Side();
    side.put(new Uint8Array(VNET_LENGTH + 60));
    expect(tap.writeBatch(side.ready)).toBe(1);
    expect(inner.waiting).toBe(1);
    inner.inject(packet(1));
    expect(tap.readBatch(side.filled, 8)).toBe(0);
    expect(side.inUse).toBe(0);
    tap.close();
    expect(tap.readBatch(side.filled, 8)).toBe(-9);
  });
});

/** Numbers of the bits in which two arrays of one length differ. */
function differentBits(a: Uint8Array, b: Uint8Array): number[] {
  expect(a.length).toBe(b.length);
  const bits: number[] = [];
  for (let bit = 0; bit < a.length * 8; bit++) {
    if (((a[bit >> 3]! ^ b[bit >> 3]!) >> (bit & 7)) & 1) bits.push(bit);
  }
  return bits;
}
