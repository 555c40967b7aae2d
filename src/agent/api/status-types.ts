/**
 * What the agent says about itself: GET /v1/status (`schema.ts` says how its JSON is versioned), from the parts of an
 * overlay and of an underlay to the whole.
 */
import type { OffloadName } from "../../dataplane/offloads.ts";
import type { UnderlayCapabilities } from "../../dataplane/ports.ts";
import type { GroupPolicy } from "../../wire/vxlan.ts";
import type { Need } from "../privileges.ts";
import type { ClusterStatus } from "./cluster-types.ts";
import type { SCHEMA } from "./schema.ts";

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
  /** The capabilities that it needs as it is configured, each with a reason; one may have several. */
  readonly privileges: readonly Need[];
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
