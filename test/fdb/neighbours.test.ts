/** The table of neighbours, held against a Map. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NeighbourTable } from "../../src/fdb/neighbours.ts";
import { formatIpv4, formatIpv6, formatMacKey } from "../../src/wire/bytes.ts";

const MAC = { hi: 0x0200, lo: 5 };
const V4 = Uint8Array.of(10, 0, 0, 5);
const MAPPED = Uint8Array.of(...new Array(10).fill(0), 0xff, 0xff, 10, 0, 0, 5);
/** The first four bytes of an IPv4 address, the rest zero. */
const ALIKE = Uint8Array.of(10, 0, 0, 5, ...new Array(12).fill(0));

describe("the table of neighbours", () => {
  it("finds an address in bytes, at any place of them", () => {
    const table = new NeighbourTable();
    table.replace(1, V4, MAC.hi, MAC.lo);
    const row = table.find(1, 4, Uint8Array.of(9, 9, 10, 0, 0, 5, 9), 2);
    expect([table.hi(row), table.lo(row)]).toEqual([MAC.hi, MAC.lo]);
    expect(table.find(1, 4, Uint8Array.of(10, 0, 0, 6), 0)).toBe(-1);
  });

  it("keeps VNIs and families apart", () => {
    const table = new NeighbourTable();
    table.replace(1, V4, MAC.hi, MAC.lo);
    expect(table.find(2, 4, V4, 0)).toBe(-1);
    for (const six of [MAPPED, ALIKE]) expect(table.find(1, 6, six, 0)).toBe(-1);
    table.replace(1, ALIKE, 0x0600, -1);
    expect(table.size).toBe(2);
    expect(table.lo(table.find(1, 4, V4, 0))).toBe(MAC.lo);
    expect(table.lo(table.find(1, 6, ALIKE, 0))).toBe(-1);
  });

  it("takes addresses of 4 and 16 bytes only", () => {
    expect(() => new NeighbourTable().replace(1, new Uint8Array(6), 0, 1)).toThrow(RangeError);
    expect(() => new NeighbourTable().delete(1, new Uint8Array(0))).toThrow(RangeError);
  });

  it("does as a Map does, whatever is added and deleted", () => {
    // Few different addresses, so that they are replaced and deleted often.
    const address = fc
      .tuple(fc.constantFrom(4, 16), fc.nat(40))
      .map(([length, n]) => Uint8Array.from({ length }, (_, i) => (i === length - 1 ? n : i < 4 ? 10 : 0)));
    const change = fc.record({
      del: fc.boolean(),
      vni: fc.constantFrom(1, 0xffffff),
      address,
      lo: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), fc.integer(), (changes, seed) => {
        const table = new NeighbourTable(seed);
        const model = new Map<string, string>();
        for (const { del, vni, address: bytes, lo } of changes) {
          const key = `${vni} ${bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0)}`;
          if (del) expect(table.delete(vni, bytes)).toBe(model.delete(key));
          else {
            table.replace(vni, bytes, 0xfe00, lo - 5);
            model.set(key, formatMacKey(0xfe00, lo - 5));
          }
          expect(table.size).toBe(model.size);
        }
        const rows = [...table.entries()].map((row): [string, string] => [
          `${row.vni} ${row.address}`,
          row.mac,
        ]);
        expect(rows.sort()).toEqual([...model].sort());
      }),
    );
  });
});
