/** Which pairs of nodes the stress tests put on either side of the relay. */
import { OFFLOAD_NAMES, type OffloadName } from "../../../src/dataplane/offloads.ts";
import type { PairOptions } from "./pair.ts";

/** The offloads that are off; "none": all are on. */
type Off = "none" | "all" | OffloadName;

export interface Combination {
  readonly off: Off;
  readonly peer: PairOptions["peer"];
  readonly outer: 4 | 6;
}

function combination(off: Off, peer: PairOptions["peer"], outer: 4 | 6): Combination {
  return { off, peer, outer };
}

/** A few that differ in everything, for every run of the tests. */
export const SOME: readonly Combination[] = [
  combination("none", "poplin", 4),
  combination("none", "kernel on a wire", 6),
  combination("none", "kernel on a veth", 4),
  combination("all", "poplin", 6),
];

/** Everything: all on and all off with every peer over both families, and each offload missing by itself. */
export const EVERY: readonly Combination[] = [
  ...(["none", "all"] as const).flatMap((off) =>
    (["poplin", "kernel on a wire", "kernel on a veth"] as const).flatMap((peer) =>
      ([4, 6] as const).map((outer) => combination(off, peer, outer)),
    ),
  ),
  ...OFFLOAD_NAMES.flatMap((off, i) => [
    combination(off, "poplin", i % 2 === 0 ? 4 : 6),
    combination(off, "kernel on a wire", i % 2 === 0 ? 6 : 4),
  ]),
];

export function titleOf({ off, peer, outer }: Combination): string {
  const offloads = off === "none" ? "every offload on" : off === "all" ? "no offload" : `${off} off`;
  return `${offloads}, poplin and ${peer} over IPv${outer}`;
}

/** The part of a node's configuration that makes it so. */
export function configOf({ off }: Combination): Record<string, unknown> {
  return off === "none" ? {} : { offload: [`${off}=off`] };
}
