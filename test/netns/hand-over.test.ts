/** try */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE } from "../../src/lab/node.ts";
import { ping } from "../../src/lab/ping.ts";
import { describeWith, lab } from "../helpers/needs.ts";
import { dropsSince, sleep } from "./agents.ts";
import { Numbered } from "./traffic/numbered.ts";

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

describeWith([lab()], "x", () => {
  it("y", async () => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin", config: { receiveBuffer: "256MiB" } },
        { name: "node-b", kind: "kernel" },
      ],
    });
    const a = cluster.poplin("node-a");
    const b = cluster.node("node-b");
    a.host.ip(`link set ${DEVICE} txqueuelen 100000`);
    const [x, y] = [new Numbered(a.pod, "10.244.1.2"), new Numbered(b.pod, "10.244.2.2")];
    await ping(a.pod, "10.244.2.2");
    const before = await a.client.stats();
    await x.stream(y, Number(process.env.RATE ?? 50_000));
    await y.stream(x, Number(process.env.RATE ?? 50_000));
    await sleep(Number(process.env.FIRST ?? 1000));
    for (let i = 0; i < Number(process.env.TIMES ?? 5); i++) {
      const code = await a.takeOver();
      expect(code).toBe(0);
      await sleep(500);
    }
    console.log(JSON.stringify([await x.settle(y), await y.settle(x)]));
    console.log(a.log());
    console.log(
      JSON.stringify(dropsSince(before, await a.client.stats())),
      before.txFrames,
      (await a.client.stats()).txFrames,
    );
  });
});
