/** Clocks that are wrong for one process alone: the environment in which libfaketime gives it one. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import type { Need } from "./needs.ts";

/**
 * The library by itself. The program `faketime` would stand between us and the process, whose pid we want, and it
 * refuses to start when a process before it with the same pid was killed (`sweep`).
 */
function library(): string | undefined {
  const debian = readdirSync("/usr/lib").map((name) => join("/usr/lib", name));
  const folders = [...debian, "/usr/lib", "/usr/lib64", "/usr/local/lib"];
  return folders.map((folder) => join(folder, "faketime/libfaketime.so.1")).find((path) => existsSync(path));
}

/** What a test needs that uses these clocks. */
export function faketime(): Need {
  return library() === undefined ? "needs libfaketime" : null;
}

function preload(): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: library()!,
    // Files have the times of whoever keeps them.
    NO_FAKE_STAT: "1",
    // Setting a clock does not move this one.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

const SHARED = "/dev/shm";
const SINCE = Date.now();

/**
 * Removes the shared memory that libfaketime leaves, by pid, when its process is killed.
 * @returns whether that was all; what still runs may be of another test
 */
function sweep(): boolean {
  let all = true;
  for (const name of readdirSync(SHARED)) {
    const pid = /^(?:sem\.faketime_sem|faketime_shm)_(\d+)$/.exec(name)?.[1];
    const path = join(SHARED, name);
    if (pid === undefined || (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < SINCE) continue;
    if (isRunning(pid)) all = false;
    else rmSync(path, { force: true });
  }
  return all;
}

/** Not where it has been killed and only its parent has not heard of that yet. */
function isRunning(pid: string): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

afterAll(async () => {
  // What has been told to end may take a moment.
  for (let i = 0; i < 10 && !sweep(); i++) await sleep(100);
});

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
