/**
 * How much waits for an agent while none reads: a TAP's queue holds 500 to 1000 frames, at 50,000 a second 10 to 20
 * milliseconds. It is made longer before the old agent stops to read, and as it was when the new one has caught up.
 */
import { loadShim } from "../../io/linux/shim.ts";

/** A third of a second at 50,000 frames a second; 128 KB of memory for each queue of a TAP. */
const FRAMES = 16_384;

/** Milliseconds after which whoever reads has read what has waited. To shorten a queue throws away what does not fit. */
const CAUGHT_UP = 2000;

/** @returns what they were, for `shorten`; without those that cannot be made longer, or are longer */
export function lengthen(devices: readonly string[]): Record<string, number> {
  const lengths: Record<string, number> = {};
  for (const device of devices) {
    const before = set(device, FRAMES);
    if (before !== null && before >= FRAMES) set(device, before);
    else if (before !== null) lengths[device] = before;
  }
  return lengths;
}

/** Makes them as they were, in a moment. */
export function shorten(lengths: Readonly<Record<string, number>>): void {
  setTimeout(() => {
    for (const [device, length] of Object.entries(lengths)) set(device, length);
  }, CAUGHT_UP).unref();
}

/** What is not allowed, or gone by now, is no reason not to forward. */
function set(device: string, length: number): number | null {
  try {
    return loadShim().linkQueue(device, length);
  } catch {
    return null;
  }
}
