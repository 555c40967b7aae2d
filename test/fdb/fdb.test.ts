import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fdb, PERMANENT } from "../../src/fdb/fdb.ts";
import { parseMac } from "../../src/wire/bytes.ts";
import { FdbOracle } from "./oracle.ts";

describe("Fdb", () => {
  it("finds what was added, and nothing else", () => {
    const fdb = new Fdb();
    const { hi, lo } = parseMac("8a:77:32:f0:01:02");
    expect(fdb.lookup(1, hi, lo)).toBe(-1);
    expect(fdb.add(1, hi, lo, 7)).toBe(true);
    expect(fdb.lookup(1, hi, lo)).toBe(7);
    expect(fdb.lookup(2, hi, lo)).toBe(-1);
    expect(fdb.lookup(1, hi ^ 1, lo)).toBe(-1);
    expect(fdb.lookup(1, hi, lo ^ 1)).toBe(-1);
    expect([...fdb.entries()]).toEqual([
      { vni: 1, hi, lo, vtep: 7, state: PERMANENT, used: 0, since: 0, moved: 0, moves: 0, lesson: 0 },
    ]);
  });

  it("tells apart add, replace and delete as `bridge fdb` does", () => {
    const fdb = new Fdb();
    expect(fdb.delete(1, 2, 3)).toBe(-1);
    expect(fdb.add(1, 2, 3, 4)).toBe(true);
    expect(fdb.add(1, 2, 3, 5)).toBe(false);
    expect(fdb.lookup(1, 2, 3)).toBe(4);
    expect(fdb.replace(1, 2, 3, 6)).toBe(4);
    expect(fdb.replace(1, 2, 4, 6)).toBe(-1);
    expect(fdb.size).toBe(2);
    expect(fdb.delete(1, 2, 3)).toBe(6);
    expect(fdb.lookup(1, 2, 3)).toBe(-1);
    expect(fdb.size).toBe(1);
  });

  it("knows the key that is all zero from a free row", () => {
    const fdb = new Fdb();
    expect(fdb.lookup(0, 0, 0)).toBe(-1);
    expect(fdb.delete(0, 0, 0)).toBe(-1);
    expect(fdb.add(0, 0, 0, 0)).toBe(true);
    expect(fdb.lookup(0, 0, 0)).toBe(0);
    expect(fdb.delete(0, 0, 0)).toBe(0);
    expect(fdb.lookup(0, 0, 0)).toBe(-1);
  });

  it.each([
    ["VNI", 1 << 24, 0, 0, 0],
    ["VNI", -1, 0, 0, 0],
    ["MAC", 1, 0x10000, 0, 0],
    ["MAC", 1, 0, 0xffffffff, 0],
    ["MAC", 1, 0, 0.5, 0],
    ["VTEP", 1, 0, 0, -1],
    ["VTEP", 1, 0, 0, Number.NaN],
  ])("refuses a %s out of range", (word, vni, hi, lo, vtep) => {
    const fdb = new Fdb();
    expect(() => fdb.add(vni, hi, lo, vtep)).toThrow(RangeError);
    expect(() => fdb.replace(vni, hi, lo, vtep)).toThrow(word);
    expect(fdb.size).toBe(0);
  });

  it("agrees with a Map over any sequence of changes", () => {
    // Few different keys, so that changes meet each other; the corners of each part are among them.
    const key = fc.tuple(
      fc.constantFrom(0, 1, 0xffffff),
      fc.constantFrom(0, 0x8a77, 0xffff),
      fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(-1, 0x7fffffff, -0x80000000)),
    );
    const step = fc.record({
      op: fc.constantFrom("add", "replace", "delete"),
      key,
      vtep: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 300 }), (seed, steps) => {
        const fdb = new Fdb(seed);
        const oracle = new FdbOracle();
        for (const { op, key, vtep } of steps) {
          if (op === "add") expect(fdb.add(...key, vtep)).toBe(oracle.add(...key, vtep));
          else if (op === "replace") expect(fdb.replace(...key, vtep)).toBe(oracle.replace(...key, vtep));
          else expect(fdb.delete(...key)).toBe(oracle.delete(...key));
        }
        for (const { key } of steps) expect(fdb.lookup(...key)).toBe(oracle.lookup(...key));
        expectSameRows(fdb, oracle);
      }),
      { numRuns: 300 },
    );
  });

  it("loses nothing when it grows", () => {
    const fdb = new Fdb();
    for (let i = 0; i < 5000; i++) fdb.add(1, i & 7, i, i);
    for (let i = 0; i < 5000; i++) expect(fdb.lookup(1, i & 7, i)).toBe(i);
    expect(fdb.size).toBe(5000);
    expect([...fdb.entries()].length).toBe(5000);
  });
});

describe("Fdb: prefetch", () => {
  it("is for tables that no cache of a CPU core holds", () => {
    const fdb = new Fdb();
    for (let i = 0; i < 10_000; i++) fdb.add(1, 0, i, i);
    expect(fdb.large).toBe(false);
    for (let i = 10_000; i < 100_000; i++) fdb.add(1, 0, i, i);
    expect(fdb.large).toBe(true);
  });

  it("changes nothing, however many keys it is given, in the table or not", () => {
    const fdb = new Fdb(1);
    for (let i = 0; i < 100; i++) fdb.add(1, 0, i, i);
    const before = [...fdb.entries()];
    for (const keys of [0, 1, 64, 65, 1000]) {
      for (let i = 0; i < keys; i++) fdb.expect(1, 0, i);
      fdb.prefetch();
      expect([...fdb.entries()]).toEqual(before);
    }
  });
});

/** MACs as they come in practice, and as somebody would choose them who wants them to collide. */
const PATTERNS: Record<string, (i: number) => { hi: number; lo: number }> = {
  "numbered from one vendor's prefix": (i) => ({ hi: 0x0242, lo: (0xac110000 + i) | 0 }),
  "numbered in the high bits": (i) => ({ hi: 0x0242, lo: i << 18 }),
  "multiples of 4096": (i) => ({ hi: 0x0242, lo: Math.imul(i, 4096) }),
  "numbered in the first bytes": (i) => ({ hi: (i << 2) & 0xffff, lo: 1 }),
  "equal halves": (i) => ({ hi: i, lo: (i << 16) | i }),
  "one bit apart from each other": (i) => ({ hi: i >>> 6, lo: 1 << (i & 31) }),
};

describe("Fdb: how rows are spread", () => {
  it("takes no more probes for 10,000 rows than for 10", () => {
    const pattern = PATTERNS["numbered from one vendor's prefix"]!;
    const means: Record<number, number> = {};
    for (const n of [10, 10_000]) {
      const tables = Array.from({ length: 50 }, (_, seed) => filled(n, pattern, seed).probes());
      means[n] = tables.reduce((sum, { mean }) => sum + mean, 0) / tables.length;
      for (const { size, longest } of tables) {
        expect(size).toBe(n);
        expect(longest).toBeLessThan(25);
      }
    }
    expect(means[10_000]).toBeLessThan(means[10]! + 0.1);
  });

  it("takes the probes that theory says", () => {
    // Knuth, The Art of Computer Programming, volume 3, section 6.4: linear probing at load a takes
    // (1 + 1 / (1 − a)) / 2 probes for a hit and (1 + 1 / (1 − a)²) / 2 for a miss.
    for (let seed = 0; seed < 20; seed++) {
      const { mean, missMean } = filled(
        10_000,
        PATTERNS["numbered from one vendor's prefix"]!,
        seed,
      ).probes();
      expect(mean).toBeGreaterThan(1.17);
      expect(mean).toBeLessThan(1.27);
      expect(missMean).toBeGreaterThan(1.45);
      expect(missMean).toBeLessThan(1.65);
    }
  });

  it.each(Object.entries(PATTERNS))("does not let MACs cluster that are %s", (_, pattern) => {
    for (let seed = 0; seed < 20; seed++) {
      const { mean, longest, size, capacity } = filled(8000, pattern, seed).probes();
      const load = size / capacity;
      expect(mean).toBeLessThan((1 + 1 / (1 - load)) * 0.5 + 0.1);
      expect(longest).toBeLessThan(60);
    }
  });

  it("is as good as new after many changes", () => {
    const fdb = new Fdb(1);
    for (let i = 0; i < 50_000; i++) {
      fdb.add(1, 2, i, 0);
      if (i >= 500) fdb.delete(1, 2, i - 500);
    }
    const { size, capacity, mean, missMean } = fdb.probes();
    expect(size).toBe(500);
    expect(capacity).toBe(1024);
    expect(mean).toBeLessThan(1.8);
    expect(missMean).toBeLessThan(3.2);
    for (let i = 49_500; i < 50_000; i++) expect(fdb.delete(1, 2, i)).toBe(0);
    expect(fdb.probes()).toEqual({ size: 0, capacity: 1024, mean: 0, longest: 0, missMean: 1 });
  });

  it("spreads one and the same key differently in each table", () => {
    const orders = new Set<string>();
    for (let n = 0; n < 8; n++) {
      const fdb = new Fdb();
      for (let i = 0; i < 64; i++) fdb.add(1, 2, i, 0);
      orders.add([...fdb.entries()].map((row) => row.lo).join());
    }
    expect(orders.size).toBe(8);
  });
});

function filled(n: number, pattern: (i: number) => { hi: number; lo: number }, seed: number): Fdb {
  const fdb = new Fdb(seed);
  for (let i = 0; i < n; i++) {
    const { hi, lo } = pattern(i);
    fdb.add(1, hi, lo, i);
  }
  return fdb;
}

function expectSameRows(fdb: Fdb, oracle: FdbOracle): void {
  const rows = new Map([...fdb.entries()].map((row) => [FdbOracle.key(row.vni, row.hi, row.lo), row.vtep]));
  expect(rows).toEqual(oracle.rows);
  expect(fdb.size).toBe(oracle.rows.size);
}
