/** Counters of a network device as /proc/net/dev has them: of the network namespace of whoever reads, without a child. */
import { readFileSync } from "node:fs";

/** @returns frames that the device dropped on their way out; 0 when there is no such device */
export function transmitDrops(device: string): number {
  try {
    return parseTransmitDrops(readFileSync("/proc/self/net/dev", "utf8"), device);
  } catch {
    return 0;
  }
}

/** After the name eight columns of what was received, then bytes, packets, errs and drop of what was sent. */
const TRANSMIT_DROPS = 11;

/** @param text of /proc/net/dev */
export function parseTransmitDrops(text: string, device: string): number {
  const line = text.split("\n").find((one) => one.trimStart().startsWith(`${device}:`));
  return Number(
    line
      ?.slice(line.indexOf(":") + 1)
      .trim()
      .split(/\s+/)[TRANSMIT_DROPS] ?? 0,
  );
}
