/** One lease, read for one family: the peer that it would make, or what is wrong with it. */
import { addressKind, type Cidr, type Family, parseCidr } from "../address.ts";
import type { Lease } from "../lease.ts";
import { shown } from "./fields.ts";
import type { FamilyConf } from "./net-conf.ts";
import { type NodeLease, readVxlanData } from "./node-lease.ts";

/** What we know of ourselves and of the network. */
export interface Ours {
  readonly family: Family;
  readonly conf: FamilyConf;
  readonly vni: number;
  readonly port: number;
  /** Our key: a store holds our own lease, too. */
  readonly key: string;
  readonly subnet: string;
  readonly publicIp: string;
  /** What we send from, where that is another address: behind a router that has the public IP. */
  readonly local?: string;
  /** Lower case, with colons. */
  readonly vtepMac: string;
}

export interface Candidate {
  readonly key: string;
  readonly peer: Lease;
  /** Its subnet. */
  readonly range: Cidr;
  /** Its public IP. */
  readonly host: Cidr;
}

/** What was made of leases, by whom it was made for: to read addresses is what takes the time. */
const made = new WeakMap<Ours, WeakMap<NodeLease, Candidate | string | null>>();

/**
 * @param ours the same object each time: what was read of a lease is remembered with both
 * @returns the peer that it asks to be; in words, why it can be none; null where it has nothing to do with this family
 */
export function candidateOf(lease: NodeLease, ours: Ours): Candidate | string | null {
  const known = made.get(ours) ?? new WeakMap<NodeLease, Candidate | string | null>();
  made.set(ours, known);
  const before = known.get(lease);
  if (before !== undefined) return before;
  const candidate = read(lease, ours);
  known.set(lease, candidate);
  return candidate;
}

function read({ key, subnets, attributes }: NodeLease, ours: Ours): Candidate | string | null {
  const { family, conf, vni, port } = ours;
  const subnet = family === 4 ? subnets.ipv4 : subnets.ipv6;
  const publicIp = family === 4 ? attributes.publicIp : attributes.publicIpv6;
  if (subnet === null) return null;
  if (attributes.backendType.toLowerCase() !== "vxlan") {
    return `its backend is ${shown(attributes.backendType)}, and ours "vxlan": a network has one backend`;
  }
  if (publicIp === null) return `it has a subnet of IPv${family}, but no public IPv${family} address`;
  const host = hostOf(publicIp, family);
  if (host === null) return `its public IP is ${shown(publicIp)}, and no IPv${family} address of a node's`;
  const range = rangeOf(subnet, family);
  if (range === null) return `its subnet is ${shown(subnet)}, and no IPv${family} network`;
  if (range.first < conf.network.first || range.last > conf.network.last) {
    return `its subnet ${range.text} is not in the network ${conf.network.text}: see net-conf.json on that node`;
  }
  const data = readVxlanData(family === 4 ? attributes.backendData : attributes.backendV6Data);
  if (typeof data === "string") return data;
  if (data.vni !== null && data.vni !== vni) {
    return `its VNI is ${data.vni}, and ours ${vni}: neither would take the other's packets`;
  }
  return { key, peer: { publicIp, port, vtepMac: data.vtepMac, subnets: [range.text] }, range, host };
}

/** @returns an address as a range; null where it can be no node's */
export function hostOf(address: string, family: Family): Cidr | null {
  const host = rangeOf(`${address}/${family === 4 ? 32 : 128}`, family);
  return host !== null && addressKind(host.address) === "unicast" ? host : null;
}

/** @returns a network without host bits; null where it is none of this family */
export function rangeOf(text: string, family: Family): Cidr | null {
  try {
    const { network, prefix, family: its } = parseCidr(text);
    return its === family ? parseCidr(`${network}/${prefix}`) : null;
  } catch {
    return null;
  }
}
