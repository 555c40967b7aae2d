/**
 * Forwarding: a node passes on what its pods send and get. flanneld leaves that to whoever sets up pods (the CNI plugin
 * `bridge`, or kubelet) and does not work without; so we see to it.
 *
 * IPv6 has a trap. A kernel that forwards takes no more router advertisements where accept_ra is 1, and forgets at once
 * the default route that it has from one (addrconf.c: addrconf_fixup_forwarding, rt6_purge_dflt_routers): the node would
 * be cut off. With accept_ra = 2 they are taken all the same; so that is set first, where it matters.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { ipOrThrow } from "./ip.ts";

export interface ForwardingReport {
  /** What was set, a line each. */
  readonly done: readonly string[];
  /** What could not be set, or is not as it should be, with what to do about it. No reason not to start. */
  readonly warnings: readonly string[];
}

const IPV4 = "net.ipv4.ip_forward";
const IPV6 = "net.ipv6.conf.all.forwarding";

/**
 * Lets this node's kernel forward, where it does not yet.
 * @throws HostError where `ip` cannot be asked
 */
export async function enableForwarding(families: readonly (4 | 6)[]): Promise<ForwardingReport> {
  const done: string[] = [];
  const warnings: string[] = [];
  const set = (name: string, value: string): boolean => {
    const reason = write(name, value);
    if (reason === null) done.push(`${name} = ${value}`);
    else
      warnings.push(
        `${name} is ${read(name)}, and cannot be set (${reason}): \`sysctl -w ${name}=${value}\``,
      );
    return reason === null;
  };
  if (families.includes(4) && read(IPV4) === "0") set(IPV4, "1");
  if (families.includes(6)) {
    const now = read(IPV6);
    if (now === null) warnings.push("this kernel runs without IPv6: boot it without ipv6.disable=1");
    else if (now === "0") {
      const kept = (await advertised()).map((device) => set(acceptRa(device), "2"));
      if (kept.every(Boolean)) set(IPV6, "1");
      else warnings.push(`${IPV6} stays 0, or this node would lose its default route of IPv6`);
    }
  }
  return { done, warnings };
}

/** Devices that have routes or addresses from router advertisements, and would get no more. */
async function advertised(): Promise<string[]> {
  const routes = await ipOrThrow(["-json", "-6", "route", "show", "proto", "ra"], {});
  const addresses = await ipOrThrow(["-json", "-6", "addr", "show", "dynamic"], {});
  const devices = [
    ...(JSON.parse(routes || "[]") as { dev?: string }[]).map(({ dev }) => dev),
    ...(JSON.parse(addresses || "[]") as { ifname?: string }[]).map(({ ifname }) => ifname),
  ];
  return [...new Set(devices)]
    .filter((device) => device !== undefined)
    .filter((device) => read(acceptRa(device)) === "1");
}

/**
 * Whether bridged packets pass iptables. flanneld does not start without; here it is a warning.
 * @returns what is not as it should be, with what to do about it
 */
export function bridgeFilterWarnings(families: readonly (4 | 6)[]): string[] {
  const names = families.map((family) => `net.bridge.bridge-nf-call-ip${family === 6 ? "6" : ""}tables`);
  const off = names.filter((name) => read(name) !== "1");
  if (off.length === 0) return [];
  const missing = off.every((name) => read(name) === null);
  const remedy = missing ? "modprobe br_netfilter" : off.map((name) => `sysctl -w ${name}=1`).join("; ");
  return [
    `packets between pods of this node pass no firewall rules (${off.join(", ")}): a pod does not get the answer of a ` +
      `Kubernetes Service whose backend is on its own node; \`${remedy}\``,
  ];
}

/** A dot in the name of a device is a slash in sysctl's notation: net.ipv6.conf.eth0/7.accept_ra. */
function acceptRa(device: string): string {
  return `net.ipv6.conf.${device.replaceAll(".", "/")}.accept_ra`;
}

function pathOf(name: string): string {
  return `/proc/sys/${name.replaceAll(/[./]/g, (sign) => (sign === "." ? "/" : "."))}`;
}

/** @returns null where there is no such setting */
function read(name: string): string | null {
  try {
    return readFileSync(pathOf(name), "utf8").trim();
  } catch {
    return null;
  }
}

/** @returns null, or why it cannot be written */
function write(name: string, value: string): string | null {
  try {
    writeFileSync(pathOf(name), value);
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EROFS") return "/proc/sys is read-only here";
    return code === "EACCES" || code === "EPERM" ? "not permitted" : message;
  }
}
