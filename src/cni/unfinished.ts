/**
 * An ADD whose plugin was killed may go on: its delegate, and what that one runs, have no parent any more and do not
 * know. What they make after a DEL nobody takes away. So a DEL waits for them, where the ADD has no known end.
 */
import { readdirSync, readFileSync } from "node:fs";
import { CNI_CODE, CniError } from "./error.ts";

/** Milliseconds to wait in all, and between two looks. Kubernetes' runtimes give a plugin minutes. */
const PATIENCE = 20_000;
const POLL = 10;

/**
 * Waits until no process works any more on an ADD of this interface of this container.
 * @throws CniError "try again" when it does not end
 */
export function awaitUnfinished(container: string, ifname: string): void {
  const marks = [`CNI_CONTAINERID=${container}`, `CNI_IFNAME=${ifname}`, "CNI_COMMAND=ADD"];
  const until = performance.now() + PATIENCE;
  for (;;) {
    const pids = working(marks);
    if (pids.length === 0) return;
    if (performance.now() > until) {
      const message = `an ADD of container ${container} is still under way: process ${pids.join(", ")}`;
      throw new CniError(
        CNI_CODE.tryAgain,
        message,
        "its plugin was killed: see what it waits for, or end it",
      );
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL);
  }
}

/** Processes with these variables in their environment, which plugins pass on to all they run. */
function working(marks: readonly string[]): number[] {
  // A plugin that calls several others deletes what it has added within its own ADD: those above us are none of them.
  const above = ancestors();
  return processes()
    .filter((name) => /^\d+$/.test(name) && !above.has(Number(name)))
    .filter((pid) => {
      const environment = new Set(read(`/proc/${pid}/environ`).split("\0"));
      return marks.every((mark) => environment.has(mark));
    })
    .map(Number);
}

/** Names in /proc; none where there is no /proc. */
function processes(): string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

/** This process and all above it. */
function ancestors(): ReadonlySet<number> {
  const all = new Set<number>();
  for (let pid = process.pid; pid > 0 && !all.has(pid); pid = parentOf(pid)) all.add(pid);
  return all;
}

/** 0 where there is none. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** "" where it has ended meanwhile, or is not ours to look at. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
