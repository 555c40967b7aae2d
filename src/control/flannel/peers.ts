/**
 * Leases of other nodes → peers, one family at a time, and for each lease that makes none the reason. A lease that is
 * wrong costs its own node the connection, and nobody else: flannel logs and goes on, and so do we, but we also say it in
 * `poplin status`.
 *
 * Where two leases want the same MAC or parts of the same subnet, the one that was there first keeps it: this node before
 * all others, then what was followed until now, then the order of the leases. So a node that publishes another's MAC by
 * mistake takes nothing from it, and nothing goes back and forth. When the holder's lease is gone, the other one's turn
 * comes at once.
 */
import { type Lease, sameLease } from "../lease.ts";
import { type Candidate, candidateOf, type Ours } from "./candidate.ts";
import { Claims } from "./claims.ts";
import type { NodeLease } from "./node-lease.ts";

export type { Ours } from "./candidate.ts";

/** A lease that cannot be followed. */
export interface BadLease {
  readonly key: string;
  /** One line: what is wrong, and what to do. */
  readonly reason: string;
}

export interface Peers {
  /** With the key of the lease that each came from, in the order of the leases. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly bad: readonly BadLease[];
}

/**
 * Near-linear in the number of leases, and done anew on each change of one: what was read of a lease is remembered as long
 * as both objects, the lease and `ours`, are the same.
 * @param leases of all nodes, our own among them, in the order in which they came
 * @param before what this returned before the change; it gives whoever has something the right to keep it
 * @returns the peers of one family
 */
export function peersOf(leases: Iterable<NodeLease>, ours: Ours, before: Peers = NOBODY): Peers {
  const candidates: Candidate[] = [];
  const reasons = new Map<string, string | null>();
  for (const lease of leases) {
    const candidate = lease.key === ours.key ? null : candidateOf(lease, ours);
    if (candidate === null) continue;
    reasons.set(lease.key, typeof candidate === "string" ? candidate : null);
    if (typeof candidate !== "string") candidates.push(candidate);
  }
  const claims = new Claims(ours);
  const ranks = candidates.map(({ key, peer }) => rankOf(peer, before.leases.get(key)));
  for (const rank of [0, 1, 2]) {
    candidates.forEach((candidate, i) => {
      if (ranks[i] === rank) reasons.set(candidate.key, claims.claim(candidate));
    });
  }
  const good = candidates.filter(({ key }) => reasons.get(key) === null);
  return {
    leases: new Map(good.map(({ key, peer }) => [key, peer])),
    bad: [...reasons].flatMap(([key, reason]) => (reason === null ? [] : [{ key, reason }])),
  };
}

const NOBODY: Peers = { leases: new Map(), bad: [] };

/** Who has changed keeps what is the same about it, but not against one that has it and says what it always said. */
function rankOf(peer: Lease, before: Lease | undefined): 0 | 1 | 2 {
  if (before === undefined) return 2;
  return sameLease(peer, before) ? 0 : 1;
}
