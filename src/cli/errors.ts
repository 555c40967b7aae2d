/**
 * The exit codes, and how an error reaches the person who typed the command: what happened on the first line, what to
 * do about it on the next.
 *
 * With -j the same as one JSON object, on standard error too: standard output holds answers only.
 *
 *   0 fine · 1 a check failed · 2 usage · 3 agent not reachable · 4 permission · 5 timeout
 */
import type { ErrorAnswer } from "../agent/api/answers.ts";
import { hang, styleOf, type Terminal } from "./output.ts";

export const EXIT = { ok: 0, failed: 1, usage: 2, notReachable: 3, permission: 4, timeout: 5 } as const;

/** An error that the command line itself can explain. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly remedy: string | null;

  constructor(exitCode: number, message: string, remedy: string | null = null, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "CliError";
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}

/** Codes, the system's and ours, that mean: you may not. */
const PERMISSION = /^(EPERM|EACCES)$|PERMISSION$/;

/** Codes of errors that have only an exit code: the words of the table above. */
const CODES: Readonly<Record<number, string>> = {
  [EXIT.failed]: "FAILED",
  [EXIT.usage]: "USAGE",
  [EXIT.notReachable]: "NOT_REACHABLE",
  [EXIT.permission]: "PERMISSION",
  [EXIT.timeout]: "TIMEOUT",
};

interface Told {
  readonly message?: unknown;
  readonly code?: unknown;
  /** The code of the agent that refused, behind the client's own. */
  readonly reason?: unknown;
  readonly exitCode?: unknown;
  readonly remedy?: unknown;
  readonly stack?: unknown;
}

/** What to exit with after `error`. */
export function exitCodeOf(error: unknown): number {
  const { code, exitCode } = (error ?? {}) as Told;
  if (typeof exitCode === "number") return exitCode;
  if (code === "CONFIG_INVALID") return EXIT.usage;
  if (typeof code === "string" && PERMISSION.test(code)) return EXIT.permission;
  return EXIT.failed;
}

/**
 * The lines to print for `error`. One without a code was not foreseen: then its stack is what helps.
 */
export function explain(error: unknown): string[] {
  const { message, code, exitCode, remedy, stack } = (error ?? {}) as Told;
  if (typeof code !== "string" && typeof exitCode !== "number") {
    return [`poplin: this should not have happened: ${typeof stack === "string" ? stack : String(error)}`];
  }
  const first = `poplin: ${messageOf(message, remedy)}`;
  return typeof remedy === "string" && remedy !== "" ? [first, `  → ${remedy}`] : [first];
}

/** The same for a stream: folded where a terminal ends, and a line each for whoever greps. */
export function explainOn(stream: Terminal, error: unknown): string[] {
  const lines = explain(error);
  if (stream.isTTY !== true) return lines;
  const { width } = styleOf(stream, process.env);
  return lines.flatMap((line) => {
    const [first = ""] = /^(poplin: | {2}→ )/.exec(line) ?? [];
    // A stack has lines of its own.
    return line.includes("\n") ? [line] : hang(first, line.slice(first.length), width);
  });
}

/** What -j prints for `error`: the API's form of an error. */
export function errorJson(error: unknown): ErrorAnswer {
  const { message, code, reason, exitCode, remedy } = (error ?? {}) as Told;
  if (typeof code !== "string" && typeof exitCode !== "number") {
    return { error: { code: "UNEXPECTED", message: explain(error).join("\n"), remedy: null } };
  }
  const word = [reason, code].find((one) => typeof one === "string") ?? CODES[exitCode as number] ?? "FAILED";
  return {
    error: {
      code: word as string,
      message: messageOf(message, remedy),
      remedy: typeof remedy === "string" && remedy !== "" ? remedy : null,
    },
  };
}

/** Some errors end their message with the remedy, for logs, where there is but one line. */
function messageOf(message: unknown, remedy: unknown): string {
  return typeof remedy === "string" && remedy !== ""
    ? String(message).replace(`; ${remedy}`, "")
    : String(message);
}
