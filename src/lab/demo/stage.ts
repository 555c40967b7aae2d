/**
 * What the demo shows, whatever it runs on: three nodes with a pod each. A stage is that, made real; there are two of
 * them, namespaces (`namespace-stage.ts`) and memory (`memory-stage.ts`). `demo.ts` has the order of events, and
 * whoever shows it implements `DemoView`.
 */

/** A node and its pod, in words. */
export interface Place {
  /** "node-a", "pod-a". */
  readonly node: string;
  readonly pod: string;
  /** Underlay address of the node, and address of the pod. */
  readonly nodeAddress: string;
  readonly podAddress: string;
  /** "poplin", "kernel VXLAN". */
  readonly runs: string;
}

export interface Scene {
  readonly places: readonly Place[];
  /** Id of the lab; null in memory. */
  readonly lab: string | null;
  /** Why this is not on namespaces; null when it is. */
  readonly memoryBecause: string | null;
}

/** A number, or why there is none. */
export type Measured =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly problem: string };

/** The first encapsulated packet. */
export interface FirstPacket {
  readonly bytes: Uint8Array;
  /** What its first byte belongs to. */
  readonly layer: "ethernet" | "ip";
  /** Where it was seen, in words. */
  readonly where: string;
}

export interface PeerReport {
  readonly publicIp: string;
  readonly vtepMac: string;
  readonly subnet: string;
  /** "ok", or what is wrong. */
  readonly state: string;
}

export interface Traffic {
  readonly frames: number;
  readonly bytes: number;
}

/** What a node says of itself. */
export interface NodeReport {
  readonly place: Place;
  /** "flannel.1, 92:2e:91:2c:81:b3, MTU 1450". */
  readonly device: string;
  readonly peers: readonly PeerReport[];
  /** In the words of `ip route`. */
  readonly routes: readonly string[];
  /** Encapsulated and decapsulated here. */
  readonly sent: Traffic;
  readonly received: Traffic;
  /** Reasons and how often; empty when nothing was dropped. */
  readonly drops: Readonly<Record<string, number>>;
  /** Resident memory of the agent in bytes; null where there is none. */
  readonly memory: number | null;
}

export interface Stage {
  readonly scene: Scene;
  /** Sends the very first packet from the first pod to the second, and catches it on the underlay. */
  firstPacket(): Promise<FirstPacket | { readonly problem: string }>;
  /** Mean round trip in milliseconds between two pods. */
  ping(from: number, to: number): Promise<Measured>;
  /** TCP throughput in Gbit/s, or null where there is no TCP. */
  readonly transfer: ((from: number, to: number) => Promise<Measured>) | null;
  report(node: number): Promise<NodeReport>;
  /** Takes everything down. */
  close(): void;
}

/** Who shows the demo. Rows come as they are measured; the cell for a pod and itself is null. */
export interface DemoView {
  scene(scene: Scene): void;
  matrix(kind: "ping" | "transfer", places: readonly Place[]): void;
  row(from: Place, cells: readonly (Measured | null)[]): void;
  packet(packet: FirstPacket | { readonly problem: string }): void;
  node(report: NodeReport): void;
}
