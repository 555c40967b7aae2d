/** Counters of network devices as /proc/net/dev has them: of the network namespace of whoever reads, without a child. */
import { readFileSync } from "node:fs";

/** @returns by device the frames that it dropped on their way out; empty where nothing can be read */
export function transmitDrops(): ReadonlyMap<string, number> {
  try {
    return parseTransmitDrops(readFileSync("/proc/self/net/dev", "utf8"));
  } catch {
    return new Map();
  }
}

/** After the name eight columns of what was received, then bytes, packets, errs and drop of what was sent. */
const TRANSMIT_DROPS = 11;

/** @param text of /proc/net/dev: two lines of headings, then a line for each device */
export function parseTransmitDrops(text: string): ReadonlyMap<string, number> {
  const drops = new Map<string, number>();
  for (const line of text.split("\n").slice(2)) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    drops.set(line.slice(0, colon).trim(), Number(columns[TRANSMIT_DROPS] ?? 0));
  }
  return drops;
}
