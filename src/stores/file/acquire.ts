/** How a node gets its lease, under the lock: choose, remove what has ended, write. */
import { join } from "node:path";
import { type Choice, chooseSubnets } from "../../control/flannel/choose.ts";
import { formatAttributes, type NodeLease, subnetKey } from "../../control/flannel/node-lease.ts";
import { ATTEMPTS, isNamed, noneLeft, outrun } from "../picked.ts";
import type { LeaseRequest } from "../store.ts";
import { type Directory, remove } from "./directory.ts";
import { claimsIn, type Entries, type Entry, endedIn, readEntries } from "./leases.ts";
import { isStill } from "./own.ts";

/**
 * @param own the lease that this process holds already, or null
 * @param now by the filesystem's clock, milliseconds
 * @throws StoreError, or Error of the filesystem
 */
export async function acquireLease(
  directory: Directory,
  request: LeaseRequest,
  own: NodeLease | null,
  now: number,
): Promise<NodeLease> {
  const { attributes } = request;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { drop, reuse, create, exhausted } = await choose(directory, request, own, now);
    for (const { key } of drop) await remove(join(directory.leases, key));
    if (reuse !== null) {
      await directory.replace(join(directory.leases, reuse.key), formatAttributes(attributes));
      return { ...reuse, attributes };
    }
    if (create === null) throw noneLeft(directory.leases, exhausted);
    const lease = { key: subnetKey(create), subnets: create, attributes };
    if (await make(directory, lease)) return lease;
  }
  // That takes nodes that were stopped while they held the lock.
  throw outrun(directory.leases);
}

/** Chooses among what has not ended, and removes what has: others' leases, never one that would be ours again. */
async function choose(
  directory: Directory,
  { conf, attributes, previous }: LeaseRequest,
  own: NodeLease | null,
  now: number,
): Promise<Choice> {
  const entries: Entries = await readEntries(directory);
  const ownKey = own !== null && isStill(own, entries.get(own.key)) ? own.key : null;
  const former = own?.subnets ?? previous;
  const among = (all: Iterable<Entry>): Choice =>
    chooseSubnets(conf, attributes, former, claimsIn(all), ownKey);
  const choice = among(entries.values());
  const ours = [choice.reuse, ...choice.drop].map((lease) => lease?.key);
  const ended = endedIn(entries, now).filter(({ key }) => !ours.includes(key));
  if (ended.length === 0) return choice;
  for (const { key } of ended) await remove(join(directory.leases, key));
  return among([...entries.values()].filter((entry) => !ended.includes(entry)));
}

/**
 * Makes the file of a new lease, and looks whether it is alone: a node that was stopped while it held the lock may have
 * made another with the same subnet in its name. @returns whether it is ours
 */
async function make(directory: Directory, lease: NodeLease): Promise<boolean> {
  const path = join(directory.leases, lease.key);
  if (!(await directory.create(path, formatAttributes(lease.attributes))).made) return false;
  const isAlone = !isNamed(lease, await directory.names());
  if (!isAlone) await remove(path);
  return isAlone;
}
