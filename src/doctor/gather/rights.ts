/** What this process may do, from /proc and by trying it. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { EchoSocket } from "../../io/linux/echo.ts";
import type { Attempt, Rights } from "../evidence.ts";
import { attempt } from "./attempt.ts";

/** Bits of capabilities(7). */
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;

export async function rights(): Promise<Rights> {
  const held = effectiveCapabilities(readFileSync("/proc/self/status", "utf8"));
  return {
    netAdmin: held(CAP_NET_ADMIN),
    netRaw: held(CAP_NET_RAW),
    echo: await attempt(() => new EchoSocket(Uint8Array.of(127, 0, 0, 1), () => {}).close()),
  };
}

/** @param status text of /proc/PID/status */
export function effectiveCapabilities(status: string): (bit: number) => boolean {
  const set = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return (bit) => ((set >> BigInt(bit)) & 1n) === 1n;
}

/** Opens /dev/net/tun, and makes no device. */
export function openTun(): Promise<Attempt> {
  return attempt(() => closeSync(openSync("/dev/net/tun", "r+")));
}
