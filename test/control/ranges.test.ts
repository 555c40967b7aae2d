import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cidr, cidrsOverlap, parseCidr } from "../../src/control/address.ts";
import { Ranges } from "../../src/control/ranges.ts";

const cidr = fc
  .tuple(fc.constantFrom(4, 6), fc.nat(255), fc.integer({ min: 0, max: 8 }))
  .map(([family, n, bits]) =>
    parseCidr(family === 4 ? `10.244.${n}.0/${24 - bits}` : `fd00:10:244:${n.toString(16)}::/${64 - bits}`),
  );

describe("Ranges", () => {
  it("finds an overlap where comparing with each of them finds one", () => {
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 40 }), (cidrs) => {
        const ranges = new Ranges();
        const kept: Cidr[] = [];
        for (const one of cidrs) {
          const found = ranges.overlapping(one);
          const expected = kept.filter((other) => cidrsOverlap(other, one));
          if (found === null) expect(expected).toEqual([]);
          else expect(expected.map(({ text }) => text)).toContain(found.owner);
          if (found !== null) continue;
          ranges.add(one, one.text);
          kept.push(one);
        }
      }),
    );
  });
});
