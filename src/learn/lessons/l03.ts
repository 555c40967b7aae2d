/** L3: the wrong VNI. */
import { explain } from "../../teach/explanation.ts";
import { judge } from "../../teach/judge/judge.ts";
import { VNI_MAX } from "../../wire/index.ts";
import { configExercises, type Settings } from "../exercises/config.ts";
import { NODE_B, PING } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

const SILENCE =
  "node-a has sent it, node-b has dropped it, and there is no message in VXLAN by which it could say so";

/** @param counted what node-b has counted, in words */
function hint({ vni }: Settings, counted: string): Seen {
  return { done: false, says: `No answer. ${counted}: node-a sends VNI 1, and node-b has VNI ${vni}.` };
}

const DONE: Seen = {
  done: true,
  says: "The ping is answered. One number on both sides, and what has another is somebody else's overlay.",
};

export const L03: Lesson = {
  number: 3,
  title: "the wrong VNI: why there is silence",
  story: [
    "Two nodes, a pod on each, and no pod reaches the other. Both agents run, the cable is good, nothing is in the logs. Somebody has " +
      `mistyped a number: ${SILENCE}.`,
    "What is dropped is counted, by reason, where it is dropped.",
  ],
  bytes: () => [
    "pod-a ── node-a ══ VNI 1 ══▶ node-b ── pod-b",
    "10.244.1.2                             10.244.2.2",
  ],
  ...configExercises({
    file: "node-b.yaml",
    text: "# What node-b's agent is told, beside its addresses and peers.\nvni: 2\n",
    setting: { name: "vni", least: 0, most: VNI_MAX },
    nodes: ["node-b"],
    todo: [
      "Ping pod-b from pod-a; ask node-b what it has dropped, with `poplin stats` there; put node-b.yaml right.",
    ],
    look: async (stage, settings) => {
      if (await stage.pings()) return DONE;
      const { drops } = await stage.cluster.poplin("node-b").client.stats();
      const count = drops.rx.VXLAN_VNI_NOT_FOUND ?? 0;
      return hint(settings, `node-b has counted VXLAN_VNI_NOT_FOUND ${count === 0 ? "not yet" : "again"}`);
    },
    lookAt: (settings) => {
      const { fate, reason } = judge(explain(PING), { ...NODE_B, vni: settings.vni as number }).poplin;
      return fate === "in" ? DONE : hint(settings, `node-b's dataplane says ${reason}`);
    },
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^vni: .*/vni: 3/' node-b.yaml" }],
      says: /VXLAN_VNI_NOT_FOUND.*node-b has VNI 3/,
    },
    solution: [{ where: "here", shell: "sed -i 's/^vni: .*/vni: 1/' node-b.yaml" }],
  }),
  moral:
    "Silence, and VXLAN_VNI_NOT_FOUND counted at the receiver: the two ends do not mean the same overlay.",
};
