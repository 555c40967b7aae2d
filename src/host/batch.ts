/**
 * Many lines for one `ip -batch`, and for each of them whether it worked.
 *
 * With `-force`, iproute2 goes on after a line that failed and prints "Command failed -:7" under its message. But some
 * of its commands end the whole process instead (`ip neigh`, and whatever cannot parse its arguments: they call
 * exit(2)), and then nothing says how far it came. So there are marks among the lines, short queries that print one line
 * each: their number tells which mark was the last. A mark costs more than most lines do, so there is one only where
 * lines of the one kind and of the other meet, and at the end. Where the process ends before a mark, the lines before that
 * mark are run again, each with a mark of its own.
 */
import { type HostOptions, plainReason, runIp } from "./ip.ts";

/** Prints one line, and works wherever there is a network namespace. */
const MARK = "link show dev lo";

/**
 * Runs lines of `ip -batch`, in their order. Of lines that are run again a deletion can find its work done, and say that
 * there is nothing to delete.
 * @returns for each line null when it worked, else why not
 * @throws HostError when `ip` cannot be run, or may not do this at all
 */
export async function runBatch(lines: readonly string[], options: HostOptions): Promise<(string | null)[]> {
  const results: (string | null)[] = [];
  /** Lines before this one get a mark each. */
  let careful = 0;
  while (results.length < lines.length) {
    const from = results.length;
    const { text, marks, lineOf } = withMarks(lines, from, careful);
    const { status, stdout, stderr } = await runIp(["-br", "-force", "-batch", "-"], options, text);
    const { reasons, tail } = attribute(stderr);
    const failed = new Map([...reasons].map(([at, reason]) => [lineOf[at]!, reason]));
    const passed = count(stdout, "\n");
    const done = passed === 0 ? from : marks[Math.min(passed, marks.length) - 1]! + 1;
    for (let i = from; i < done; i++) results.push(failed.get(i) ?? null);
    if (done === lines.length) break;
    const next = marks[passed]!;
    if (next > done) {
      careful = next + 1;
      continue;
    }
    const reason = plainReason(tail) || `ip ended with status ${status}`;
    results.push(reason);
    // Without the device no other line will do better, and each would take a process to say so.
    if (/^Cannot find device/.test(reason)) while (results.length < lines.length) results.push(reason);
  }
  return results;
}

/** What is given to `ip`: `marks` are the lines behind which there is one, `lineOf` says which line each of `text` is. */
function withMarks(
  lines: readonly string[],
  from: number,
  careful: number,
): { text: string; marks: number[]; lineOf: number[] } {
  const marks: number[] = [];
  const lineOf: number[] = [];
  let text = "";
  for (let i = from; i < lines.length; i++) {
    text += `${lines[i]}\n`;
    lineOf.push(i);
    const next = lines[i + 1];
    if (i >= careful && next !== undefined && mayEnd(lines[i]!) === mayEnd(next)) continue;
    text += `${MARK}\n`;
    lineOf.push(i);
    marks.push(i);
  }
  return { text, marks, lineOf };
}

/** Whether iproute2 ends the process where the kernel refuses such a line. */
function mayEnd(line: string): boolean {
  return line.startsWith("neigh ");
}

/**
 * Reads what a batch of iproute2's said under `-force`.
 * @returns which lines (from 0) failed and why; `tail` is what was said last, by a line that ended the process
 */
export function attribute(stderr: string): { reasons: Map<number, string>; tail: string } {
  const reasons = new Map<number, string>();
  let start = 0;
  for (const match of stderr.matchAll(/^Command failed -:(\d+)\n?/gm)) {
    const line = Number(match[1]) - 1; // they count from 1
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
