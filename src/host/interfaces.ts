/** Interfaces as `ip -json addr show` prints them, with the addresses that can be a node's, the best first. */
import { isIP, isIPv4, SocketAddress } from "node:net";
import type { IpAddress } from "./address.ts";

export type Family = 4 | 6;

export interface Interface {
  readonly name: string;
  readonly mtu: number;
  /** Administratively. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** All that it has, canonical and without prefix length. */
  readonly all: readonly string[];
  /** Those that can be the node's own in the underlay, the best first. */
  readonly usable: Readonly<Record<Family, readonly string[]>>;
}

interface IpInterface {
  readonly ifname?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly IpFlaggedAddress[];
}

/** iproute2 prints a flag only where it is set. */
interface IpFlaggedAddress extends IpAddress {
  readonly dynamic?: boolean;
  readonly temporary?: boolean;
  readonly tentative?: boolean;
  readonly secondary?: boolean;
  readonly deprecated?: boolean;
  readonly dadfailed?: boolean;
}

/** @param json what `ip -json addr show` printed, parsed; @returns them in the kernel's order, by index */
export function parseInterfaces(json: readonly unknown[]): Interface[] {
  // iproute2 prints an empty object for a link that a filter leaves out.
  return (json as readonly IpInterface[]).flatMap(({ ifname, mtu = 0, flags = [], addr_info = [] }) => {
    if (ifname === undefined) return [];
    return {
      name: ifname,
      mtu,
      up: flags.includes("UP"),
      loopback: flags.includes("LOOPBACK"),
      all: addr_info.flatMap(({ local }) => local ?? []),
      usable: { 4: usable(addr_info, 4), 6: usable(addr_info, 6) },
    };
  });
}

/**
 * flannel's order (`pkg/ip/iface.go`, since v0.28): global before link-local, then permanent before dynamic, then lasting
 * before temporary (RFC 8981); deprecated ones not at all. Behind that, an address still in duplicate address detection
 * after one that has passed it, and secondary after primary.
 */
function usable(addresses: readonly IpFlaggedAddress[], family: Family): string[] {
  return addresses
    .flatMap(({ local, ...flags }) => {
      if (local === undefined || familyOf(local) !== family || flags.deprecated || flags.dadfailed) return [];
      const kind = kindOf(local);
      if (kind === "none") return [];
      const faults = [kind === "local", flags.dynamic, flags.temporary, flags.tentative, flags.secondary];
      return { local, rank: faults.map((fault) => (fault ? "1" : "0")).join("") };
    })
    .sort((a, b) => Number(a.rank) - Number(b.rank))
    .map(({ local }) => local);
}

/** IPv6 link-local addresses are none of a node's: they need a zone, and nobody can publish that. */
function kindOf(address: string): "global" | "local" | "none" {
  if (isIPv4(address)) {
    return /^(0|127|22[4-9]|2[345]\d)\./.test(address)
      ? "none"
      : address.startsWith("169.254.")
        ? "local"
        : "global";
  }
  return /^(::1?$|fe[89ab]|ff)/i.test(address) ? "none" : "global";
}

/** @returns the family of an address */
export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

/** @returns an address as iproute2 prints it; null for other text, and for one with a zone */
export function canonicalAddress(text: string): string | null {
  const family = isIP(text);
  if (family !== 6 || text.includes("%")) return family === 4 ? text : null;
  return new SocketAddress({ address: text, family: "ipv6" }).address;
}

/** @returns "eth0 (192.168.0.1, fd00::1), eth1 (down, no address)": what there is to choose from */
export function describeInterfaces(interfaces: readonly Interface[]): string {
  const texts = interfaces
    .filter(({ loopback, usable }) => !loopback || usable[4].length + usable[6].length > 0)
    .map(({ name, up, usable }) => {
      const addresses = [...usable[4], ...usable[6]].slice(0, MOST_SHOWN);
      return `${name} (${[...(up ? [] : ["down"]), addresses.join(", ") || "no address"].join(", ")})`;
    });
  if (texts.length === 0) return "this node has no interface but loopback";
  const more = texts.length > MOST_SHOWN ? ` and ${texts.length - MOST_SHOWN} more` : "";
  return `this node has ${texts.slice(0, MOST_SHOWN).join(", ")}${more}`;
}

/** A node of a cluster has a veth for each pod. */
const MOST_SHOWN = 8;
