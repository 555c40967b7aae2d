/** What the stores have in common in which nodes pick their subnets themselves: etcd and the directory. Pure. */
import { cidrsOverlap, parseCidr } from "../control/address.ts";
import {
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
  parseSubnetKey,
} from "../control/flannel/node-lease.ts";
import { StoreError } from "./store.ts";

/** How often somebody else may be faster (flannel's raceRetries). */
export const ATTEMPTS = 10;

/** What an entry publishes that is no lease. */
const NOBODY: LeaseAttributes = {
  publicIp: null,
  publicIpv6: null,
  backendType: "",
  backendData: null,
  backendV6Data: null,
};

/** @returns an entry that is no lease, but whose name keeps its subnets from being picked: a lease of nobody */
export function leaseOfNobody(key: string, subnets: NodeSubnets): NodeLease {
  return { key, subnets, attributes: NOBODY };
}

/** @returns whether two nodes cannot have these at the same time */
export function subnetsOverlap(a: NodeSubnets, b: NodeSubnets): boolean {
  const overlap = (one: string | null, other: string | null): boolean =>
    one !== null && other !== null && cidrsOverlap(parseCidr(one), parseCidr(other));
  return overlap(a.ipv4, b.ipv4) || overlap(a.ipv6, b.ipv6);
}

/** @returns the first of these that has a part of our subnets, and is not ours itself; null without one */
export function inTheWay(
  { key, subnets }: Pick<NodeLease, "key" | "subnets">,
  leases: Iterable<NodeLease>,
): NodeLease | null {
  for (const lease of leases) if (lease.key !== key && subnetsOverlap(lease.subnets, subnets)) return lease;
  return null;
}

/** @returns whether one of these names names a part of our subnets: of two nodes that look so, at least one sees the other */
export function isNamed(
  { key, subnets }: Pick<NodeLease, "key" | "subnets">,
  names: readonly string[],
): boolean {
  return names.some((name) => {
    const others = name === key ? null : parseSubnetKey(name);
    return others !== null && subnetsOverlap(others, subnets);
  });
}

/** @param where the leases are. @param exhausted which subnets are all taken */
export function noneLeft(where: string, exhausted: string | null): StoreError {
  const remedy =
    "make Network larger or SubnetLen longer in its config, or remove leases of nodes that are gone";
  return new StoreError("STORE_NO_SUBNET", `all subnets in ${where} are taken: ${exhausted}`, remedy);
}

/** @param store its name. @returns what to say after `ATTEMPTS` */
export function outrun(store: string): StoreError {
  const message = `${store}: other nodes were faster ${ATTEMPTS} times`;
  return new StoreError("STORE_REFUSED", message, "try it again", true);
}
