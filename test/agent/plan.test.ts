/** What is not in place, for people. */
import { describe, expect, it } from "vitest";
import { planLines, planSentences } from "../../src/agent/plan.ts";

const PLAN = {
  device: "flannel.1",
  gone: false,
  link: ["mtu", "1450", "up"],
  rows: ["neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03", "addr replace 10.244.1.0/32"],
};
const NOTHING = { ...PLAN, link: [], rows: [] };
const GONE = { ...NOTHING, gone: true };

describe("the plan of an overlay", () => {
  it("is a line for each step, in the words of iproute2 behind the device's name", () => {
    expect(planLines(PLAN)).toEqual([
      "flannel.1: link set mtu 1450 up",
      "flannel.1: neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03",
      "flannel.1: addr replace 10.244.1.0/32",
    ]);
    expect(planLines(GONE)).toEqual(["flannel.1: link add"]);
    expect(planLines(NOTHING)).toEqual([]);
  });

  it("is a sentence for the device and one for its rows in a status", () => {
    expect(planSentences(PLAN)).toEqual([
      "flannel.1 is not as it should be: `ip link set flannel.1 mtu 1450 up`",
      "rows are missing or different: neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03 and 1 more",
    ]);
    expect(planSentences(GONE)).toEqual(["there is no device flannel.1"]);
    expect(planSentences(NOTHING)).toEqual([]);
  });
});
