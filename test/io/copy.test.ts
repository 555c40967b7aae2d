import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyBytes, viewsOf } from "../../src/io/copy.ts";

describe("copyBytes", () => {
  it("copies what Uint8Array.set copies, whatever the alignment, and nothing around it", () => {
    const place = fc.nat(70);
    fc.assert(
      fc.property(
        place,
        place,
        fc.nat(50),
        fc.nat(7),
        fc.nat(7),
        (fromAt, toAt, length, shift, otherShift) => {
          const from = Uint8Array.from({ length: 128 }, (_, i) => i + 1).subarray(shift);
          const to = new Uint8Array(128).fill(0xa5).subarray(otherShift);
          const expected = to.slice();
          expected.set(from.subarray(fromAt, fromAt + length), toAt);
          copyBytes(viewsOf(from), fromAt, viewsOf(to), toAt, length);
          expect(to).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("makes one view per array", () => {
    const bytes = new Uint8Array(8);
    expect(viewsOf(bytes)).toBe(viewsOf(bytes));
  });
});
