/** What has become of a lease that we hold. */
import { hasOurAddress } from "../../control/flannel/choose.ts";
import { formatAttributes, type NodeLease } from "../../control/flannel/node-lease.ts";
import { LeaseLost } from "../store.ts";
import type { Entry } from "./leases.ts";

/** @returns whether it says what we publish */
export function isSame(own: NodeLease, there: NodeLease | undefined): boolean {
  return there !== undefined && formatAttributes(own.attributes) === formatAttributes(there.attributes);
}

/** @returns whether nobody else has its file: it is ours, gone, or damaged */
export function isStill(own: NodeLease, there: Entry | undefined): boolean {
  const lease = there?.lease ?? null;
  return lease === null || isSame(own, lease);
}

/** @param other who has the subnets now. @returns what to say of it */
export function lossOf(own: NodeLease, other: NodeLease): LeaseLost {
  const { publicIp, publicIpv6 } = other.attributes;
  const whose = publicIp ?? publicIpv6 ?? "nobody";
  return new LeaseLost(
    hasOurAddress(other.attributes, own.attributes)
      ? `another node has taken our lease ${own.key}, with our public IP ${whose}: give each node its own`
      : `our subnets ${own.key} are leased to another node now: ${other.key}, ${whose}`,
  );
}
