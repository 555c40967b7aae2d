/** Sums in C against those in TypeScript: every length around the widths of registers, every alignment. */
import { describe, expect, it } from "vitest";
import { sumRanges } from "../../../src/dataplane/sums.ts";
import { native } from "../../../src/io/linux/sums.ts";

const { sums, misalignment } = native();

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
