import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADDRESS_BYTES, sockaddrPort, writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { VtepTable } from "../../src/fdb/vteps.ts";
import { fromHex, hex } from "../../src/wire/bytes.ts";
import { VtepOracle } from "./oracle.ts";

const V4 = Uint8Array.of(172, 19, 0, 3);
const V6 = fromHex("fd00 0000 0000 0000 0000 0000 0000 0003");

function from(address: Uint8Array, port = 40_000): Uint8Array {
  const row = new Uint8Array(ADDRESS_BYTES).fill(0xa5);
  writeSockaddr(row, 0, address, port);
  return row;
}

describe("VtepTable", () => {
  it("keeps sockaddrs as the kernel wants them", () => {
    const vteps = new VtepTable();
    const v4 = vteps.acquire(V4, 8472);
    const v6 = vteps.acquire(V6, 4789);
    const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
    expect(hex(vteps.slab, v4 * 28, 28)).toBe(`${little ? "0200" : "0002"}2118ac130003${"00".repeat(20)}`);
    expect(hex(vteps.slab, v6 * 28, 28)).toBe(
      `${little ? "0a00" : "000a"}12b500000000${hex(V6)}${"00".repeat(4)}`,
    );
    expect(vteps.describe(v4)).toEqual({ address: "172.19.0.3", port: 8472, references: 1 });
    expect(vteps.describe(v6)).toEqual({ address: "fd00::3", port: 4789, references: 1 });
  });

  it("writes a flow label into IPv6 addresses, which are found without it", () => {
    const vteps = new VtepTable(undefined, 0xabcde);
    const [v4, v6] = [vteps.acquire(V4, 8472), vteps.acquire(V6, 8472)];
    expect(hex(vteps.slab, v6 * 28 + 4, 4)).toBe("000abcde");
    expect(hex(vteps.slab, v4 * 28 + 8, 8)).toBe("00".repeat(8));
    expect(vteps.acquire(V6, 8472)).toBe(v6);
    expect(vteps.findByAddress(from(V6), 0)).toBe(v6);
  });

  it("gives one address and port one index, and counts who refers to it", () => {
    const vteps = new VtepTable();
    const index = vteps.acquire(V4, 8472);
    expect(vteps.acquire(V4, 8472)).toBe(index);
    expect(vteps.size).toBe(1);
    vteps.release(index);
    expect(vteps.findByAddress(from(V4), 0)).toBe(index);
    vteps.release(index);
    expect(vteps.findByAddress(from(V4), 0)).toBe(-1);
    expect(vteps.size).toBe(0);
    expect(vteps.slab.every((byte) => byte === 0)).toBe(true);
    expect(() => vteps.release(index)).toThrow(RangeError);
    expect(() => vteps.describe(index)).toThrow(RangeError);
  });

  it("finds a sender by its address, whatever its port", () => {
    const vteps = new VtepTable();
    const a = vteps.acquire(V4, 8472);
    const b = vteps.acquire(V4, 4789);
    const c = vteps.acquire(V6, 8472);
    expect(b).not.toBe(a);
    expect([a, b]).toContain(vteps.findByAddress(from(V4, 1), 0));
    vteps.release(a);
    expect(vteps.findByAddress(from(V4, 65535), 0)).toBe(b);
    expect(vteps.findByAddress(from(V6, 50_000), 0)).toBe(c);
    expect(vteps.findByAddress(from(Uint8Array.of(172, 19, 0, 4)), 0)).toBe(-1);
  });

  it("finds an IPv4 sender on a dual-stack socket", () => {
    const vteps = new VtepTable();
    const index = vteps.acquire(V4, 8472);
    const mapped = fromHex("0000 0000 0000 0000 0000 ffff ac13 0003");
    expect(vteps.findByAddress(from(mapped), 0)).toBe(index);
    const other = vteps.acquire(mapped, 8472);
    expect(other).not.toBe(index);
    expect(vteps.describe(other).address).toBe("::ffff:172.19.0.3");
  });

  it("takes no row for a sender that has no address family", () => {
    const vteps = new VtepTable();
    vteps.acquire(Uint8Array.of(0, 0, 0, 0), 1);
    vteps.acquire(new Uint8Array(16), 1);
    expect(vteps.findByAddress(new Uint8Array(ADDRESS_BYTES), 0)).toBe(-1);
  });

  it("uses the index that has been free longest", () => {
    const vteps = new VtepTable();
    const [a, b, c] = [1, 2, 3].map((n) => vteps.acquire(Uint8Array.of(10, 0, 0, n), 8472));
    vteps.release(b!);
    vteps.release(a!);
    expect(vteps.acquire(Uint8Array.of(10, 0, 0, 4), 8472)).toBe(b);
    expect(vteps.acquire(Uint8Array.of(10, 0, 0, 5), 8472)).toBe(a);
    expect(vteps.findByAddress(from(Uint8Array.of(10, 0, 0, 3)), 0)).toBe(c);
  });

  it("lists the indices in use", () => {
    const vteps = new VtepTable();
    const [a, b, c] = [1, 2, 3].map((n) => vteps.acquire(Uint8Array.of(10, 0, 0, n), 8472));
    vteps.release(b!);
    expect(vteps.indices()).toEqual([a, c]);
  });

  it("keeps its indices when it grows", () => {
    const vteps = new VtepTable();
    const small = vteps.slab;
    const address = (i: number) => Uint8Array.of(10, i >> 16, i >> 8, i);
    const indices = Array.from({ length: 3000 }, (_, i) => vteps.acquire(address(i), 1 + i));
    expect(new Set(indices).size).toBe(3000);
    expect(vteps.slab).not.toBe(small);
    for (let i = 0; i < 3000; i++) {
      expect(vteps.findByAddress(from(address(i)), 0)).toBe(indices[i]);
      expect(sockaddrPort(vteps.slab, indices[i]! * ADDRESS_BYTES)).toBe(1 + i);
    }
  });

  it.each([
    [Uint8Array.of(1, 2, 3), 8472],
    [V4, 0],
    [V4, 65536],
    [V4, 1.5],
  ])("refuses %s port %s", (address, port) => {
    const vteps = new VtepTable();
    expect(() => vteps.acquire(address, port)).toThrow(RangeError);
    expect(vteps.size).toBe(0);
  });

  it("agrees with a Map over any sequence of changes", () => {
    const address = fc.oneof(
      fc.nat(30).map((n) => Uint8Array.of(10, 0, 0, n)),
      fc.nat(30).map((n) => Uint8Array.of(...V6.subarray(0, 15), n)),
    );
    const step = fc.record({ address, port: fc.constantFrom(4789, 8472), drop: fc.option(fc.nat()) });
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 200 }), (seed, steps) => {
        const vteps = new VtepTable(seed);
        const oracle = new VtepOracle();
        for (const { address, port, drop } of steps) {
          const held = [...oracle.held.keys()];
          if (drop !== null && held.length > 0) {
            const index = held[drop % held.length]!;
            vteps.release(index);
            oracle.release(index);
          } else {
            oracle.acquire(vteps.acquire(address, port), address, port);
          }
        }
        expect(vteps.size).toBe(oracle.held.size);
        for (const { address } of steps) {
          const allowed = oracle.find(address);
          expect(allowed.length > 0 ? allowed : [-1]).toContain(vteps.findByAddress(from(address), 0));
        }
        for (const [index, { address, port, references }] of oracle.held) {
          expect(vteps.describe(index).references).toBe(references);
          const row = from(Uint8Array.from(address.split("."), Number), port);
          expect(vteps.slab.subarray(index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES)).toEqual(row);
        }
      }),
      { numRuns: 300 },
    );
  });
});
