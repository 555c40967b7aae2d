/** What poplin's way to find faults is tried on: a node, a peer with the kernel's VXLAN, and one of its own kind. */
import { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";

export interface ThreeNodes {
  readonly cluster: Cluster;
  /** node-a (poplin, which is examined, or asks). */
  readonly a: PoplinNode;
  /** node-b (kernel VXLAN). */
  readonly b: LabNode;
  /** node-c (poplin). */
  readonly c: PoplinNode;
}

/** Starts them. The cluster is the caller's to destroy. */
export async function threeNodes(): Promise<ThreeNodes> {
  const cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin" },
      { name: "node-b", kind: "kernel" },
      { name: "node-c", kind: "poplin" },
    ],
  });
  return { cluster, a: cluster.poplin("node-a"), b: cluster.node("node-b"), c: cluster.poplin("node-c") };
}
