/** Two nodes with a pod each, and the relay between them. */
import { KernelNode } from "../../../src/lab/kernel-node.ts";
import { Lab } from "../../../src/lab/lab.ts";
import { offloadsOff } from "../../../src/lab/network.ts";
import { type LabNode, overhead } from "../../../src/lab/node.ts";
import { planNode } from "../../../src/lab/plan.ts";
import { PoplinNode } from "../../../src/lab/poplin-node.ts";
import { RelayNetwork } from "./relay.ts";

export interface PairOptions {
  /**
   * Who is at the other end. The kernel's VXLAN on a veth leaves checksums unfinished and super-frames uncut, which
   * protects nothing against a flipped bit; as `kernel on a wire` its veth's offloads are off, and it sends what a
   * network card would.
   */
  readonly peer: "poplin" | "kernel on a wire" | "kernel on a veth";
  /** Whether the poplin nodes' veths have their offloads off, too: hairpin transmit relies on them as the kernel does. */
  readonly wire?: boolean;
  /** Address family of the outer header. */
  readonly outer: 4 | 6;
  /** More of the configuration of each poplin node. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export class Pair {
  readonly lab: Lab;
  readonly network: RelayNetwork;
  readonly a: PoplinNode;
  readonly b: LabNode;

  /** Builds and starts both. Removes everything when one does not start. */
  static async start(options: PairOptions): Promise<Pair> {
    const lab = Lab.create();
    try {
      const pair = new Pair(lab, options);
      await Promise.all([pair.a.start([pair.network.seen(1)]), pair.b.start([pair.network.seen(0)])]);
      return pair;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(lab: Lab, { peer, outer, wire = false, config = {} }: PairOptions) {
    this.lab = lab;
    this.network = new RelayNetwork(lab);
    const options = { family: outer, ipv6: true, mtu: this.network.mtu - overhead(outer) };
    const poplin = { ...options, config };
    this.a = new PoplinNode(lab, this.network, planNode("node-a", 0), poplin);
    const plan = planNode("node-b", 1);
    this.b =
      peer === "poplin"
        ? new PoplinNode(lab, this.network, plan, poplin)
        : new KernelNode(lab, this.network, plan, options);
    if (wire) for (const { host } of this.poplins) offloadsOff(host, "eth0");
    if (peer === "kernel on a wire") offloadsOff(this.b.host, "eth0");
  }

  /** The nodes that run poplin. */
  get poplins(): PoplinNode[] {
    return [this.a, this.b].filter((node) => node instanceof PoplinNode);
  }

  destroy(): void {
    this.lab.destroy();
  }
}
