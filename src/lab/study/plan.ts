/** Who is in the study's cluster, and where: nodes, pods, and what lies outside. */
import { fileURLToPath } from "node:url";
import { studyPlans } from "../demo/study.ts";
import { type NodePlan, planNode } from "../plan.ts";

/** In the study's order. Names as in kind, whose containers are called "myk8s-worker" and so on. */
export const NODES: readonly NodePlan[] = (() => {
  const [worker, worker2, controlPlane] = studyPlans(["worker", "worker2", "control-plane"]);
  return [controlPlane!, worker!, worker2!];
})();

export interface PodPlan {
  readonly name: string;
  /** Its node. */
  readonly node: string;
}

/**
 * In the order of their making, which gives them their addresses: those that a kind cluster has on worker2 from the
 * start come first, and so pod-2 has the study's 10.244.2.5.
 */
export const SYSTEM_PODS: readonly PodPlan[] = ["local-path-provisioner", "coredns-1", "coredns-2"].map(
  (name) => ({ name, node: "worker2" }),
);
export const PODS: readonly PodPlan[] = [
  { name: "pod-1", node: "worker" },
  { name: "pod-2", node: "worker2" },
];

/** Where the nodes meet: the directory that each has at this place, or etcd. */
export const LEASES = "/run/leases";
export const ETCD = planNode("etcd", 3);

/** What stands for the world outside: the address that the study pings. */
export const WORLD = "8.8.8.8";

/** The files that the study's cluster is made from, which are an example to read as well. */
export function exampleFile(name: string): string {
  return fileURLToPath(new URL(`../../../examples/study/${name}`, import.meta.url));
}
