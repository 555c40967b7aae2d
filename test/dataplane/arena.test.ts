import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Arena,
  alignUp,
  FRAME_AT,
  nextPowerOfTwo,
  VNET_AT,
  VNET_LENGTH,
  VXLAN_AT,
} from "../../src/dataplane/arena.ts";
import { VXLAN_LENGTH } from "../../src/wire/vxlan.ts";

describe("Arena", () => {
  it("has both headers end where the frame starts, on a 16-byte boundary", () => {
    expect(VNET_AT + VNET_LENGTH).toBe(FRAME_AT);
    expect(VXLAN_AT + VXLAN_LENGTH).toBe(FRAME_AT);
    expect(FRAME_AT % 16).toBe(0);
  });

  it("cuts pieces that neither overlap nor leave the buffer", () => {
    const piece = fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const arena = new Arena(100_000);
        const taken: [from: number, to: number][] = [];
        for (const [bytes, count] of pieces) {
          try {
            const pool = arena.carvePool(bytes + 1, count);
            expect(pool.slotSize % 64).toBe(0);
            expect(pool.slotSize).toBeGreaterThan(bytes);
            for (let slot = pool.take(); slot >= 0; slot = pool.take())
              taken.push([slot, slot + pool.slotSize]);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
        taken.sort((a, b) => a[0] - b[0]);
        for (const [i, [from, to]] of taken.entries()) {
          expect(from % 64).toBe(0);
          expect(to).toBeLessThanOrEqual(taken[i + 1]?.[0] ?? arena.bytes.length);
        }
      }),
    );
  });

  it("says how much was asked for when it is full", () => {
    const arena = new Arena(128);
    expect(arena.reserve(65)).toBe(0);
    expect(() => arena.reserve(1)).toThrow("arena of 128 bytes is full: 128 used, 1 more asked for");
  });
});

describe("SlotPool", () => {
  it("hands out each slot once, and says when there is none left", () => {
    const pool = new Arena(64 * 5).carvePool(64, 5);
    const slots = Array.from({ length: 5 }, () => pool.take());
    expect(new Set(slots)).toEqual(new Set([0, 64, 128, 192, 256]));
    expect(pool.free).toBe(0);
    expect(pool.take()).toBe(-1);
    expect(pool.free).toBe(0);
    pool.release(128);
    expect(pool.free).toBe(1);
    expect(pool.take()).toBe(128);
  });

  it("never has a slot out twice, whatever the order of giving back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat()), (count, steps) => {
        const pool = new Arena(64 * count).carvePool(1, count);
        const out: number[] = [];
        for (const step of steps) {
          if (step % 2 === 0) {
            const slot = pool.take();
            expect(slot < 0).toBe(out.length === count);
            expect(out).not.toContain(slot);
            if (slot >= 0) out.push(slot);
          } else if (out.length > 0) {
            pool.release(out.splice(step % out.length, 1)[0]!);
          }
          expect(pool.free).toBe(count - out.length);
        }
      }),
    );
  });
});

describe("sizes", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [64, 64],
    [65, 128],
  ])("nextPowerOfTwo(%i) is %i", (n, power) => expect(nextPowerOfTwo(n)).toBe(power));

  it.each([
    [0, 0],
    [1, 64],
    [64, 64],
    [65, 128],
  ])("alignUp(%i, 64) is %i", (n, aligned) => expect(alignUp(n, 64)).toBe(aligned));
});
