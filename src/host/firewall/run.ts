/** The programs of iptables and nftables, run so that what went wrong can be read by people. */
import { type CommandResult, HostError, type MissingCommand, runCommand } from "../command.ts";
import { plainReason } from "../ip.ts";

export const NO_IPTABLES: MissingCommand = {
  why: "without it no firewall rules can be set",
  remedy: "install the package iptables, or set EnableNFTables in net-conf.json",
};
export const NO_NFT: MissingCommand = {
  why: "without it no firewall rules can be set",
  remedy: "install the package nftables, or leave out EnableNFTables in net-conf.json",
};

/**
 * Runs a program for something that has to work.
 * @param input for its standard input
 * @returns its standard output
 * @throws HostError
 */
export async function run(
  program: string,
  args: readonly string[],
  missing: MissingCommand,
  input = "",
): Promise<string> {
  const result = await runCommand(program, args, missing, input);
  if (result.status !== 0) throw failure([program, ...args].join(" "), result);
  return result.stdout;
}

/** @returns the error for a program that ended with a failure */
export function failure(command: string, { status, stderr }: CommandResult): HostError {
  // iptables-nft mentions rules of iptables-legacy whenever there are some.
  const said = stderr.replace(/^# Warning:.*\n?/gm, "");
  const reason = plainReason(said) || `exit status ${status}`;
  if (/xtables lock/.test(said)) {
    const message = `\`${command}\`: another program holds the lock of iptables (/run/xtables.lock)`;
    return new HostError("HOST_FIREWALL", message, "`fuser -v /run/xtables.lock` shows which one");
  }
  if (/Permission denied|Operation not permitted|you must be root/i.test(said)) {
    const remedy = "run as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW";
    return new HostError("HOST_PERMISSION", `\`${command}\`: ${reason}`, remedy);
  }
  return new HostError("HOST_FIREWALL", `\`${command}\` failed: ${reason}`);
}
