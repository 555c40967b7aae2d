/**
 * What the agent tells the world, and what the world may ask of it: the contract between the API server
 * (`server.ts`), its client (`client.ts`) and the agent, which implements `AgentView`.
 *
 * The JSON is versioned: `schema` grows when a field changes its meaning or goes away; new fields may appear at any
 * time. Times are ISO 8601 in UTC, durations seconds, sizes bytes.
 */
import type { CounterSnapshot } from "../../dataplane/counters.ts";
import type { OffloadName } from "../../dataplane/offloads.ts";
import type { FdbChange, FdbReason, FdbRow, NeighbourChange } from "../../dataplane/options.ts";
import type { UnderlayCapabilities } from "../../dataplane/ports.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";
import type { GroupPolicy } from "../../wire/vxlan.ts";

/** Version of the JSON below. */
export const SCHEMA = 1;

/** Where an agent listens when nobody says otherwise. */
export const DEFAULT_SOCKET = "/run/poplin/agent.sock";

/**
 * `starting`: nothing is forwarded yet. `degraded`: it forwards, but not everything that the configuration asks for
 * (a health line says what). `stopping`: it has been told to end.
 */
export type AgentState = "starting" | "running" | "degraded" | "stopping";

export interface DeviceStatus {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly vni: number;
  /** "10.244.1.0/32": with the prefix length. */
  readonly addresses: readonly string[];
}

export interface UnderlayStatus {
  /** "batch", "dgram" or "raw". */
  readonly kind: string;
  readonly family: 4 | 6;
  /** Address the socket is bound to; the wildcard as "0.0.0.0" or "::". */
  readonly local: string;
  readonly port: number;
  /** Interface that carries the underlay, where it is known. */
  readonly uplink: string | null;
  readonly capabilities: UnderlayCapabilities;
  /** Bytes the kernel really reserved; 0 where the underlay does not know. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** What the kernel granted only in part. */
  readonly warnings: readonly string[];
}

export interface PolicyStatus {
  readonly senderCheck: "strict" | "mac" | "off";
  readonly reservedBits: "rfc" | "linux";
  /** Outer TOS byte, or `inherit`. */
  readonly tos: "inherit" | number;
  /** Outer TTL or hop limit; `auto` is the kernel's default. */
  readonly ttl: "auto" | "inherit" | number;
  readonly df: "unset" | "set" | "inherit";
  /** Outer IPv6 flow label; 0 over IPv4. */
  readonly flowlabel: number;
  /** Zero UDP checksums are accepted over IPv6. */
  readonly udp6zerocsumrx: boolean;
  /** Inner VLAN tags: left alone, or as RFC 7348 section 6.1 has it. */
  readonly vlan: "pass" | "rfc";
  /** What the header of all that is sent says; null where group policies are not understood. */
  readonly gbp: GroupPolicy | null;
}

export interface PeerStatus {
  readonly publicIp: string;
  readonly vtepMac: string;
  readonly subnets: readonly string[];
  /**
   * "ok": host rows and FDB row were in place as of the last reconciliation. Anything else is what went wrong then, in
   * a sentence.
   */
  readonly state: string;
  /** Null while nothing is known. */
  readonly pathMtu: PathMtuStatus | null;
  /** The lease that it came from, and since when it is known; null for one that stands in the file. */
  readonly lease: { readonly key: string; readonly since: string } | null;
}

/** How large a packet may be on its way through the underlay to a peer. */
export interface PathMtuStatus {
  /** The largest IP packet that gets there whole. */
  readonly bytes: number;
  /** What a full packet of the overlay needs. */
  readonly needed: number;
  /**
   * `probe`: echo requests of that size had replies. `kernel`: its route says so, or ICMP from a router has taught it.
   * `assumed`: it is the uplink's MTU, and nobody has said otherwise: the peer does not answer pings, or was not asked.
   */
  readonly how: "probe" | "kernel" | "assumed";
  /** Since when, and for a probe when it was last made. */
  readonly at: string;
}

/** A VTEP that gets a copy of what is flooded. */
export interface RemoteStatus {
  readonly address: string;
  /** As of a peer. */
  readonly pathMtu: PathMtuStatus | null;
}

/** Where frames go whose MAC has no row, and what is learned from those that come. */
export interface FloodStatus {
  readonly group: string | null;
  readonly remotes: readonly RemoteStatus[];
  /** Frames per second, 0 for any number. */
  readonly rate: number;
}

export interface LearningStatus {
  readonly on: boolean;
  /** Seconds, 0 for ever. */
  readonly ageing: number;
  /** Rows, 0 for any number. */
  readonly maxaddress: number;
}

/** Free and total slots of one direction's pool (`arena.ts`). */
export interface SlotStatus {
  readonly free: number;
  readonly count: number;
}

export interface DataplaneStatus {
  /** `worker`: a blocking loop in a thread of its own. `event-loop`: libuv turns it. */
  readonly driver: "worker" | "event-loop";
  /** Threads that move packets, each with a queue of the TAP and a socket of its own. */
  readonly queues: number;
  /** Microseconds that a thread looks for a packet before it sleeps. */
  readonly spin: "auto" | "off" | number;
  /** Null while the dataplane is not up, or did not answer. */
  readonly slots: { readonly tx: SlotStatus; readonly rx: SlotStatus } | null;
  /** What the last received packet said that named a group; null where none has, or `policy.gbp` is null. */
  readonly lastGroup: GroupPolicy | null;
}

/** One offload (`dataplane/offloads.ts`). */
export interface OffloadStatus {
  readonly on: boolean;
  /** Why it is not on, in words; null when it is. */
  readonly why: string | null;
}

export interface ReloadStatus {
  readonly at: string;
  readonly ok: boolean;
  /** What changed, or why nothing did. */
  readonly message: string;
}

export interface ConfigStatus {
  /** Null when everything came from flags and the environment. */
  readonly file: string | null;
  readonly loadedAt: string;
  readonly lastReload: ReloadStatus | null;
}

/** One thing an operator should know. */
export interface HealthLine {
  readonly level: "info" | "warning" | "error";
  /** What is wrong and why, in a sentence. */
  readonly message: string;
  /** The next command or change; null when there is nothing to do. */
  readonly remedy: string | null;
}

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

/** One overlay: a VNI with its device, peers and rows. */
export interface OverlayStatus {
  readonly device: DeviceStatus;
  readonly policy: PolicyStatus;
  readonly peers: readonly PeerStatus[];
  readonly flooding: FloodStatus;
  readonly learning: LearningStatus;
  /** Whether ARP and neighbour solicitations are answered here. */
  readonly proxy: boolean;
}

/** One underlay: its socket, the threads that move packets over it, and whose packets they are. */
export interface CarrierStatus extends UnderlayStatus {
  /** Devices of the overlays that it carries. */
  readonly devices: readonly string[];
  readonly dataplane: DataplaneStatus;
  /** At this moment; all off until the dataplane is up. */
  readonly offloads: Readonly<Record<OffloadName, OffloadStatus>>;
}

/** Everything that `poplin status` shows. What is one overlay's, or one underlay's, is that of the first. */
export interface AgentStatus extends OverlayStatus {
  readonly schema: typeof SCHEMA;
  /** poplin's version. */
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  /** Seconds since the start. */
  readonly uptime: number;
  readonly state: AgentState;
  /** All of them, the first included. */
  readonly overlays: readonly OverlayStatus[];
  readonly underlay: UnderlayStatus;
  readonly memory: { readonly rss: number };
  readonly dataplane: DataplaneStatus;
  /** At this moment; all off until the dataplane is up. */
  readonly offloads: Readonly<Record<OffloadName, OffloadStatus>>;
  /** All of them, the first included: one, or with dual stack one for each address family. */
  readonly underlays: readonly CarrierStatus[];
  readonly config: ConfigStatus;
  readonly health: readonly HealthLine[];
  /** Null where the peers are not a flannel cluster's. */
  readonly cluster: ClusterStatus | null;
}

/** What a node of a flannel cluster says beside its agent. */
export interface ClusterView {
  /** Whether a route of the underlay may decide how a peer is reached (flannel's DirectRouting). */
  readonly routesMatter: boolean;
  /** Told when something has changed in this node's kernel that may concern it. */
  hostChanged(): void;
  status(): ClusterStatus;
  leases(): readonly LeaseStatus[];
}

/** Which overlay is meant. Two may have one VNI, each over an underlay of its own; devices have different names. */
export interface OverlayChoice {
  readonly vni?: number;
  readonly dev?: string;
}

/** What belongs to an overlay, with the name of its device. */
export type OfDevice<T> = T & { readonly dev: string };

/** Why a row is as it is. */
export interface DeviceFdbReason extends FdbReason {
  readonly row: OfDevice<FdbRow>;
}

/**
 * The agent, as the API server sees it. A choice that names nothing means all overlays, and of a change the only one.
 * @throws AgentError `NO_SUCH_VNI`, `NO_SUCH_DEVICE`, `UNAVAILABLE`, and for a change `WHICH_VNI`
 */
export interface AgentView {
  status(): Promise<AgentStatus>;
  stats(choice?: OverlayChoice): CounterSnapshot;
  fdb(choice?: OverlayChoice): Promise<readonly OfDevice<FdbRow>[]>;
  /** @throws AgentError (or any Error with a string `code`) whose code is a key of `REFUSALS` */
  changeFdb(change: FdbChange, choice?: OverlayChoice): Promise<void>;
  /** Why the rows of a MAC are as they are; none where it has none. @throws as `changeFdb` */
  why(mac: string, choice?: OverlayChoice): Promise<readonly DeviceFdbReason[]>;
  /** Forgets what was learned. @returns how many rows that were */
  flushFdb(choice?: OverlayChoice): Promise<number>;
  neighbours(choice?: OverlayChoice): Promise<readonly OfDevice<Neighbour>[]>;
  /** @throws as `changeFdb` */
  changeNeighbour(change: NeighbourChange, choice?: OverlayChoice): Promise<void>;
  /** All leases of the cluster's store. @throws AgentError `NO_CLUSTER` */
  leases(): readonly LeaseStatus[];
  /** What the next comparison would change, a step each, in the words of iproute2; none when all is in place. */
  plan(): Promise<readonly string[]>;
  /** Compares, and puts right what is not in place. @returns how many rows were changed */
  reconcile(): Promise<number>;
  /** Calls `heard` with what happens from now on. @returns what ends it; @throws AgentError `UNAVAILABLE` */
  listen(heard: (event: AgentEvent) => void): () => void;
}

/** What is told while it happens: GET /v1/events, a line of JSON each. `at` is when the agent heard of it. */
export type AgentEvent =
  /** There is no row for a unicast destination MAC (the setting `l2miss`). */
  | OfDevice<{ readonly type: "l2miss"; readonly vni: number; readonly mac: string; readonly at: string }>
  /** Somebody asked for an address that is not in the table of neighbours (the setting `l3miss`). */
  | OfDevice<{ readonly type: "l3miss"; readonly vni: number; readonly address: string; readonly at: string }>
  /** So many came faster than they could be told. */
  | { readonly type: "lost"; readonly count: number; readonly at: string };

/** Why the agent refuses a request, with the HTTP status that says so. Another code is answered with 500. */
export const REFUSALS = {
  BAD_MAC: 400,
  /** The same, as `wire/` says it. */
  WIRE_BAD_MAC: 400,
  BAD_ADDRESS: 400,
  /** The VTEP's address is of a family that this underlay does not carry. */
  WRONG_FAMILY: 400,
  NO_SUCH_ROW: 404,
  /** No overlay of the agent has this VNI. */
  NO_SUCH_VNI: 404,
  /** The peers of this agent stand in its file. */
  NO_CLUSTER: 404,
  /** No overlay of the agent has this device. */
  NO_SUCH_DEVICE: 404,
  /** It has several, and the change does not say which is meant. */
  WHICH_VNI: 400,
  ROW_EXISTS: 409,
  /** This kind of row does not know this change. */
  NOT_POSSIBLE: 409,
  /** As many listen to the events as may. */
  TOO_MANY_LISTENERS: 503,
  /** The dataplane is not up yet. */
  UNAVAILABLE: 503,
  DATAPLANE_ENDED: 503,
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** A request the agent refuses, in words for people. */
export class AgentError extends Error {
  readonly code: RefusalCode;
  readonly remedy: string | null;

  constructor(code: RefusalCode, message: string, remedy: string | null = null) {
    super(message);
    this.name = "AgentError";
    this.code = code;
    this.remedy = remedy;
  }
}

/** GET /v1/stats. */
export type StatsAnswer = CounterSnapshot & { readonly schema: typeof SCHEMA };

/** GET /v1/fdb. */
export interface FdbAnswer {
  readonly schema: typeof SCHEMA;
  readonly rows: readonly OfDevice<FdbRow>[];
}

/** GET /v1/fdb/why?mac=…, and as all that is about overlays `vni=` or `dev=` */
export interface WhyAnswer {
  readonly schema: typeof SCHEMA;
  readonly reasons: readonly FdbReasonJson[];
}

/** A row, with the packet that it was learned from. */
export interface FdbReasonJson {
  readonly row: OfDevice<FdbRow>;
  /** Null for a static row, and where the packet is no longer remembered. */
  readonly lesson: {
    readonly at: string;
    /** Outer source address and UDP port. */
    readonly address: string;
    readonly port: number;
    /** Bytes of the inner frame, and the first of them in hexadecimal. */
    readonly length: number;
    readonly frame: string;
  } | null;
}

/** POST /v1/fdb/flush. */
export interface FlushAnswer {
  readonly schema: typeof SCHEMA;
  /** Learned rows that are gone. */
  readonly flushed: number;
}

/** GET /v1/leases. */
export interface LeaseAnswer {
  readonly schema: typeof SCHEMA;
  readonly leases: readonly LeaseStatus[];
}

/** GET /v1/neigh. */
export interface NeighbourAnswer {
  readonly schema: typeof SCHEMA;
  readonly rows: readonly OfDevice<Neighbour>[];
}

/** GET /v1/plan. */
export interface PlanAnswer {
  readonly schema: typeof SCHEMA;
  readonly steps: readonly string[];
}

/** POST /v1/reconcile. */
export interface ReconcileAnswer {
  readonly schema: typeof SCHEMA;
  /** Rows that were not in place, and are now. */
  readonly changed: number;
}

/** What every answer with a status of 400 and above holds. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string | null };
}

/** @returns the underlay that carries this overlay */
export function carrierOf({ underlays }: AgentStatus, { device }: OverlayStatus): CarrierStatus | undefined {
  return underlays.find(({ devices }) => devices.includes(device.name));
}

/**
 * Whether everything that was asked for works: `poplin status` exits with 1 when not. Warnings are no failure.
 * @returns the reasons why not, none when all is well.
 */
export function failures(status: AgentStatus): string[] {
  const reasons: string[] = [];
  if (status.state !== "running") reasons.push(`the agent is ${status.state}`);
  const others = status.overlays.slice(1).flatMap(({ peers }) => peers);
  for (const peer of [...status.peers, ...others]) {
    if (peer.state !== "ok") reasons.push(`peer ${peer.publicIp}: ${peer.state}`);
  }
  for (const line of status.health) if (line.level === "error") reasons.push(line.message);
  return reasons;
}
