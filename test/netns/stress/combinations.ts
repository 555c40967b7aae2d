/** Which pairs of nodes the stress tests put on either side of the relay. */
import {
  everyOffload,
  OFFLOAD_NAMES,
  type OffloadName,
  usualOffloads,
} from "../../../src/dataplane/offloads.ts";
import type { PairOptions } from "./pair.ts";

export interface Combination extends Omit<PairOptions, "config"> {
  /** The setting `offload`. */
  readonly offload: string;
}

function combination(offload: string, peer: PairOptions["peer"], outer: 4 | 6): Combination {
  return { offload, peer, outer };
}

const PEERS = ["poplin", "kernel on a wire", "kernel on a veth"] as const;
const FAMILIES = [4, 6] as const;
/** What is on where nobody says otherwise. */
const USUAL = "all=on,hairpin=off";

/** A few that differ in everything, for every run of the tests. */
export const SOME: readonly Combination[] = [
  combination(USUAL, "poplin", 4),
  combination(USUAL, "kernel on a wire", 6),
  combination(USUAL, "kernel on a veth", 4),
  combination("all=off", "poplin", 6),
];

/** Everything: all on and all off with every peer over both families, and each offload missing by itself. */
export const EVERY: readonly Combination[] = [
  ...[USUAL, "all=off"].flatMap((offload) =>
    PEERS.flatMap((peer) => FAMILIES.map((outer) => combination(offload, peer, outer))),
  ),
  ...OFFLOAD_NAMES.filter((name) => name !== "hairpin").flatMap((name, i) => [
    combination(`${name}=off`, "poplin", i % 2 === 0 ? 4 : 6),
    combination(`${name}=off`, "kernel on a wire", i % 2 === 0 ? 6 : 4),
  ]),
  // It knows IPv4 underlays only.
  { ...combination("hairpin=on", "poplin", 4), wire: true },
  { ...combination("hairpin=on", "kernel on a wire", 4), wire: true },
];

export function titleOf({ offload, peer, outer }: Combination): string {
  return `${offload}: poplin and ${peer}, over IPv${outer}`;
}

/** The part of a poplin node's configuration that makes it so. */
export function configOf({ offload }: Combination): Record<string, unknown> {
  return { offload: offload.split(",") };
}

/** Which offloads a poplin node uses then. */
export function expectedOffloads({ offload }: Combination): Record<OffloadName, boolean> {
  let on: Record<OffloadName, boolean> = { ...usualOffloads() };
  for (const word of offload.split(",")) {
    const [name, value] = word.split("=") as [OffloadName | "all", string];
    if (name === "all") on = { ...everyOffload(value === "on") };
    else on[name] = value === "on";
  }
  // The kernel grants super-frames only with unfinished checksums.
  return on["tap-csum"] ? on : { ...on, "tap-tso": false, "tap-uso": false };
}
