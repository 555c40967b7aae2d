import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, putU16, u16 } from "../../src/wire/bytes.ts";
import {
  checksum,
  fold,
  pseudoSumV4,
  pseudoSumV6,
  sum,
  udpChecksum,
  updateChecksum,
} from "../../src/wire/checksum.ts";

/** The oracle: one 16-bit word at a time, in the words of RFC 1071 section 1, on BigInt so that nothing overflows. */
function naiveFold(bytes: Iterable<number>, initial = 0n): number {
  const all = [...bytes];
  if (all.length % 2 === 1) all.push(0);
  let total = initial;
  for (let i = 0; i < all.length; i += 2) total += BigInt(all[i]! * 256 + all[i + 1]!);
  while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n);
  return Number(total);
}

/** Bytes somewhere in a larger buffer of noise, at any alignment, in a view that may itself be offset. */
const placed = (maxLength: number) =>
  fc
    .record({
      data: fc.oneof(
        fc.uint8Array({ maxLength }),
        fc.integer({ min: 0, max: maxLength }).map((n) => new Uint8Array(n)),
        fc.integer({ min: 0, max: maxLength }).map((n) => new Uint8Array(n).fill(0xff)),
      ),
      before: fc.integer({ min: 0, max: 9 }),
      viewAt: fc.integer({ min: 0, max: 9 }),
      after: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ data, before, viewAt, after }) => {
      const buffer = new ArrayBuffer(viewAt + before + data.length + after);
      new Uint8Array(buffer).fill(0xa5);
      const bytes = new Uint8Array(buffer, viewAt);
      bytes.set(data, before);
      return { data, bytes, at: before };
    });

describe("RFC 1071: sum and fold", () => {
  it("gives the example of section 3", () => {
    expect(fold(sum(fromHex("0001 f203 f4f5 f6f7"), 0, 8))).toBe(0xddf2);
  });

  it("agrees with the oracle at every alignment, odd lengths too", () => {
    fc.assert(
      fc.property(placed(400), ({ data, bytes, at }) => {
        expect(fold(sum(bytes, at, data.length))).toBe(naiveFold(data));
      }),
      { numRuns: 1000 },
    );
  });

  it("agrees with the oracle on 64 KB and more, where sums are largest", () => {
    for (const length of [65_535, 65_536, 131_072]) {
      for (const fill of [0xff, 0xfe, 0x01]) {
        for (const at of [0, 1, 2, 3]) {
          const bytes = new Uint8Array(length + 4).fill(fill);
          expect(fold(sum(bytes, at, length))).toBe(naiveFold(bytes.subarray(at, at + length)));
        }
      }
    }
  });

  it("goes on from an initial sum, and stays a small integer however often", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (pieces) => {
        const even = pieces.map((piece) => piece.subarray(0, piece.length & ~1));
        let total = 0;
        for (const piece of even) total = sum(piece, 0, piece.length, total);
        expect(total).toBeLessThan(2 ** 18);
        expect(fold(total)).toBe(naiveFold(even.flatMap((piece) => [...piece])));
      }),
    );
  });

  it("folds to 0 for zeros only: any other multiple of 0xffff is 0xffff", () => {
    expect(fold(sum(new Uint8Array(200), 0, 200))).toBe(0);
    expect(fold(sum(new Uint8Array(0), 0, 0))).toBe(0);
    expect(fold(sum(new Uint8Array(200).fill(0xff), 0, 200))).toBe(0xffff);
    expect(fold(sum(fromHex("fffe 0001"), 0, 4))).toBe(0xffff);
  });

  it("sees bytes that changed since the last call, and another buffer after the first", () => {
    const first = new Uint8Array(256);
    expect(fold(sum(first, 0, 256))).toBe(0);
    first[7] = 9;
    expect(fold(sum(first, 0, 256))).toBe(9);
    expect(fold(sum(new Uint8Array(256).fill(1), 0, 256))).toBe(naiveFold(new Uint8Array(256).fill(1)));
    expect(fold(sum(first, 0, 256))).toBe(9);
  });
});

describe("RFC 1071: checksum", () => {
  it("of bytes that carry theirs is 0", () => {
    fc.assert(
      fc.property(placed(1500), ({ data, bytes, at }) => {
        fc.pre(data.length >= 2);
        putU16(bytes, at, 0);
        putU16(bytes, at, checksum(bytes, at, data.length));
        expect(checksum(bytes, at, data.length)).toBe(0);
      }),
    );
  });

  it("gives the checksum of a known IPv4 header", () => {
    const header = fromHex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
    expect(checksum(header, 0, 20)).toBe(0xb861);
  });
});

describe("RFC 768: a computed 0 is sent as 0xffff", () => {
  it("and a receiver that sums finds it right", () => {
    const words = fromHex("fffe 0001 0000");
    expect(checksum(words, 0, 6)).toBe(0);
    expect(udpChecksum(words, 0, 6)).toBe(0xffff);
    putU16(words, 4, 0xffff);
    expect(checksum(words, 0, 6)).toBe(0);
  });

  it("leaves every other checksum alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const plain = checksum(bytes, 0, bytes.length);
        expect(udpChecksum(bytes, 0, bytes.length)).toBe(plain === 0 ? 0xffff : plain);
      }),
    );
  });
});

describe("pseudo-headers", () => {
  it("RFC 768: IPv4 sums addresses, protocol and length", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 65_535 }),
        (ip, protocol, length) => {
          const pseudo = [...ip.subarray(12, 20), 0, protocol, length >> 8, length & 0xff];
          expect(fold(pseudoSumV4(ip, 0, protocol, length))).toBe(naiveFold(pseudo));
        },
      ),
    );
  });

  it("RFC 8200 section 8.1: IPv6 sums addresses, a 32-bit length and the protocol", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 40, maxLength: 40 }),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 100_000 }),
        (ip, protocol, length) => {
          const lengthBytes = [0, length >> 16, (length >> 8) & 0xff, length & 0xff];
          const pseudo = [...ip.subarray(8, 40), ...lengthBytes, 0, 0, 0, protocol];
          expect(fold(pseudoSumV6(ip, 0, protocol, length))).toBe(naiveFold(pseudo));
        },
      ),
    );
  });
});

describe("RFC 1624: incremental update", () => {
  it("gives the example of section 4, which RFC 1141 gets wrong", () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it("gives what a new sum over the changed bytes gives", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 22, maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.oneof(fc.constantFrom(0, 0xffff), fc.integer({ min: 0, max: 0xffff })),
        (bytes, word, to) => {
          const length = bytes.length & ~1;
          bytes[2] = 0x45; // a header is never all zeros, where the two zeros of the arithmetic would differ
          putU16(bytes, 0, 0);
          putU16(bytes, 0, checksum(bytes, 0, length));
          if (word === 1) return;
          const from = u16(bytes, word * 2);
          const updated = updateChecksum(u16(bytes, 0), from, to);
          putU16(bytes, word * 2, to);
          putU16(bytes, 0, 0);
          expect(updated).toBe(checksum(bytes, 0, length));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("changes nothing when nothing changes, at both zeros", () => {
    for (const old of [0x0000, 0x0001, 0x1234, 0xfffe]) {
      for (const word of [0x0000, 0x4500, 0xffff]) expect(updateChecksum(old, word, word)).toBe(old);
    }
  });
});
