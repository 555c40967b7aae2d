/** Addresses of a device: what `ip addr` prints, and the lines that change them. */
import type { HostStep } from "./rows.ts";

/** One address as `ip -json addr show` prints it. */
export interface IpAddress {
  readonly family?: string;
  readonly local?: string;
  readonly prefixlen?: number;
  readonly scope?: string;
}

/** @returns the addresses that somebody configured, as CIDRs: without the link-local one that the kernel makes. */
export function parseAddresses(addresses: readonly IpAddress[]): string[] {
  return addresses.flatMap(({ local, prefixlen, scope }) =>
    local === undefined || prefixlen === undefined || scope === "link" ? [] : [`${local}/${prefixlen}`],
  );
}

/**
 * @returns those one can send from without naming an interface: all but IPv6 link-local ones, which need a zone.
 * IPv4 link-local ones (169.254/16, RFC 3927), of scope link too where a DHCP client sets them, need none.
 */
export function parseSources(addresses: readonly IpAddress[]): string[] {
  return addresses.flatMap(({ local, scope }) =>
    local === undefined || (scope === "link" && local.includes(":")) ? [] : [local],
  );
}

/** @returns the step as a line of `ip -batch`. */
export function addressLine(device: string, step: HostStep & { table: "address" }): string {
  // Duplicate address detection would ask an overlay that answers no multicast, and hold the address back meanwhile.
  const nodad = step.op === "replace" && step.cidr.includes(":") ? " nodad" : "";
  return `addr ${step.op} ${step.cidr} dev ${device}${nodad}`;
}
