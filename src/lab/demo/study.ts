/** The nodes of the demo: the kind cluster of the study that poplin grew from, its addresses and its VTEPs' MACs. */
import { type NodePlan, type PlanOptions, planNode, podAddress, podName } from "../plan.ts";
import type { Place } from "./stage.ts";

interface StudyNode extends PlanOptions {
  readonly name: string;
}

export const STUDY: readonly StudyNode[] = [
  { name: "node-a", pods: 1, vtepMac: "92:2e:91:2c:81:b3" },
  { name: "node-b", pods: 2, vtepMac: "9e:f2:78:e7:96:c2" },
  { name: "node-k", pods: 0, vtepMac: "f6:2d:77:84:77:6c" },
];

/** Plans of the three, under other names where they are given. */
export function studyPlans(names: readonly string[] = []): NodePlan[] {
  return STUDY.map((node, i) => planNode(names[i] ?? node.name, i, node));
}

export function placeOf(plan: NodePlan, runs: string): Place {
  return {
    node: plan.name,
    pod: podName(plan.name),
    nodeAddress: plan.address,
    podAddress: podAddress(plan).v4,
    runs,
  };
}
