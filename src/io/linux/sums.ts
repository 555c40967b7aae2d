/** What the shim does for a dataplane: sums by the widest registers this machine has. */
import type { Native } from "../../dataplane/sums.ts";
import { loadShim } from "./shim.ts";

export function native(): Native {
  const shim = loadShim();
  return {
    sums: (bytes, ranges, count) => shim.sumRanges(bytes, ranges, count),
    pieces: (bytes, job, sums) => shim.copyPieces(bytes, job, sums),
    misalignment: (bytes) => shim.misalignment(bytes),
  };
}
