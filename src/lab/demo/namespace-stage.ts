/** The demo on namespaces: node-a and node-b run poplin, node-k the kernel's own VXLAN device. */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { loadShim } from "../../io/linux/shim.ts";
import { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { Lab } from "../lab.ts";
import type { LabNode } from "../node.ts";
import { PoplinNode } from "../poplin-node.ts";
import { catchFirst } from "./first-packet.ts";
import { roundTrip, transfer } from "./measure.ts";
import { kernelReport, poplinReport } from "./report.ts";
import type { FirstPacket, Measured, NodeReport, Scene, Stage } from "./stage.ts";
import { placeOf, STUDY } from "./study.ts";

const MISSING_IPERF = "needs iperf3";

export class NamespaceStage implements Stage {
  readonly scene: Scene;
  readonly transfer: (from: number, to: number) => Promise<Measured>;
  readonly cluster: Cluster;

  /**
   * Builds the three nodes and starts them.
   * @param seconds that each TCP transfer lasts
   * @throws LabError, after everything has been taken down again
   */
  static async start(seconds: number): Promise<NamespaceStage> {
    const nodes = STUDY.map((node) => ({
      ...node,
      kind: node.name === "node-k" ? ("kernel" as const) : ("poplin" as const),
    }));
    return new NamespaceStage(await Cluster.start({ nodes }), seconds);
  }

  private constructor(cluster: Cluster, seconds: number) {
    this.cluster = cluster;
    const places = cluster.nodes.map((node) =>
      placeOf(node.plan, node.kind === "kernel" ? "kernel VXLAN" : "poplin"),
    );
    this.scene = { places, lab: cluster.lab.id, memoryBecause: null };
    this.transfer = async (from, to) => {
      if (!inPath("iperf3")) return { ok: false, problem: MISSING_IPERF };
      return transfer(this.#pod(from), this.#pod(to), places[to]!.podAddress, seconds);
    };
  }

  async firstPacket(): Promise<FirstPacket | { problem: string }> {
    const [from, to] = [this.#node(0), this.#node(1)];
    const bytes = await catchFirst(to.host, () => roundTrip(from.pod, this.scene.places[1]!.podAddress, 1));
    if (bytes === null) {
      return { problem: "nothing to capture with: install libpcap-dev for `poplin capture`, or tcpdump" };
    }
    return { bytes, layer: "ethernet", where: `${this.scene.places[1]!.node}, eth0` };
  }

  ping(from: number, to: number): Promise<Measured> {
    return roundTrip(this.#pod(from), this.scene.places[to]!.podAddress);
  }

  async report(index: number): Promise<NodeReport> {
    const node = this.#node(index);
    const place = this.scene.places[index]!;
    return node instanceof PoplinNode ? poplinReport(node, place) : kernelReport(node, place, this.cluster);
  }

  close(): void {
    this.cluster.destroy();
  }

  #node(index: number): LabNode {
    return this.cluster.nodes[index]!;
  }

  #pod(index: number): Host {
    return this.#node(index).pod;
  }
}

/** Why the demo cannot run on namespaces here; null when it can. */
export function namespacesMissing(): string | null {
  if (process.platform !== "linux") return `network namespaces are Linux's, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "network namespaces need root (sudo npm run demo)";
  if (!existsSync("/dev/net/tun"))
    return "there is no /dev/net/tun (load the module tun, or map the device in)";
  for (const [program, by] of [
    ["ip", "iproute2"],
    ["ping", "iputils-ping"],
  ] as const) {
    if (!inPath(program)) return `there is no \`${program}\`: apt-get install ${by}`;
  }
  return complaint(loadShim) ?? complaint(tryNamespace);
}

function complaint(attempt: () => unknown): string | null {
  try {
    attempt();
    return null;
  } catch (error) {
    return (error as Error).message.split("\n")[0]!;
  }
}

/** A container may forbid namespaces even to root. */
function tryNamespace(): void {
  const lab = Lab.create();
  try {
    lab.addHost("probe");
  } finally {
    lab.destroy();
  }
}

/** Whether a program is in PATH or an sbin folder. */
export function inPath(program: string): boolean {
  return [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
