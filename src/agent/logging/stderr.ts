/**
 * Standard error as something that never waits. Which way depends on what it is:
 *
 *   pipe, terminal   opened anew from /proc, non-blocking: O_NONBLOCK on the descriptor that we were given would be set for
 *                    all who share it, the shell for one
 *   socket           send(2) with MSG_DONTWAIT: journald gives a service one
 *   file, /dev/null  write(2), as it is: a disk takes its time and no more
 */
import { closeSync, constants, fstatSync, openSync, type Stats, writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { loadShim } from "../../io/linux/shim.ts";
import type { OutletPort } from "./outlet.ts";

const STDERR = 2;

/** @param fd for tests: another descriptor than standard error's */
export function openPort(fd = STDERR): OutletPort {
  const kind = kindOf(fd);
  if (kind === "socket") return { write: (bytes) => sent(fd, bytes), close: () => {} };
  if (kind === "file") return { write: (bytes) => written(fd, bytes), close: () => {} };
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    const own = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return { write: (bytes) => written(own, bytes), close: () => closeSync(own) };
  } catch {
    // Another user's, or no /proc: then as Node would write to it.
    return { write: (bytes) => written(fd, bytes), close: () => {} };
  }
}

function kindOf(fd: number): "pipe" | "socket" | "file" {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return "file";
  }
  if (stats.isSocket()) return "socket";
  return stats.isFIFO() || stats.isCharacterDevice() ? "pipe" : "file";
}

function written(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return verdictOn((error as NodeJS.ErrnoException).code, bytes);
  }
}

function sent(fd: number, bytes: Uint8Array): number {
  const taken = loadShim().sendNow(fd, bytes);
  return taken >= 0 ? taken : verdictOn(getSystemErrorName(taken), bytes);
}

/** What an error means for the line at hand, and for those to come. */
function verdictOn(code: string | undefined, bytes: Uint8Array): number {
  if (code === "EAGAIN" || code === "ENOBUFS" || code === "EINTR") return 0;
  // Full disks have room again: this line is lost, the next may not be.
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EIO") return bytes.length;
  return -1;
}
