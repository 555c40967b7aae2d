/**
 * Ranges of addresses of which none overlaps another, in order: whether one more does is a binary search. Of thousands of
 * leases each is compared with all others.
 */
import type { Cidr } from "./address.ts";

/** One of them, and whose it is. */
export interface OwnedRange {
  readonly range: Cidr;
  readonly owner: string;
}

export class Ranges {
  readonly #sorted: Record<4 | 6, OwnedRange[]> = { 4: [], 6: [] };

  /** @returns one that has an address in common with `range`, or null */
  overlapping(range: Cidr): OwnedRange | null {
    const sorted = this.#sorted[range.family];
    const at = firstBehind(sorted, range.first);
    // They do not overlap each other: of those that begin before it only the last can reach into it.
    const before = sorted[at - 1];
    if (before !== undefined && before.range.last >= range.first) return before;
    const behind = sorted[at];
    return behind !== undefined && behind.range.first <= range.last ? behind : null;
  }

  /** @param range which overlaps with none */
  add(range: Cidr, owner: string): void {
    const sorted = this.#sorted[range.family];
    sorted.splice(firstBehind(sorted, range.first), 0, { range, owner });
  }
}

/** @returns where the ranges begin that begin behind `value` */
function firstBehind(sorted: readonly OwnedRange[], value: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.range.first > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
