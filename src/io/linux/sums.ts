/** `SumRanges` in C, by the widest registers this machine has. */
import type { SumRanges } from "../../dataplane/sums.ts";
import { loadShim } from "./shim.ts";

export function nativeSums(): SumRanges {
  const shim = loadShim();
  return (bytes, ranges, count) => shim.sumRanges(bytes, ranges, count);
}
