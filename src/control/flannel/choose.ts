/**
 * Which subnets a node gets where nodes pick them themselves, in flannel's order (`local_manager.go`, tryAcquireLease):
 * those of a lease with our public IP; those we had before; free ones at random. Pure: the store makes it true, and asks
 * again where somebody was faster.
 *
 * Beyond flannel, a node keeps its subnets, and so its pods their addresses, where it can:
 *   - when its public IP changes: the lease that it holds at this moment is its own, and so is one of the subnets it had
 *     before with the MAC of its device. Both count before one that only has our new address: that is of a node which is
 *     gone, since an address has one owner
 *   - when the network gets a second family, or the pool of one changes: the other family's subnet stays
 */
import { cidrsOverlap, type Family, parseCidr } from "../address.ts";
import type { FamilyConf, NetConf } from "./net-conf.ts";
import {
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
  readVxlanData,
  subnetKey,
} from "./node-lease.ts";
import { describeExhausted, inPool, pickSubnet } from "./subnets.ts";

export interface Choice {
  /** Leases of ours that are not `reuse`: to be removed. */
  readonly drop: readonly NodeLease[];
  /** Ours already: to be written again with the new attributes. */
  readonly reuse: NodeLease | null;
  /** To be made; null with `reuse`, or where there is no subnet left. */
  readonly create: NodeSubnets | null;
  /** Why there is neither `reuse` nor `create`: which subnets are all taken. Else null. */
  readonly exhausted: string | null;
}

/**
 * @param leases all that the store holds
 * @param ownKey of the lease that this process holds already, or null
 * @param random as `Math.random`
 */
export function chooseSubnets(
  conf: NetConf,
  attributes: LeaseAttributes,
  previous: NodeSubnets | null,
  leases: readonly NodeLease[],
  ownKey: string | null = null,
  random: () => number = Math.random,
): Choice {
  const former = previous === null ? null : subnetKey(previous);
  const own = [
    leases.filter(({ key }) => key === ownKey),
    leases.filter((lease) => lease.key === former && hasOurMac(lease.attributes, attributes)),
    leases.filter((lease) => hasOurAddress(lease.attributes, attributes)),
  ].flat();
  const reuse =
    own.find(({ subnets }) => suits(conf.ipv4, subnets.ipv4) && suits(conf.ipv6, subnets.ipv6)) ?? null;
  const drop = [...new Set(own)].filter((lease) => lease !== reuse);
  if (reuse !== null) return { drop, reuse, create: null, exhausted: null };

  const others = leases.filter((lease) => !own.includes(lease));
  const had = [...own.map(({ subnets }) => subnets), ...(previous === null ? [] : [previous])];
  const pick = (family: Family): string | Full | null => {
    const of = (subnets: NodeSubnets): string | null => (family === 4 ? subnets.ipv4 : subnets.ipv6);
    const taken = others.map(({ subnets }) => of(subnets)).filter((subnet) => subnet !== null);
    return pickOne(family === 4 ? conf.ipv4 : conf.ipv6, had.map(of), taken, random);
  };
  const [ipv4, ipv6] = [pick(4), pick(6)];
  if (isFull(ipv4)) return { drop, reuse, create: null, exhausted: ipv4.full };
  if (isFull(ipv6)) return { drop, reuse, create: null, exhausted: ipv6.full };
  return { drop, reuse, create: { ipv4, ipv6 }, exhausted: null };
}

/** Why there is no subnet left. */
interface Full {
  readonly full: string;
}

function isFull(picked: string | Full | null): picked is Full {
  return typeof picked === "object" && picked !== null;
}

/** @returns a subnet of one family; null where the family is off */
function pickOne(
  conf: FamilyConf | null,
  had: readonly (string | null)[],
  taken: readonly string[],
  random: () => number,
): string | Full | null {
  if (conf === null) return null;
  const again = had.find((subnet) => subnet !== null && suits(conf, subnet) && isFree(subnet, taken));
  if (again !== undefined) return again;
  if (conf.pool === null) return { full: `there is no pool in ${conf.network.text}` };
  return pickSubnet(conf.pool, taken, random) ?? { full: describeExhausted(conf.pool) };
}

/** flannel knows a node in etcd by its public IPv4 address; in a network of IPv6 alone it has only the other. */
export function hasOurAddress(theirs: LeaseAttributes, ours: LeaseAttributes): boolean {
  if (ours.publicIp !== null) return theirs.publicIp === ours.publicIp;
  return ours.publicIpv6 !== null && theirs.publicIpv6 === ours.publicIpv6;
}

/** A MAC is random, and a device keeps its own: whoever published it is this node. */
function hasOurMac(theirs: LeaseAttributes, ours: LeaseAttributes): boolean {
  const [a, b] = [theirs, ours].map((one) => readVxlanData(one.backendData ?? one.backendV6Data));
  return typeof a === "object" && typeof b === "object" && a.vtepMac === b.vtepMac;
}

/** Whether a node could pick this subnet in this network: of a family that is on, within its pool. */
function suits(conf: FamilyConf | null, subnet: string | null): boolean {
  if (conf === null || subnet === null) return conf === null && subnet === null;
  return conf.pool !== null && inPool(conf.pool, subnet);
}

function isFree(subnet: string, taken: readonly string[]): boolean {
  const wanted = parseCidr(subnet);
  return !taken.some((cidr) => cidrsOverlap(parseCidr(cidr), wanted));
}
