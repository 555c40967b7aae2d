/** A key of etcd's under PREFIX/subnets/, read: a lease, or why it is none. */
import type { IKeyValue } from "etcd3";
import { type NodeLease, parseAttributes, parseSubnetKey } from "../../control/flannel/node-lease.ts";
import { leaseOfNobody } from "../picked.ts";

/** The etcd lease of a reservation. */
export const NO_LEASE = "0";
/** A lease has 200 bytes; what is a hundred times as long was not written by a node. */
const MOST_BYTES = 64 * 1024;

/** A lease, and what etcd says of its key. */
export interface Entry {
  readonly lease: NodeLease;
  readonly etcdLease: string;
  readonly modRevision: string;
}

/** A key that is no lease. */
export interface BadEntry {
  readonly key: string;
  readonly reason: string;
}

/**
 * Reads a key. Never throws, whatever it holds.
 * @param key its name: what it has after PREFIX/subnets/
 */
export function readEntry(key: string, kv: IKeyValue): Entry | BadEntry {
  const subnets = parseSubnetKey(key);
  if (subnets === null) return { key, reason: "its key names no subnet, as 10.244.1.0-24 does" };
  if (kv.value.length > MOST_BYTES) {
    return { key, reason: `it has ${kv.value.length} bytes, and a lease some two hundred` };
  }
  if (kv.value.length === 0) return { key, reason: "it is empty: its subnet is kept free" };
  try {
    const lease = { key, subnets, attributes: parseAttributes(kv.value.toString()) };
    return { lease, etcdLease: kv.lease, modRevision: kv.mod_revision };
  } catch (error) {
    return { key, reason: `its value is no lease: ${(error as Error).message.slice(0, 200)}` };
  }
}

/** Keys that name subnets and hold rubbish: whose they are nobody knows, but they cannot be made. */
export function takenByBad(bad: readonly BadEntry[]): NodeLease[] {
  return bad.flatMap(({ key }) => {
    const subnets = parseSubnetKey(key);
    return subnets === null ? [] : [leaseOfNobody(key, subnets)];
  });
}
