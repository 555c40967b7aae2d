/** Where a report has its texts from: programs, files, the agent. Each says in words why it has none. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { runCommand } from "../../host/command.ts";

/** Bytes of one item; of a longer one the end is kept, which of a log is what matters. */
export const MOST_BYTES = 2 * 1024 * 1024;

/** Programs that are to see the agent's network start with these words: none where it is ours. */
export type Prefix = readonly string[];

/**
 * What a program prints; what it complains of stands behind it.
 * @throws Error with a sentence where it is not there, or says nothing but an error
 */
export async function output(program: string, args: readonly string[], prefix: Prefix = []): Promise<string> {
  const [first, ...rest] = [...prefix, program, ...args];
  const missing = { why: "there is nothing else that knows", remedy: "" };
  const { status, stdout, stderr } = await runCommand(first!, rest, missing);
  if (status !== 0 && stdout.trim() === "")
    throw new Error(`\`${[program, ...args].join(" ")}\` exits with ${status}: ${firstLine(stderr)}`);
  return status === 0 ? stdout : `${stdout}\n# exit status ${status}: ${stderr}`;
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] || "it says nothing";
}

/**
 * A file; of one that is too long the end, and more of it than is kept: what is hidden is found before the rest is cut,
 * and a secret that this cut breaks in two goes with it.
 * @throws Error (of node:fs)
 */
export function fileText(path: string): string {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    // Files of /proc have no size.
    if (size <= 2 * MOST_BYTES) return readFileSync(fd, "utf8");
    const end = Buffer.alloc(2 * MOST_BYTES);
    return end.toString("utf8", 0, readSync(fd, end, 0, end.length, size - end.length));
  } finally {
    closeSync(fd);
  }
}

/** The end of a text that is too long. */
export function cut(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= MOST_BYTES) return text;
  return `# the last ${MOST_BYTES} bytes of more\n${bytes.subarray(-MOST_BYTES).toString("utf8")}`;
}
