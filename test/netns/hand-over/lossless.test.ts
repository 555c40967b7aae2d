/** A take-over under load: every packet arrives, once, in its flow's order. */
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { expectAll, type Pair, startPair, takeOverUnderLoad } from "./streams.ts";

let pair: Pair | undefined;
afterEach(() => pair?.cluster.destroy());

describeWith([lab(), tool("ping")], "take-overs at 50,000 packets a second in both directions", () => {
  it("lose nothing, and counters go on from where they were", async () => {
    pair = await startPair();
    const { a } = pair;
    const before = await a.client.stats();
    const accounts = await takeOverUnderLoad(pair, 2);
    expectAll(accounts);
    const { txFrames, rxFrames, drops } = await a.client.stats();
    const [out, back] = accounts as [(typeof accounts)[0], (typeof accounts)[0]];
    // Beside the datagrams there is what the hosts say by themselves: neighbour discovery and the like.
    expect(txFrames - before.txFrames).toBeGreaterThanOrEqual(out.sent);
    expect(txFrames - before.txFrames).toBeLessThan(out.sent + 100);
    expect(rxFrames - before.rxFrames).toBeGreaterThanOrEqual(back.sent);
    expect(rxFrames - before.rxFrames).toBeLessThan(back.sent + 100);
    expect([drops.tx.FULL_RING, drops.rx.SOCKET_RCVBUFF]).toEqual([undefined, undefined]);
    const status = await a.status();
    expect([status.state, status.health]).toEqual(["running", []]);
  });
});
