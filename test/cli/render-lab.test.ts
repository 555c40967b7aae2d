import { describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/output.ts";
import { renderLab } from "../../src/cli/render-lab.ts";
import type { Inventory } from "../../src/lab/study/inventory.ts";
import { NODES, PODS, SYSTEM_PODS } from "../../src/lab/study/plan.ts";

const inventory: Inventory = {
  store: "file",
  nodes: NODES.map(({ name, address, subnet }) => ({ name, address, subnet, init: { pid: 1, start: "1" } })),
  pods: [...SYSTEM_PODS, ...PODS].map((pod, i) => ({ ...pod, address: `10.244.2.${i + 2}/24` })),
};
const AGENTS = ["running", "no agent", "the node has ended"];

function lines(color: boolean, store: Inventory["store"] = "file"): string[] {
  const call = (words: string): string => `node dist/cli/main.js lab ${words}`;
  return renderLab("0a1b2c", { ...inventory, store }, AGENTS, call, { width: 80, color });
}

describe("the lab as text", () => {
  it("fits 80 columns", () => {
    for (const color of [false, true]) {
      expect(lines(color).filter((line) => widthOf(line) > 80)).toEqual([]);
    }
  });

  it("has every node with its agent, every pod, and commands to copy", () => {
    const text = lines(false);
    expect(text).toContain("worker         172.19.0.2  10.244.1.0/24  no agent");
    expect(text).toContain("pod-2                   10.244.2.6/24  worker2");
    expect(text).toContain("  node dist/cli/main.js lab shell pod-1 -- ping -c 1 10.244.2.6");
    expect(text).toContain("  node dist/cli/main.js lab down");
    expect(text.join(" ")).toContain("poplin-0a1b2c-worker");
  });

  it("says where the nodes meet", () => {
    expect(lines(false).join(" ")).toContain("in a directory, /run/leases");
    expect(lines(false, "etcd").join(" ")).toContain("in etcd, at 172.19.0.5");
  });
});
