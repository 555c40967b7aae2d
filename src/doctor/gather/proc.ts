/** What /proc says of this host: settings, counters, processes. */
import { readFileSync } from "node:fs";

/** @param name as under /proc/sys: "net/ipv4/ip_forward"; @returns null where there is no such setting */
export function sysctl(name: string): string | null {
  return read(`/proc/sys/${name}`)?.trim() ?? null;
}

/** Packets that this network namespace dropped because of where they came from. */
export function reversePathDrops(): number {
  return counterIn(read("/proc/self/net/netstat") ?? "", "TcpExt", "IPReversePathFilter");
}

/** @param text of /proc/net/netstat: for each group a line of names, then one of numbers */
export function counterIn(text: string, group: string, name: string): number {
  const [names = [], numbers = []] = text
    .split("\n")
    .filter((line) => line.startsWith(`${group}:`))
    .map((line) => line.split(" "));
  return Number(numbers[names.indexOf(name)] ?? 0);
}

/** @returns a process's state as `ps` has it: "S", "T"; "?" where it is gone */
export function stateOf(pid: number): string {
  // The name stands in brackets, and may hold anything.
  return / ([A-Za-z]) /.exec(read(`/proc/${pid}/stat`)?.replace(/^.*\)/s, "") ?? "")?.[1] ?? "?";
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
