/**
 * The files of the folder as leases. Whatever is there has an entry: a file whose name names a subnet and whose content is
 * no lease keeps that subnet from being picked, which makes an empty file a reservation.
 */
import { setImmediate as othersTurn } from "node:timers/promises";
import {
  type NodeLease,
  type NodeSubnets,
  parseAttributes,
  parseSubnetKey,
} from "../../control/flannel/node-lease.ts";
import { leaseOfNobody } from "../picked.ts";
import { type Calls, callsFor } from "./calls.ts";
import type { Directory } from "./directory.ts";
import { type About, type Content, lookAt, readSmall } from "./small-file.ts";

export interface Entry {
  readonly key: string;
  readonly stamp: string;
  /** Milliseconds, by the filesystem's clock. */
  readonly writtenAt: number;
  /** Null where its name names none. */
  readonly subnets: NodeSubnets | null;
  readonly lease: NodeLease | null;
  /** Why it is no lease; null where it is one, and where that has been seen only once. */
  readonly reason: string | null;
  /** What it will be if it looks the same next time; null where it is settled. */
  readonly next: Entry | null;
  /** When a file that looks like this was first seen, and when it was read last: of `performance.now`. */
  readonly seenAt: number;
  readonly readAt: number;
}

/** All there is, by key. */
export type Entries = ReadonlyMap<string, Entry>;

export const NO_ENTRIES: Entries = new Map();

/** Milliseconds without renewal after which a lease ends: flannel's 24 hours. */
const TTL = 24 * 3600_000;
/** Milliseconds for which files are read without a pause for others. */
const SLICE = 2;
/** Milliseconds after a change until no other can hide behind it: the longest tick of a filesystem's time, FAT's. */
export const TICK = 2000;

/**
 * Reads what is in the folder. A file that was written in the tick in which it was read may have changed since and look the
 * same: it is read once more when that tick is over.
 * @param before what was there: not read again where the file is the same
 * @throws Error of the filesystem, for the folder; that a file cannot be read is said in its entry
 */
export async function readEntries(directory: Directory, before: Entries = NO_ENTRIES): Promise<Entries> {
  // A folder that changes while it is listed may be listed without a name that is there all the time.
  const keys = [...new Set([...(await directory.names()), ...before.keys()])].sort();
  const read: (Entry | null)[] = new Array(keys.length).fill(null);
  const calls = await callsFor(directory.leases);
  let at = 0;
  let since = performance.now();
  const reader = async (): Promise<void> => {
    while (at < keys.length) {
      const i = at++;
      const key = keys[i]!;
      read[i] = await readEntry(calls, directory.leases, key, before.get(key) ?? null);
      if (performance.now() - since < SLICE) continue;
      await othersTurn();
      since = performance.now();
    }
  };
  await Promise.all(Array.from({ length: calls.atOnce }, reader));
  return new Map(read.filter((entry) => entry !== null).map((entry) => [entry.key, entry]));
}

async function readEntry(
  calls: Calls,
  folder: string,
  key: string,
  before: Entry | null,
): Promise<Entry | null> {
  const path = `${folder}/${key}`;
  const about = await lookAt(path, "refuse", calls);
  if (about === null) return null;
  const known = before !== null && before.stamp === about.stamp ? (before.next ?? before) : null;
  const now = performance.now();
  // Until the tick is over the file may change again and look the same: one look after that will do.
  if (known !== null && (isSettled(known) || now - known.seenAt < TICK)) return known;
  const content = await readSmall(path, about, "refuse", calls);
  if (content === null) return null;
  const entry = { ...entryOf(key, about, content), seenAt: known?.seenAt ?? now, readAt: now };
  if (entry.lease !== null || before === null || before.lease === null) return entry;
  if (before.next?.stamp === entry.stamp) return entry;
  // Somebody may be writing it in place, and it is empty for a moment: until then it says what it said.
  return { ...entry, lease: before.lease, reason: null, next: entry };
}

/** @returns whether nothing can have changed since it was read and look the same */
export function isSettled({ seenAt, readAt }: Entry): boolean {
  return readAt - seenAt >= TICK;
}

function entryOf(
  key: string,
  { stamp, writtenAt }: About,
  { text, reason }: Content,
): Omit<Entry, "seenAt" | "readAt"> {
  const subnets = parseSubnetKey(key);
  const entry = { key, stamp, writtenAt, subnets, lease: null, next: null };
  if (subnets === null) return { ...entry, reason: "its name names no subnet, as 10.244.1.0-24 does" };
  if (text === null) return { ...entry, reason };
  if (text.trim() === "") return { ...entry, reason: "it is empty: its subnet is kept free" };
  try {
    const lease = { key, subnets, attributes: parseAttributes(text) };
    return { ...entry, lease, reason: null };
  } catch (error) {
    return { ...entry, reason: `its content is no lease: ${(error as Error).message}` };
  }
}

/** @returns leases, and as leases of nobody what keeps a subnet without being one */
export function claimsIn(entries: Iterable<Entry>): NodeLease[] {
  const claims: NodeLease[] = [];
  for (const { key, subnets, lease } of entries) {
    if (lease !== null) claims.push(lease);
    else if (subnets !== null) claims.push(leaseOfNobody(key, subnets));
  }
  return claims;
}

/**
 * @param now by the filesystem's clock, milliseconds
 * @returns the leases that nobody has renewed in time
 */
export function endedIn(entries: Entries, now: number): Entry[] {
  return [...entries.values()].filter(({ lease, writtenAt }) => lease !== null && now - writtenAt > TTL);
}
