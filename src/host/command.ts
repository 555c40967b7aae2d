/**
 * Programs of this node that change its kernel's tables (`ip`, `iptables`, `nft`), run as children: one process for many
 * changes, failures in words for people.
 */
import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { type Output, outputOf } from "./output.ts";

export type HostErrorCode =
  | "HOST_IP_MISSING"
  | "HOST_PERMISSION"
  | "HOST_IP_FAILED"
  | "HOST_IP_TIMEOUT"
  | "HOST_FIREWALL"
  | "HOST_FILE"
  | "HOST_DEVICE_TAKEN"
  | "HOST_DEVICE_BUSY"
  | "HOST_DEVICE_MISSING"
  | "HOST_LOCAL_ADDRESS"
  | "HOST_NO_UPLINK"
  | "HOST_NO_DEVICE"
  | "HOST_BAD_OPTION"
  | "HOST_OWN_ADDRESS";

/** Something this node's kernel, or iproute2, would not do. */
export class HostError extends Error {
  readonly code: HostErrorCode;
  /** What to do about it; "" when the message says all we know. */
  readonly remedy: string;

  constructor(code: HostErrorCode, message: string, remedy = "", cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "HostError";
    this.code = code;
    this.remedy = remedy;
  }
}

export interface CommandResult extends Readonly<Output> {
  readonly status: number;
}

/** What is said of a program that is not there. */
export interface MissingCommand {
  /** "without it no address or route can be set" */
  readonly why: string;
  readonly remedy: string;
}

/** Far above what thousands of lines take; a program that waits for ever waits for a lock nobody gives back. */
const TIMEOUT_MS = 20_000;

/** System services often have a PATH without the places where these programs are. */
export function searchPath(): string {
  return [process.env.PATH ?? "", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].join(delimiter);
}

/**
 * Runs a program and waits for its end, whatever its exit status.
 * @param input for its standard input
 * @throws HostError when it could not be run, or does not end
 */
export function runCommand(
  program: string,
  args: readonly string[],
  missing: MissingCommand,
  input = "",
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, PATH: searchPath(), LC_ALL: "C" } });
    const output = outputOf(child);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const message = `\`${[program, ...args].join(" ")}\` did not end within ${TIMEOUT_MS / 1000} seconds`;
      reject(new HostError("HOST_IP_TIMEOUT", message, "see what holds the kernel's network lock"));
    }, TIMEOUT_MS);
    // A program that gives up reads no further: what it leaves unread is reported by its exit status.
    child.stdin.on("error", () => {});
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(notRun(program, missing, error));
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? 255, ...output });
    });
    child.stdin.end(input);
  });
}

function notRun(program: string, { why, remedy }: MissingCommand, error: NodeJS.ErrnoException): HostError {
  if (error.code !== "ENOENT") {
    return new HostError(
      "HOST_IP_FAILED",
      `\`${program}\` could not be started: ${error.message}`,
      "",
      error,
    );
  }
  const message = `the command \`${program}\` is not there, and ${why}`;
  return new HostError("HOST_IP_MISSING", message, remedy, error);
}
