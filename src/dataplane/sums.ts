/**
 * What the native side can do better for a dataplane; without it, this file's TypeScript does.
 *
 * Ones-complement sums of many pieces of the arena at once: the payloads of the segments of a super-frame, which are
 * copied on the way, or the packets that are about to become one. It is the one arithmetic over payload bytes that may
 * live in C, in one native call for all pieces (`io/linux/sums.ts`); this is the same in TypeScript.
 */
import { fold, sum } from "../wire/checksum.ts";

/** Words of a range: offset and length. */
export const RANGE_WORDS = 2;

/**
 * Sums pieces of `bytes`.
 * @param ranges (offset, length) after (offset, length), `count` of them; each offset becomes the sum, in 16 bits
 */
export type SumRanges = (bytes: Uint8Array, ranges: Int32Array, count: number) => void;

export const sumRanges: SumRanges = (bytes, ranges, count) => {
  for (let i = 0; i < count * RANGE_WORDS; i += RANGE_WORDS) {
    ranges[i] = fold(sum(bytes, ranges[i]!, ranges[i + 1]!));
  }
};

/** Words of a job of `CopyPieces`: where the header is and its length, where the bytes are and how many, how many go into a piece, where to. */
export const JOB_WORDS = 6;

/**
 * Copies bytes in pieces, a copy of one header before each: header, piece, header, piece …, without gaps. The last piece
 * may be shorter. A copy that sums costs hardly more than the sum alone, and one run of bytes is sent faster than one that
 * the kernel has to gather (`bench/NOTES.md`).
 * @param job header, its length, from, total, size, to
 * @param sums becomes the sum of each piece, without its header, in 16 bits
 */
export type CopyPieces = (bytes: Uint8Array, job: Int32Array, sums: Int32Array) => void;

export const copyPieces: CopyPieces = (bytes, job, sums) => {
  const header = job[0]!;
  const headerLength = job[1]!;
  const from = job[2]!;
  const total = job[3]!;
  const size = job[4]!;
  let at = job[5]!;
  for (let i = 0; i * size < total; i++) {
    const piece = from + i * size;
    const length = Math.min(size, total - i * size);
    bytes.copyWithin(at, header, header + headerLength);
    bytes.copyWithin(at + headerLength, piece, piece + length);
    sums[i] = fold(sum(bytes, piece, length));
    at += headerLength + length;
  }
};

/** What a dataplane may be given by the machine it runs on. */
export interface Native {
  readonly sums: SumRanges;
  readonly pieces: CopyPieces;
  /** How many bytes the memory of `bytes` starts above a multiple of 64, a cache line. */
  misalignment(bytes: Uint8Array): number;
}

/** Any machine. */
export const PORTABLE: Native = { sums: sumRanges, pieces: copyPieces, misalignment: () => 0 };
