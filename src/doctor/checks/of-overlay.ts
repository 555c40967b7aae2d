/** Checks of each overlay, and of its device. */
import type { Check, Fault } from "../check.ts";
import type { OverlayEvidence } from "../evidence.ts";

/** The agent puts back what it can within a second. */
export const TWICE = "looked at twice, more than a second apart: the agent has not put it right";

export type OfOverlay = Omit<Check, "group" | "judge"> & {
  readonly judge: (overlay: OverlayEvidence) => readonly Fault[];
};

export function ofOverlay(group: Check["group"], { judge, ...rest }: OfOverlay): Check {
  return { ...rest, group, judge: ({ node }) => node?.overlays.flatMap(judge) ?? null };
}

/** Of a device that is there. */
export function ofDevice(check: OfOverlay): Check {
  const { judge } = check;
  const there = (overlay: OverlayEvidence) => (overlay.link === null ? [] : judge(overlay));
  return ofOverlay("device", { ...check, judge: there });
}
