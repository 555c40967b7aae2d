import { describe, expect, it } from "vitest";
import { FRAME_AT, VNET_AT, VNET_LENGTH } from "../../../src/dataplane/arena.ts";
import { LENGTH, OFFSET, SLOT } from "../../../src/dataplane/ring.ts";
import { MemoryTap, type WrittenFrame } from "../../../src/io/memory.ts";
import { packet, Side, serialOf } from "../side.ts";
import { turns } from "./turns.ts";

const VNET = Uint8Array.from({ length: VNET_LENGTH }, (_, i) => i + 1);

describe("MemoryTap: what the pod injects", () => {
  it("is read behind a vnet header of zeros, where a slot has them", () => {
    const tap = new MemoryTap();
    const side = new Side();
    side.filled.bytes.fill(0xa5);
    expect(tap.inject(packet(1, 61))).toBe(true);
    expect(tap.inject(packet(2, 1514), VNET)).toBe(true);
    expect(tap.readBatch(side.filled, 8)).toBe(2);
    const row = side.filled.row(0);
    expect(side.filled.words[row + OFFSET]).toBe(side.filled.words[row + SLOT]! + VNET_AT);
    expect(side.filled.words[row + LENGTH]).toBe(VNET_LENGTH + 61);
    expect(side.filled.words[row + OFFSET]! + VNET_LENGTH).toBe(side.filled.words[row + SLOT]! + FRAME_AT);
    const [first, second] = side.drain();
    expect(first!.bytes).toEqual(Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...packet(1, 61)]));
    expect(second!.bytes).toEqual(Uint8Array.from([...VNET, ...packet(2, 1514)]));
    expect(side.inUse).toBe(0);
  });

  it("comes in order, at most `max` at a time, and as far as there are slots", () => {
    const tap = new MemoryTap();
    const side = new Side(3);
    for (let i = 0; i < 6; i++) tap.inject(packet(i));
    expect(tap.readBatch(side.filled, 2)).toBe(2);
    expect(tap.readBatch(side.filled, 8)).toBe(1);
    expect(tap.readBatch(side.filled, 8)).toBe(0);
    expect(side.drain().map((read) => serialOf(read.bytes, VNET_LENGTH))).toEqual([0, 1, 2]);
    expect(tap.readBatch(side.filled, 8)).toBe(3);
    expect(side.drain().map((read) => serialOf(read.bytes, VNET_LENGTH))).toEqual([3, 4, 5]);
    expect(tap.readBatch(side.filled, 8)).toBe(0);
  });

  it("is dropped and counted when the queue is full or the frame too long", () => {
    const tap = new MemoryTap({ frames: 3, frameBytes: 100 });
    expect([1, 2, 3, 4].map((i) => tap.inject(packet(i)))).toEqual([true, true, true, false]);
    tap.readBatch(new Side().filled, 8);
    expect(tap.inject(packet(5, 200))).toBe(false);
    expect(tap.inject(packet(5, 100))).toBe(true);
    expect(tap.dropped).toBe(2);
    expect(() => tap.inject(packet(6), new Uint8Array(10))).toThrow(RangeError);
  });

  it("loses its end where the slot is too small, as read(2) has it", () => {
    const tap = new MemoryTap();
    const side = new Side(1, 128);
    tap.inject(packet(1, 500));
    expect(tap.readBatch(side.filled, 1)).toBe(1);
    const [read] = side.drain();
    expect(read!.bytes.length).toBe(128 - VNET_AT);
    expect(read!.bytes.subarray(VNET_LENGTH)).toEqual(packet(1, 500).subarray(0, 128 - FRAME_AT));
  });
});

describe("MemoryTap: what the dataplane writes", () => {
  it("is taken with its vnet header, in one piece or in two", () => {
    const tap = new MemoryTap();
    const side = new Side();
    side.put(Uint8Array.from([...VNET, ...packet(1)]), { at: VNET_AT });
    side.put(Uint8Array.from([...VNET, ...packet(2, 77)]), { head: VNET_LENGTH, at: 13 });
    expect(tap.writeBatch(side.ready)).toBe(2);
    expect(side.inUse).toBe(0);
    expect(tap.waiting).toBe(2);
    expect(tap.take()).toEqual({ vnet: VNET, frame: packet(1) });
    const bytes = new Uint8Array(100).fill(0xa5);
    expect(() => tap.takeInto(bytes, 50)).toThrow(RangeError);
    expect(tap.takeInto(bytes, 4)).toBe(VNET_LENGTH + 77);
    expect(bytes).toEqual(
      Uint8Array.from([...new Array(4).fill(0xa5), ...VNET, ...packet(2, 77), ...new Array(7).fill(0xa5)]),
    );
    expect(tap.take()).toBeNull();
    expect(tap.takeInto(bytes, 0)).toBe(-1);
  });

  it("waits in its ring when nobody takes it", () => {
    const tap = new MemoryTap({ frames: 2 });
    const side = new Side();
    for (let i = 0; i < 3; i++) side.put(Uint8Array.from([...VNET, ...packet(i)]), { at: VNET_AT });
    expect(tap.writeBatch(side.ready)).toBe(2);
    expect(tap.writeBatch(side.ready)).toBe(0);
    expect(side.ready.length).toBe(1);
    tap.take();
    expect(tap.writeBatch(side.ready)).toBe(1);
    expect(tap.writeBatch(side.ready)).toBe(0);
    expect(side.inUse).toBe(0);
  });

  it("goes to a receiver at once, and what waited before it", () => {
    const tap = new MemoryTap({ frames: 1 });
    const side = new Side();
    const got: WrittenFrame[] = [];
    for (let i = 0; i < 5; i++) side.put(Uint8Array.from([...VNET, ...packet(i)]), { at: VNET_AT });
    expect(tap.writeBatch(side.ready)).toBe(1);
    tap.onFrame((written) => got.push(written));
    while (side.ready.length > 0) expect(tap.writeBatch(side.ready)).toBeGreaterThan(0);
    expect(got.map(({ frame }) => serialOf(frame))).toEqual([0, 1, 2, 3, 4]);
  });

  it("is refused, and stays, when it is no frame: EINVAL, EMSGSIZE", () => {
    const tap = new MemoryTap({ frameBytes: 200 });
    const side = new Side();
    side.put(Uint8Array.from([...VNET, ...packet(1)]), { at: VNET_AT });
    side.put(new Uint8Array(VNET_LENGTH + 13), { at: VNET_AT });
    expect(tap.writeBatch(side.ready)).toBe(1);
    expect(tap.writeBatch(side.ready)).toBe(-22);
    expect(side.ready.length).toBe(1);
    side.ready.complete(1);
    side.put(new Uint8Array(500), { at: VNET_AT });
    expect(tap.writeBatch(side.ready)).toBe(-90);
    side.ready.complete(1);
    expect(side.inUse).toBe(0);
  });
});

describe("MemoryTap: the event loop", () => {
  it("wakes who wants to read as long as something is there, and not before the next turn", async () => {
    const tap = new MemoryTap();
    let woken = 0;
    tap.setWake(() => woken++);
    tap.inject(packet(1));
    await turns(3);
    expect(woken).toBe(0); // nobody has said what to wait for
    tap.setInterest(true, false);
    expect(woken).toBe(0);
    await turns(3);
    expect(woken).toBeGreaterThan(1);
    tap.readBatch(new Side().filled, 8);
    await turns(2);
    const before = woken;
    await turns(5);
    expect(woken).toBe(before);
    tap.inject(packet(2));
    await turns(2);
    expect(woken).toBeGreaterThan(before);
  });

  it("wakes who wants to write when the pod has taken something", async () => {
    const tap = new MemoryTap({ frames: 1 });
    const side = new Side();
    let woken = 0;
    tap.setWake(() => woken++);
    side.put(Uint8Array.from([...VNET, ...packet(1)]), { at: VNET_AT });
    tap.writeBatch(side.ready);
    tap.setInterest(false, true);
    await turns(5);
    expect(woken).toBe(0);
    tap.take();
    await turns(2);
    expect(woken).toBeGreaterThan(0);
    tap.setWake(null);
    await turns(1);
    const before = woken;
    await turns(5);
    expect(woken).toBe(before);
  });

  it("does nothing any more once it is closed", async () => {
    const tap = new MemoryTap();
    let woken = 0;
    tap.setWake(() => woken++);
    tap.setInterest(true, true);
    tap.inject(packet(1));
    tap.close();
    tap.close();
    await turns(3);
    expect(woken).toBe(0);
    expect(tap.inject(packet(2))).toBe(false);
    const side = new Side();
    expect(tap.readBatch(side.filled, 8)).toBe(-9);
    expect(tap.writeBatch(side.ready)).toBe(-9);
    expect(tap.fd).toBe(-1);
  });
});
