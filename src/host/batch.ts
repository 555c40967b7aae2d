/**
 * Many lines for one `ip -batch`, and for each of them whether it worked.
 *
 * With `-force`, iproute2 goes on after a line that failed and prints "Command failed -:7" under its message. But some
 * of its commands end the whole process instead (`ip neigh`, and whatever cannot parse its arguments: they call
 * exit(2)), and then nothing says how far it came. So every line is followed by a short query that prints one line:
 * their number tells which line was the last, and the rest goes to another process.
 */
import { type HostOptions, plainReason, runIp } from "./ip.ts";

/** Prints one line, and works wherever there is a network namespace. */
const MARKER = "link show dev lo";

/**
 * Runs lines of `ip -batch`, in their order.
 * @returns for each line null when it worked, else why not
 * @throws HostError when `ip` cannot be run, or may not do this at all
 */
export async function runBatch(lines: readonly string[], options: HostOptions): Promise<(string | null)[]> {
  const results: (string | null)[] = [];
  while (results.length < lines.length) {
    const rest = lines.slice(results.length);
    const text = rest.map((line) => `${line}\n${MARKER}\n`).join("");
    const { status, stdout, stderr } = await runIp(["-br", "-force", "-batch", "-"], options, text);
    const passed = Math.min(rest.length, count(stdout, "\n"));
    // Every second line is a marker.
    const { reasons, tail } = attribute(stderr, 2);
    for (let i = 0; i < passed; i++) results.push(reasons.get(i) ?? null);
    if (passed === rest.length) break;
    const reason = plainReason(tail) || `ip ended with status ${status}`;
    results.push(reason);
    // Without the device no other line will do better, and each would take a process to say so.
    if (/^Cannot find device/.test(reason)) while (results.length < lines.length) results.push(reason);
  }
  return results;
}

/**
 * Reads what a batch of iproute2's said under `-force`.
 * @param each lines that count as one
 * @returns which (from 0) failed and why; `tail` is what was said last, by a line that ended the process
 */
export function attribute(stderr: string, each = 1): { reasons: Map<number, string>; tail: string } {
  const reasons = new Map<number, string>();
  let start = 0;
  for (const match of stderr.matchAll(/^Command failed -:(\d+)\n?/gm)) {
    const line = Math.floor((Number(match[1]) - 1) / each); // lines count from 1
    reasons.set(line, plainReason(stderr.slice(start, match.index)) || "failed");
    start = match.index + match[0].length;
  }
  return { reasons, tail: stderr.slice(start) };
}

function count(text: string, character: string): number {
  let n = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) n++;
  return n;
}
