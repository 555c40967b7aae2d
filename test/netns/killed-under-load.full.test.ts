/**
 * An agent that is killed while a TCP connection and a ping go through it: the connection goes on, and packets flow within a
 * second of the next start (`lifecycle.test.ts` has the same without load).
 */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { describeTimed, onIdleMachine, sleep, type Timed, timed } from "./agents.ts";
import { podOf } from "./pods.ts";
import { Pinger } from "./traffic/ping.ts";

/** Milliseconds from the spawn of an agent to the first packet, on an idle machine. */
const LATEST_RESTART = 1000;
const KILLS = 3;

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

describeWith([lab(), tool("ping"), tool("iperf3")], "SIGKILL under load", () => {
  it.each([
    ["out", []],
    ["in", ["--reverse"]],
  ] as const)("breaks no TCP connection, and packets flow within a second: %s", async (_, args) => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "kernel" },
      ],
    });
    const [a, b] = [cluster.poplin("node-a"), cluster.node("node-b")];
    const ping = new Pinger(a.pod, podOf(b, 4), { interval: 0.005 });
    await ping.next();
    const running = iperf(a.pod, b.pod, podOf(b, 4), ["-t", "15", ...args]);
    // Whatever happens to it is said below.
    running.catch(() => {});
    const times: Timed[] = [];
    for (let i = 0; i < KILLS; i++) {
      await sleep(1500);
      await a.stop("SIGKILL");
      times.push(
        await timed(async () => {
          const spawned = Date.now();
          await a.startAgent();
          return (await ping.firstSince(spawned)) - spawned;
        }),
      );
    }
    const before = (await a.client.stats()).txBytes;
    await sleep(1500);
    const { end } = await running;
    console.log(
      `first packet after a SIGKILL under load: ${times.map(describeTimed).join(", ")}; ` +
        `TCP ${(end.sum_received.bits_per_second / 1e9).toFixed(2)} Gbit/s through ${KILLS} of them`,
    );
    expect(Math.min(...times.map(onIdleMachine))).toBeLessThan(LATEST_RESTART);
    // It was the same connection to the end: iperf3 makes no other, and says so when it breaks.
    expect((await a.client.stats()).txBytes).toBeGreaterThan(before);
    await ping.stop();
  });
});
