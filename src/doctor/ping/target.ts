/** Which peer is meant: by its public IP, its VTEP's MAC, its subnet or an address in it, or the name of its lease. Pure. */
import type { AgentStatus, OverlayStatus } from "../../agent/api/status-types.ts";
import { addressOf, type Cidr, cidrContains, parseCidr } from "../../control/address.ts";

/** Whom to ping. */
export interface Target {
  readonly overlay: OverlayStatus;
  readonly publicIp: string;
  /** Null of a VTEP that is flooded to, of which no more than its address is known. */
  readonly vtepMac: string | null;
  readonly subnets: readonly string[];
  /** The name of its lease; null where it has none. */
  readonly name: string | null;
  /** The address to ping inside; null where none is known. */
  readonly inside: string | null;
}

/**
 * @param vni of the overlay; undefined for all
 * @returns null where nobody is meant
 */
export function findTarget(word: string, { overlays }: AgentStatus, vni?: number): Target | null {
  const wanted = word.toLowerCase();
  const address = hostOf(wanted);
  for (const overlay of overlays.filter(({ device }) => vni === undefined || device.vni === vni)) {
    for (const { publicIp, vtepMac, subnets, lease } of overlay.peers) {
      const cidrs = subnets.map((text) => parseCidr(text));
      const name = lease?.key ?? null;
      const named = [publicIp, vtepMac, ...subnets, name?.toLowerCase()].includes(wanted);
      const within = address !== null && cidrs.some((cidr) => cidrContains(cidr, address));
      if (!named && !within) continue;
      const inside = within && !named ? address : firstInside(cidrs, overlay);
      return { overlay, publicIp, vtepMac, subnets, name, inside };
    }
    const remote = overlay.flooding.remotes.find((one) => one.address === wanted);
    if (remote === undefined) continue;
    return { overlay, publicIp: remote.address, vtepMac: null, subnets: [], name: null, inside: null };
  }
  return null;
}

/** Where flannel puts its device's address: the first of the subnet, of a family that our own device has. */
function firstInside(cidrs: readonly Cidr[], { device }: OverlayStatus): string | null {
  const families = device.addresses.map((text) => parseCidr(text).family);
  const cidr = cidrs.find(({ family }) => families.includes(family));
  return cidr === undefined ? null : addressOf(cidr.family, cidr.first);
}

/** @returns the canonical address that a word is; null for another word */
function hostOf(word: string): string | null {
  try {
    return parseCidr(`${word}/${word.includes(":") ? 128 : 32}`).address;
  } catch {
    return null;
  }
}

/** What there is to choose from, for who named none of them. */
export function describeTargets({ overlays }: AgentStatus): string {
  const all = overlays.flatMap(({ peers, flooding }) => [
    ...peers.map(({ publicIp, lease }) => (lease === null ? publicIp : `${publicIp} (${lease.key})`)),
    ...flooding.remotes.map(({ address }) => address),
  ]);
  if (all.length === 0) return "this agent has no peers";
  const more = all.length > MOST_SHOWN ? ` and ${all.length - MOST_SHOWN} more` : "";
  return `the peers are ${all.slice(0, MOST_SHOWN).join(", ")}${more}`;
}

const MOST_SHOWN = 8;
