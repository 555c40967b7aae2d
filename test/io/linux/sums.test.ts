/** Sums and copies in C against those in TypeScript: every length around the widths of registers, every alignment. */
import { describe, expect, it } from "vitest";
import { copyPieces, sumRanges } from "../../../src/dataplane/sums.ts";
import { native } from "../../../src/io/linux/sums.ts";

const { sums, pieces, misalignment } = native();

function both(bytes: Uint8Array, pieces: readonly (readonly [number, number])[]): [Int32Array, Int32Array] {
  const inC = Int32Array.from(pieces.flat());
  const inTypeScript = inC.slice();
  sums(bytes, inC, pieces.length);
  sumRanges(bytes, inTypeScript, pieces.length);
  return [inC, inTypeScript];
}

describe("sums of ranges", () => {
  it("are the same in C and in TypeScript, whatever the length and alignment", () => {
    const bytes = new Uint8Array(70_000).map((_, i) => (i * 2654435761) >>> 13);
    const pieces: [number, number][] = [];
    for (let at = 0; at < 67; at++) for (let length = 0; length < 300; length++) pieces.push([at, length]);
    for (const length of [1398, 1399, 1448, 4095, 65_483, 65_535]) pieces.push([1, length], [32, length]);
    const [inC, inTypeScript] = both(bytes, pieces);
    expect(inC).toEqual(inTypeScript);
  });

  it("lose no carry: 64 KB of ones", () => {
    const [inC, inTypeScript] = both(new Uint8Array(70_000).fill(0xff), [
      [3, 65_535],
      [0, 65_536],
      [0, 2],
    ]);
    expect(inC).toEqual(inTypeScript);
  });

  it("are refused outside the arena", () => {
    const arena = new Uint8Array(100);
    const bad: [number, number][] = [
      [-1, 10],
      [0, 101],
      [50, 51],
      [0, -1],
      [0x7fffffff, 0x7fffffff],
    ];
    for (const range of bad) expect(() => sums(arena, Int32Array.from(range), 1)).toThrow(RangeError);
    expect(() => sums(arena, new Int32Array(2), 2)).toThrow(RangeError);
    expect(() => sums(arena, new Int32Array(2), -1)).toThrow(RangeError);
  });

  it("knows where memory lies", () => {
    const buffer = new ArrayBuffer(4096);
    const at = misalignment(new Uint8Array(buffer));
    for (let i = 0; i < 130; i++) expect(misalignment(new Uint8Array(buffer, i))).toBe((at + i) % 64);
  });
});

describe("copies in pieces", () => {
  const filled = (): Uint8Array => new Uint8Array(200_000).map((_, i) => (i * 2654435761) >>> 11);

  it("are the same in C and in TypeScript, bytes and sums, whatever the lengths and alignment", () => {
    for (let size = 1; size < 300; size += 7) {
      for (const [header, length, from, total, to] of [
        [0, 74, 300, 2 * size + 1, 100_000],
        [3, 66, 101, 900, 100_005],
        [5, 0, 1001, 64, 100_031],
        [199_900, 100, 150_001, 1, 2],
      ] as const) {
        const job = Int32Array.of(header, length, from, total, size, to);
        const [inC, inTypeScript] = [filled(), filled()];
        const [sumsInC, sumsInTypeScript] = [new Int32Array(1000), new Int32Array(1000)];
        pieces(inC, job, sumsInC);
        copyPieces(inTypeScript, job, sumsInTypeScript);
        expect(Buffer.compare(inC, inTypeScript)).toBe(0);
        expect(sumsInC).toEqual(sumsInTypeScript);
      }
    }
  });

  it("are refused outside the arena, over what they are made of, and without room for their sums", () => {
    const arena = new Uint8Array(1000);
    const good = [0, 10, 100, 50, 10, 500];
    const bad: [number, number][] = [
      [0, -1],
      [0, 995],
      [0, 495], // the header where the pieces go
      [1, -1],
      [2, -1],
      [2, 980],
      [2, 460], // the payload's end there
      [2, 590], // its beginning
      [3, 0],
      [3, 0x7fffffff],
      [4, 0],
      [4, -1],
      [5, 901],
      [5, -1],
      [5, 0x7fffffff],
    ];
    const sumsOf = new Int32Array(5);
    pieces(arena, Int32Array.from(good), sumsOf);
    for (const [word, value] of bad) {
      const job = Int32Array.from(good);
      job[word] = value;
      expect(() => pieces(arena, job, sumsOf), `word ${word}: ${value}`).toThrow(RangeError);
    }
    expect(() => pieces(arena, Int32Array.from(good), new Int32Array(4))).toThrow(RangeError);
    expect(() => pieces(arena, Int32Array.from(good.slice(1)), sumsOf)).toThrow(RangeError);
  });
});
