/**
 * What the native side can do better for a dataplane; without it, this file's TypeScript does.
 *
 * Ones-complement sums of many pieces of the arena at once: the payloads of the segments of a super-frame, or the
 * packets that are about to become one. It is the one arithmetic over payload bytes that may live in C, in one native
 * call for all pieces (`io/linux/sums.ts`); this is the same in TypeScript.
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

/** What a dataplane may be given by the machine it runs on. */
export interface Native {
  readonly sums: SumRanges;
  /** How many bytes the memory of `bytes` starts above a multiple of 64, a cache line. */
  misalignment(bytes: Uint8Array): number;
}

/** Any machine. */
export const PORTABLE: Native = { sums: sumRanges, misalignment: () => 0 };
