/**
 * iproute2's `ip`, run as a child: the way this house changes the kernel's tables. One process for many changes
 * (`-batch`), answers as JSON, failures in words for people.
 *
 * iproute2 rather than netlink of our own: its words are the operator's words, and what we do can be repeated by hand.
 */
import { spawn } from "node:child_process";
import { delimiter } from "node:path";

/** Where to act: our own network namespace, or one that `ip netns` knows by name. */
export interface HostOptions {
  readonly netns?: string;
}

export type HostErrorCode =
  | "HOST_IP_MISSING"
  | "HOST_PERMISSION"
  | "HOST_IP_FAILED"
  | "HOST_IP_TIMEOUT"
  | "HOST_DEVICE_TAKEN"
  | "HOST_DEVICE_BUSY"
  | "HOST_DEVICE_MISSING"
  | "HOST_LOCAL_ADDRESS"
  | "HOST_NO_UPLINK"
  | "HOST_NO_DEVICE"
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

export interface IpResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Far above what thousands of lines take; an `ip` that waits for ever waits for a lock nobody gives back. */
const TIMEOUT_MS = 20_000;

/** System services often have a PATH without the places where iproute2 is. */
export function searchPath(): string {
  return [process.env.PATH ?? "", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].join(delimiter);
}

/**
 * Runs `ip` and waits for its end, whatever its exit status.
 * @param input for its standard input
 * @throws HostError when it could not be run, may not do what it was told, or does not end
 */
export async function runIp(args: readonly string[], options: HostOptions, input = ""): Promise<IpResult> {
  const all = options.netns === undefined ? args : ["-netns", options.netns, ...args];
  const result = await run(all, input);
  if (/Operation not permitted|must be root/i.test(result.stderr)) throw notPermitted(all, result);
  if (/^Cannot open network namespace/m.test(result.stderr)) throw failed(all, result);
  return result;
}

/**
 * Runs `ip` for something that has to work.
 * @throws HostError
 */
export async function ipOrThrow(args: readonly string[], options: HostOptions, input = ""): Promise<string> {
  const result = await runIp(args, options, input);
  if (result.status !== 0) throw failed(args, result);
  return result.stdout;
}

/** @returns the error for an `ip` that ended with a failure. */
export function failed(args: readonly string[], result: IpResult): HostError {
  const reason = plainReason(result.stderr) || `exit status ${result.status}`;
  return new HostError("HOST_IP_FAILED", `\`ip ${args.join(" ")}\` failed: ${reason}`);
}

/** @returns iproute2's message without what only iproute2's authors care about. */
export function plainReason(stderr: string): string {
  return stderr
    .split("\n")
    .filter((line) => line !== "" && !/^Command failed -:\d+$/.test(line))
    .map((line) => line.replace(/^(RTNETLINK answers|Error): /, "").replace(/\.$/, ""))
    .join("; ");
}

function run(args: readonly string[], input: string): Promise<IpResult> {
  return new Promise((resolve, reject) => {
    const child = spawn("ip", args, { env: { ...process.env, PATH: searchPath(), LC_ALL: "C" } });
    let stdout = "";
    let stderr = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const message = `\`ip ${args.join(" ")}\` did not end within ${TIMEOUT_MS / 1000} seconds`;
      reject(new HostError("HOST_IP_TIMEOUT", message, "see what holds the kernel's network lock"));
    }, TIMEOUT_MS);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // An `ip` that gives up reads no further: what it leaves unread is reported by its exit status.
    child.stdin.on("error", () => {});
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(notRun(error));
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? 255, stdout, stderr });
    });
    child.stdin.end(input);
  });
}

function notRun(error: NodeJS.ErrnoException): HostError {
  if (error.code !== "ENOENT") {
    return new HostError("HOST_IP_FAILED", `\`ip\` could not be started: ${error.message}`, "", error);
  }
  const message = "the command `ip` is not there, and without it no address or route can be set";
  return new HostError("HOST_IP_MISSING", message, "install the package iproute2", error);
}

function notPermitted(args: readonly string[], result: IpResult): HostError {
  const message = `\`ip ${args.join(" ")}\`: ${plainReason(result.stderr).split("; ")[0]}`;
  return new HostError("HOST_PERMISSION", message, "run as root, or with the capability CAP_NET_ADMIN");
}
