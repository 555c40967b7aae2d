/**
 * Stores: where the nodes of a flannel network meet. Each keeps the network's configuration and a lease per node, and
 * tells of the others' leases. They differ in who picks the subnets and in what ends a lease:
 *
 *   file         a directory on shared storage; the node picks; a lease nobody renews for a day ends
 *   etcd         flannel's keys; the node picks; etcd's own lease, a day
 *   kubernetes   the node's object; the cluster picks (podCIDR); a lease ends with its node
 *
 * Contract, held to by `test/contract/store.test.ts`:
 *
 *   - `acquire` gives the same node the same subnets again for as long as nobody else took them, and never two nodes the
 *     same, however closely they race
 *   - a watcher hears of each lease and of each change once, also over a break, however long; the first thing it hears is
 *     all there is
 *   - what a watcher throws is uncaught (`sheltered.ts`): it is no trouble of the store's, and the watch goes on
 *   - nothing a store holds makes it throw: what is no lease is reported as bad, and a lease that becomes bad as removed, too;
 *     where nodes pick, it keeps the subnets that its name names from being picked
 *   - no result depends on what the clock of a node says
 */

import type { LeaseChange } from "../control/flannel/mirror.ts";
import type { NetConf, SubnetSource } from "../control/flannel/net-conf.ts";
import type { LeaseAttributes, NodeLease, NodeSubnets } from "../control/flannel/node-lease.ts";

/** What a node asks for. */
export interface LeaseRequest {
  readonly conf: NetConf;
  readonly attributes: LeaseAttributes;
  /** What it had before (`subnet.env`): taken again where they are free. */
  readonly previous: NodeSubnets | null;
}

/** What the store itself says of this node. */
export interface NodeHints {
  /** Taken for --public-ip and --public-ipv6 (annotations node-public-ip, node-public-ipv6); null: nothing. */
  readonly publicIp: string | null;
  readonly publicIpv6: string | null;
  /** What stands in the node's own entry since it was here last, so that it can keep its MACs. */
  readonly lease: NodeLease | null;
}

/** Of a store in which a node has no entry but its lease: whose that is only the public IP says, and two may have one. */
export const NO_HINTS: NodeHints = { publicIp: null, publicIpv6: null, lease: null };

/** A lease that cannot be kept: somebody removed it, or it ended while the store was out of reach. */
export class LeaseLost extends Error {
  readonly code = "LEASE_LOST";
}

export type StoreErrorCode =
  | "STORE_UNREACHABLE"
  | "STORE_REFUSED"
  | "STORE_NO_CONFIG"
  | "STORE_BAD_CONFIG"
  | "STORE_NO_SUBNET"
  | "STORE_NO_NODE"
  | "STORE_BAD_OPTION";

/** What a store cannot do, in words for people. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly remedy: string;
  /** Whether the same may work in a moment. */
  readonly passing: boolean;

  constructor(code: StoreErrorCode, message: string, remedy = "", passing = false, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "StoreError";
    this.code = code;
    this.remedy = remedy;
    this.passing = passing;
  }
}

/** Who hears of the others' leases. */
export interface Watcher {
  /** Something changed; at first all that there is, maybe nothing. */
  changed(changes: readonly LeaseChange[]): void;
  /** An entry that is no lease, or no more a bad one (null). */
  bad(key: string, reason: string | null): void;
  /** The store cannot be heard (why), or can again (null). Said once each time. */
  heard(trouble: string | null): void;
}

export interface Store {
  /** "etcd at http://127.0.0.1:2379", for messages. */
  readonly name: string;
  /** Whether a node picks its subnets or is given them. */
  readonly subnets: SubnetSource;
  /** The text of net-conf.json. @throws StoreError */
  readNetConf(): Promise<string>;
  /** What the store says of this node before it has a lease: `NO_HINTS` where its entry is not made by others. @throws StoreError */
  readHints(): Promise<NodeHints>;
  /**
   * Gets this node its lease. Called again, it keeps the subnets and publishes the new attributes: that is how a changed
   * public IP or MAC is told.
   * @returns the lease as the others read it (its public IP may be overwritten there)
   * @throws StoreError
   */
  acquire(request: LeaseRequest): Promise<NodeLease>;
  /**
   * Keeps the lease until `close` or `release`.
   * @param lost called once, when it is somebody else's or gone and cannot be had again
   * @param say what happens on the way, a line each
   */
  keep(lost: (error: LeaseLost) => void, say: (line: string) => void): void;
  /** Begins to tell of all leases, our own among them. */
  watch(watcher: Watcher): void;
  /** What happens on success of the whole start: Kubernetes has the node's condition set. */
  announce(): Promise<void>;
  /** Gives the lease back: the subnet is free for others at once. */
  release(): Promise<void>;
  /** Ends watching and keeping. The lease stays. */
  close(): Promise<void>;
}
