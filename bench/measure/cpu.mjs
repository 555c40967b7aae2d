/**
 * CPU time, of processes and of the whole machine, and resident memory.
 *
 *   processes   utime + stime of /proc/<pid>/stat, all threads included (proc(5)), in ticks of 10 ms
 *   machine     every column of /proc/stat's first line but idle, iowait, steal and guest (which user contains)
 *
 * What the machine does beside the measurement is in the second figure, so measure on an idle one. Work that the
 * kernel does for a packet in softirq context is charged to whoever it interrupts: only the machine's figure is whole.
 */
import { readFileSync } from "node:fs";

/** USER_HZ: 100 on every architecture that Node runs on. */
const TICKS = 100;

/** Seconds of CPU so far, of the machine and of each host's agents. @param agents `{ a: pids, b: pids }` */
export function cpuTime(agents) {
  const all = (pids) => pids.reduce((sum, pid) => sum + processTime(pid), 0);
  return { machine: machineTime(), a: all(agents.a), b: all(agents.b) };
}

export function since(before, agents) {
  const now = cpuTime(agents);
  return { machine: now.machine - before.machine, a: now.a - before.a, b: now.b - before.b };
}

export function machineTime(text = readFileSync("/proc/stat", "latin1")) {
  const [, user, nice, system, , , irq, softirq] = text.split("\n", 1)[0].split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq) / TICKS;
}

/** @returns 0 for a process that has ended */
export function processTime(pid, text = read(`/proc/${pid}/stat`)) {
  // Field 2, the command's name, stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields.length < 13 ? 0 : (Number(fields[14 - 3]) + Number(fields[15 - 3])) / TICKS;
}

/** Bytes, of all of them: what is in memory now. */
export function residentMemory(pids) {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0;
    return sum + Number(kilobytes) * 1024;
  }, 0);
}

function read(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
