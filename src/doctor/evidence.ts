/**
 * What doctor gathers before it judges: plain data, so that it can be written down and judged again (`test/doctor/`).
 * Null stands for what could not be looked at, or makes no sense here.
 */
import type { AgentStatus, CarrierStatus, OverlayStatus, PeerStatus } from "../agent/api/status-types.ts";
import type { FdbRow } from "../dataplane/options.ts";
import type { Link } from "../host/link.ts";
import type { NeighbourRow } from "../host/rows.ts";
import type { SubnetEnvFamily } from "../host/subnet-env.ts";
import type { ProcessName } from "../io/linux/holders.ts";
import type { Blocked } from "./firewall/packet.ts";

export interface Evidence {
  readonly rights: Rights;
  /** Opening /dev/net/tun. */
  readonly tun: Attempt;
  /** Before there is an agent (`--pre`). */
  readonly start: StartEvidence | null;
  /** Where there should be one. */
  readonly agent: AgentEvidence | null;
  /** Where it answered. */
  readonly node: NodeEvidence | null;
}

/** Something that was tried. */
export interface Attempt {
  /** "" when it worked, else the errno's name or the code of the error. */
  readonly code: string;
  /** Why it did not. */
  readonly message: string;
  /** What to do about it, where the error says so. */
  readonly remedy: string;
}

export interface Rights {
  /** Capabilities of this process, the effective ones. */
  readonly netAdmin: boolean;
  readonly netRaw: boolean;
  /** Opening a socket that sends echo requests. */
  readonly echo: Attempt;
}

export interface StartEvidence {
  /** Node's version, "20.19.0". */
  readonly nodeVersion: string;
  /** "6.18.44" */
  readonly kernel: string;
  readonly shim: Attempt;
  /** Making a TAP, which is gone again. */
  readonly tap: Attempt;
  /** Programs that are not there. */
  readonly missing: readonly string[];
  /** Finding the interface to the other nodes. */
  readonly uplink: Attempt & { readonly found: { device: string; mtu: number; address: string } | null };
  /** The overlay's MTU there. */
  readonly mtu: Attempt;
  readonly port: { readonly number: number; readonly bind: Attempt };
  /** What has the device's name, and why it cannot be ours; null where it can. */
  readonly device: { readonly name: string; readonly taken: string | null };
  /** Bytes that are asked for, and what the kernel granted. */
  readonly buffers: { readonly wanted: number; readonly granted: number };
  /** Offloads that the kernel refuses, and why. */
  readonly offloads: readonly OffloadEvidence[];
  /** net.ipv4.ip_forward; null where it cannot be read. */
  readonly forwarding: string | null;
  /** The agent that answers on the socket that this one would have; null where none does. */
  readonly running: { readonly pid: number; readonly socket: string } | null;
}

export interface OffloadEvidence {
  readonly name: string;
  readonly why: string;
}

export interface AgentEvidence {
  readonly socket: string;
  /** Asking it for its status. */
  readonly answer: Attempt;
  /** Devices of our kind on this host, and who holds them. */
  readonly taps: readonly TapEvidence[];
}

export interface TapEvidence {
  readonly name: string;
  /** How many processes hold open: the kernel knows also of those that we may not look into. */
  readonly queues: number;
  /** "T (stopped)" and the like, as /proc says. */
  readonly holders: readonly (ProcessName & { readonly state: string })[];
  /** How many routes lead into it. */
  readonly routes: number;
}

export interface NodeEvidence {
  readonly status: AgentStatus;
  readonly carriers: readonly CarrierEvidence[];
  readonly overlays: readonly OverlayEvidence[];
  /** Packets that the kernel dropped for their source address while peers were pinged (IPReversePathFilter). */
  readonly reversePathDrops: number;
  /** Datagrams that the agent could not send, and frames that its device did not take, meanwhile. */
  readonly refused: { readonly sends: number; readonly writes: number };
  readonly cluster: ClusterEvidence | null;
}

export interface CarrierEvidence {
  readonly carrier: CarrierStatus;
  /** Of the uplink; null where it is not known, or gone. */
  readonly uplink: { readonly mtu: number; readonly up: boolean; readonly carrier: boolean } | null;
  /** VXLAN devices of the kernel's on the port, up or not. */
  readonly vxlan: readonly { readonly name: string; readonly up: boolean }[];
  /** Others than the agent that are bound to the port. */
  readonly sharers: readonly ProcessName[];
  /** What this node's firewall does to VXLAN from a peer, and to one. */
  readonly incoming: Met | null;
  readonly outgoing: Met | null;
}

export interface OverlayEvidence {
  readonly status: OverlayStatus;
  readonly carrier: CarrierStatus;
  /** Null when there is no such device. */
  readonly link: Link | null;
  /** "noqueue", "pfifo_fast". */
  readonly qdisc: string | null;
  readonly neighbours: readonly NeighbourRow[];
  /** Subnets with a route of flannel's form through the device. */
  readonly routes: readonly string[];
  readonly fdb: readonly Pick<FdbRow, "mac" | "dst" | "state">[];
  /** Others than the agent that hold a queue of the device. */
  readonly sharers: readonly ProcessName[];
  /** What a packet of the overlay's full size with DF set meets at the uplink: "" when it leaves. */
  readonly fullSize: string;
  readonly peers: readonly PeerEvidence[];
  readonly pods: PodsEvidence | null;
}

export interface PeerEvidence {
  readonly peer: PeerStatus;
  readonly underlay: EchoEvidence;
  /** Of an empty datagram to its VXLAN port: "" when nobody refused it, else the errno's name. */
  readonly port: string;
  /** Through the overlay, to the first address of its subnet; null where it has none, or is reached past the overlay. */
  readonly overlay: EchoEvidence | null;
  /** Whether its pods are reached past the overlay (flannel's DirectRouting). */
  readonly direct: boolean;
  /** Where the kernel would send to the first and the last of its pods. */
  readonly ways: readonly Way[];
  /** Whether a packet from it would be taken at the uplink: "" or what the kernel says. */
  readonly back: string;
}

/** What stops packets, and how often it did while doctor sent some; null where it does not count. */
export interface Met extends Blocked {
  readonly grew: number | null;
}

export interface Way {
  readonly address: string;
  /** The interface, "" where there is no way: then `said` says why. */
  readonly device: string;
  readonly said: string;
}

export interface EchoEvidence {
  readonly address: string;
  readonly sent: number;
  readonly answered: number;
  /** The errno's name when a request did not even leave. */
  readonly refused: string;
}

/** This node's pods, as far as a bridge has the first address after the overlay's own. */
export interface PodsEvidence {
  readonly bridge: string;
  readonly family: 4 | 6;
  readonly mtu: number;
  /** net.ipv4.ip_forward, or net.ipv6.conf.all.forwarding. */
  readonly forwarding: string | null;
  /** Lookups of a packet from a pod to a peer's, and of one from there to here; `said` is "" when it would pass. */
  readonly lookups: readonly { readonly asked: string; readonly said: string }[];
  readonly blockedOut: Met | null;
  readonly blockedIn: Met | null;
}

export interface ClusterEvidence {
  readonly subnetFile: string;
  readonly file: Attempt & {
    readonly ipv4: SubnetEnvFamily | null;
    readonly ipv6: SubnetEnvFamily | null;
    readonly mtu: number | null;
  };
  /** Leases that make no peer, and why. */
  readonly bad: readonly { readonly key: string; readonly own: boolean; readonly problem: string }[];
  /** Processes of this network namespace that are called flanneld. */
  readonly flannelds: readonly ProcessName[];
  /** CNI configuration: null where there is no such folder. */
  readonly cni: {
    readonly folder: string;
    readonly files: readonly string[];
    readonly flannel: boolean;
  } | null;
}
