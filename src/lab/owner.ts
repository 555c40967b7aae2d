/** Who made a lab: a process, told apart from a later one with the same pid by the time it started. */
import { readFileSync } from "node:fs";

export interface Owner {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks from boot to its start (proc(5)). */
  readonly start: string;
}

/** @returns undefined when there is no such process */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Field 2, the command's name, stands in parentheses and may hold both spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3];
  } catch {
    return undefined;
  }
}

/** This process, as owner. */
export function self(): Owner {
  return { pid: process.pid, start: startTime(process.pid) ?? "" };
}

export function isAlive(owner: Owner): boolean {
  return startTime(owner.pid) === owner.start;
}
