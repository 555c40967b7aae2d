/** What a node of a flannel cluster says beside its agent: its own lease, and those of others. */
import type { StoreMeter } from "../metrics/histogram.ts";

/** A lease in the store of a flannel cluster: this node's, another's, or what should be one and is none. */
export interface LeaseStatus {
  /** The store's name for it: the subnet as in etcd's key ("10.244.1.0-24"), the node's name in Kubernetes. */
  readonly key: string;
  /** Whether it is this node's. */
  readonly own: boolean;
  readonly subnets: readonly string[];
  readonly publicIps: readonly string[];
  readonly backendType: string;
  /** As they stand there, checked or not. */
  readonly vtepMacs: readonly string[];
  /** When we first heard of it; null for what is no lease. */
  readonly since: string | null;
  /** Why it makes no peer, with what to do; null where nothing is wrong. */
  readonly problem: string | null;
}

/** This node as one of a flannel cluster. */
export interface ClusterStatus {
  /** The store, in words: "etcd at http://127.0.0.1:2379". */
  readonly store: string;
  /** Why it is not heard at this moment; null where it is. Leases that are known stay in force. */
  readonly trouble: string | null;
  /** The key of this node's lease. */
  readonly lease: string;
  readonly networks: readonly string[];
  readonly subnets: readonly string[];
  readonly publicIps: readonly string[];
  readonly subnetFile: string;
  readonly firewall: {
    readonly kind: "iptables" | "nftables";
    /** Why its rules are not in place; null where they are. */
    readonly trouble: string | null;
  };
  /** How many leases the store has, this node's among them, and how many make no peer. */
  readonly leases: { readonly count: number; readonly bad: number };
}

/** What a node of a flannel cluster says beside its agent. */
export interface ClusterView {
  /** Whether a route of the underlay may decide how a peer is reached (flannel's DirectRouting). */
  readonly routesMatter: boolean;
  /** Told when something has changed in this node's kernel that may concern it. */
  hostChanged(): void;
  status(): ClusterStatus;
  leases(): readonly LeaseStatus[];
  /** Why pods cannot be set up on this node yet, or not any more; nothing where they can. */
  notReady(): readonly string[];
  /** What the store's operations take. */
  readonly meter: StoreMeter;
}
