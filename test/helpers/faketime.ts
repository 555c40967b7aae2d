/** Clocks that are wrong for one process alone: the environment in which libfaketime gives it one. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

/** By itself: `faketime` would stand between us and the process, whose pid we want. */
function preload(): NodeJS.ProcessEnv {
  const path = execFileSync("faketime", ["-f", "+0", "printenv", "LD_PRELOAD"], { encoding: "utf8" });
  return {
    LD_PRELOAD: path.trim(),
    // Files have the times of whoever keeps them.
    NO_FAKE_STAT: "1",
    // Setting a clock does not move this one.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

function offset(hours: number): string {
  return `${hours < 0 ? "" : "+"}${hours}h`;
}

/** A clock that is so many hours wrong. */
export function wrongClock(hours: number): NodeJS.ProcessEnv {
  return { ...preload(), FAKETIME: offset(hours) };
}

/** A clock that can be set while the process runs: right at first, then what `setClock` says. @param file of its own */
export function settableClock(file: string): NodeJS.ProcessEnv {
  setClock(file, 0);
  return { ...preload(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" };
}

/** Sets it so many hours wrong. */
export function setClock(file: string, hours: number): void {
  writeFileSync(file, `${offset(hours)}\n`);
}
