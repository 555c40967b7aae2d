/** A TCP connection through take-overs, with super-frames, and with those that leave uncut (hairpin). */
import { afterEach, expect, it } from "vitest";
import { iperf } from "../../../src/lab/iperf.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { sleep } from "../agents.ts";
import { podOf } from "../pods.ts";
import { type Pair, pauses, startPair } from "./streams.ts";

let pair: Pair | undefined;
afterEach(() => pair?.cluster.destroy());

describeWith([lab(), tool("ping"), tool("iperf3")], "a TCP connection", () => {
  it.each([
    ["out", {}, []],
    ["in", {}, ["--reverse"]],
    ["out", { offload: "hairpin=on" }, []],
    ["both ways", { queues: 2 }, ["--bidir", "-P", "2"]],
  ] as const)("%s, %j: goes on through five take-overs", async (_, config, args) => {
    pair = await startPair("kernel", config);
    const { a, b } = pair;
    const running = iperf(a.pod, b.pod, podOf(b, 4), ["-t", "8", ...args]);
    for (let i = 0; i < 5; i++) {
      await sleep(700);
      expect(await a.takeOver()).toBe(0);
    }
    const { end } = await running;
    expect(end.sum_received.bytes).toBeGreaterThan(1e6);
    expect((await a.client.stats()).drops.tx.FULL_RING ?? 0).toBe(0);
    console.log(
      `TCP through 5 take-overs: ${(end.sum_received.bits_per_second / 1e9).toFixed(2)} Gbit/s, ` +
        `${end.sum_sent.retransmits} retransmits; pauses ${pauses(a).join(", ")} ms`,
    );
  });
});
