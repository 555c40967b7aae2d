/**
 * Settings of our device under /proc/sys. What is there belongs to the network namespace of whoever opens it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { HostOptions } from "./ip.ts";

/**
 * Makes the kernel ignore router advertisements on `device` (accept_ra = 0, as flannel does): they could only come out
 * of the overlay, and would change this node's routes.
 * @returns null, or what an operator should know: it is no reason not to start
 */
export function refuseRouterAdvertisements(device: string, options: HostOptions = {}): string | null {
  const path = `/proc/sys/net/ipv6/conf/${device}/accept_ra`;
  try {
    if (options.netns !== undefined) return inNamespace(options.netns, path);
    if (readFileSync(path, "utf8").trim() !== "0") writeFileSync(path, "0");
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A kernel without IPv6 has no such file, and no advertisement to fear.
    if (code === "ENOENT" || isRouter(device)) return null;
    return `${path} cannot be set to 0 (${code}): set it with sysctl`;
  }
}

/** What forwards takes advertisements with accept_ra = 2 alone (addrconf.c: ipv6_accept_ra). */
function isRouter(device: string): boolean {
  const read = (name: string): string =>
    readFileSync(`/proc/sys/net/ipv6/conf/${device}/${name}`, "utf8").trim();
  try {
    return read("forwarding") === "1" && read("accept_ra") === "1";
  } catch {
    return false;
  }
}

/**
 * Lets the kernel forward what comes in on `device` although its source is our own address: a device that nobody but we
 * write to.
 * @throws Error saying which setting is in the way
 */
export function forwardOwn(device: string): void {
  const conf = "/proc/sys/net/ipv4/conf";
  if (read(`${conf}/all/rp_filter`) === "1") {
    throw new Error("net.ipv4.conf.all.rp_filter is 1, and drops what comes in with our own source address");
  }
  for (const [name, value] of [
    ["rp_filter", "0"],
    ["accept_local", "1"],
    ["forwarding", "1"],
  ] as const) {
    try {
      writeFileSync(`${conf}/${device}/${name}`, value);
    } catch (error) {
      throw new Error(
        `net.ipv4.conf.${device}.${name} cannot be set to ${value} (${(error as NodeJS.ErrnoException).code})`,
      );
    }
  }
}

function read(path: string): string {
  return readFileSync(path, "utf8").trim();
}

function inNamespace(netns: string, path: string): string | null {
  const script = '[ ! -e "$0" ] || echo 0 > "$0"';
  const { status } = spawnSync("ip", ["netns", "exec", netns, "sh", "-c", script, path]);
  return status === 0 ? null : `${path} in ${netns} cannot be set to 0: set it with sysctl`;
}
