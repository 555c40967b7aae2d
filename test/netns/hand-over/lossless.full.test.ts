/** Many take-overs in a row under load, with several queues, and of both ends. */
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { expectAll, type Pair, pauses, startPair, takeOverUnderLoad } from "./streams.ts";

let pair: Pair | undefined;
afterEach(() => pair?.cluster.destroy());

describeWith([lab(), tool("ping")], "twenty take-overs in a row", () => {
  it("lose nothing at 50,000 packets a second in both directions", async () => {
    pair = await startPair();
    expectAll(await takeOverUnderLoad(pair, 20));
    const all = pauses(pair.a).toSorted((x, y) => x - y);
    expect(all).toHaveLength(20);
    console.log(`pauses of 20 take-overs: median ${all[10]}, longest ${all[19]} ms`);
  });
});

describeWith([lab(), tool("ping")], "take-overs of a node with two queues", () => {
  it("lose nothing, and keep each of sixteen flows in order", async () => {
    pair = await startPair("kernel", { queues: 2 });
    expectAll(await takeOverUnderLoad(pair, 5, { rate: 25_000, flows: 16 }));
    expect((await pair.a.status()).dataplane).toMatchObject({ queues: 2 });
  });
});

describeWith([lab(), tool("ping")], "take-overs with other settings", () => {
  const settings = [
    { sourcePorts: "fixed" },
    { df: "inherit" },
    { udpChecksum: "zero" },
    { offload: "all=off" },
    { dev: "eth0" },
    { spin: 50, learning: true },
  ];
  it.each(settings)("%j: nothing is lost between two poplin nodes", async (config) => {
    pair = await startPair("poplin", config);
    expectAll(await takeOverUnderLoad(pair, 2, { rate: 15_000, flows: 4 }));
  });
});
