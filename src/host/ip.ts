/**
 * iproute2's `ip`, run as a child: the way this house changes the kernel's tables. One process for many changes
 * (`-batch`), answers as JSON, failures in words for people.
 *
 * iproute2 rather than netlink of our own: its words are the operator's words, and what we do can be repeated by hand.
 */
import { type CommandResult, HostError, type MissingCommand, runCommand } from "./command.ts";

export { HostError } from "./command.ts";

/** Where to act: our own network namespace, or one that `ip netns` knows by name. */
export interface HostOptions {
  readonly netns?: string;
}

export type IpResult = CommandResult;

const MISSING: MissingCommand = {
  why: "without it no address or route can be set",
  remedy: "install the package iproute2",
};

/**
 * Runs `ip` and waits for its end, whatever its exit status.
 * @param input for its standard input
 * @throws HostError when it could not be run, may not do what it was told, or does not end
 */
export async function runIp(args: readonly string[], options: HostOptions, input = ""): Promise<IpResult> {
  const all = options.netns === undefined ? args : ["-netns", options.netns, ...args];
  const result = await runCommand("ip", all, MISSING, input);
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

function notPermitted(args: readonly string[], result: IpResult): HostError {
  const message = `\`ip ${args.join(" ")}\`: ${plainReason(result.stderr).split("; ")[0]}`;
  return new HostError("HOST_PERMISSION", message, "run as root, or with the capability CAP_NET_ADMIN");
}
