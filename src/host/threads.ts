/** How long each thread of a process has had a CPU (/proc/<pid>/task/<tid>/stat, proc_pid_stat(5)). */
import { readdirSync, readFileSync } from "node:fs";

/** The unit of these times: USER_HZ is 100 on every architecture that Node runs on (asm-generic/param.h). */
const TICKS_PER_SECOND = 100;

export interface ThreadTime {
  /** Thread id; the main thread's is the process's. */
  readonly tid: number;
  /** "node", "libuv-worker": older Nodes call all of theirs "node". */
  readonly name: string;
  /** Seconds on a CPU since its start, in programs and in the kernel. */
  readonly seconds: number;
}

/** @returns every thread of a process, but those that end meanwhile; none where there is no such process */
export function threadTimes(pid: number): ThreadTime[] {
  let tids: string[];
  try {
    tids = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return tids.flatMap((tid) => {
    try {
      return [parseThreadStat(readFileSync(`/proc/${pid}/task/${tid}/stat`, "utf8"))];
    } catch {
      return [];
    }
  });
}

/** The name is between the first "(" and the last ")", and may hold anything, also ")" and blanks. */
export function parseThreadStat(text: string): ThreadTime {
  const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
  const fields = text.slice(close + 2).split(" ");
  // Fields 14 and 15, utime and stime, where the first behind the name is field 3.
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    tid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    seconds: ticks / TICKS_PER_SECOND,
  };
}
