/**
 * A receive buffer that overflows costs the datagrams that found no room, and nothing else. What comes from the
 * kernel's VXLAN on a veth are the sender's own TCP buffers, and asking the kernel the wrong way how many of those it
 * dropped ends the thread that asks (`native-shims/src/message.c`).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { Dropped } from "./dropped.ts";
import { ping, podOf } from "./pods.ts";

const STOPPED = 200;
const ROUNDS = 4;

for (const underlay of ["batch", "raw"] as const) {
  const needs = [
    lab(),
    tool("ping"),
    tool("iperf3"),
    ...(underlay === "raw" ? [optionalPackage("raw-socket")] : []),
  ];
  describeWith(needs, `a receive buffer of ${underlay} that overflows`, () => {
    let cluster: Cluster | undefined;
    afterEach(() => cluster?.destroy());

    it("is counted, and the overlay goes on", async () => {
      const config = { receiveBuffer: "64KiB" };
      cluster = await Cluster.start({
        nodes: [
          { name: "node-a", kind: "poplin", underlay, config },
          { name: "node-k", kind: "kernel" },
        ],
      });
      const [node, { pod }] = [cluster.poplin("node-a"), cluster.node("node-k")];
      const told = await Dropped.of(node.client);
      const traffic = iperf(pod, node.pod, podOf(node, 4), ["-t", "4", "-P", "8"]);
      traffic.catch(() => {}); // it is waited for below, unless something fails before
      await until("traffic", async () => (await node.client.stats()).rxFrames > 1000);
      for (let round = 0; round < ROUNDS && (await dropped(node)) === 0; round++) {
        node.signal("SIGSTOP");
        await sleep(STOPPED);
        node.signal("SIGCONT");
        await sleep(STOPPED); // what comes after the loss tells of it
      }
      await traffic;
      const lost = await dropped(node);
      expect(lost).toBeGreaterThan(0);
      // Nobody saw them, so they are only counted.
      await until("they are told", async () => told.sums.rx.SOCKET_RCVBUFF === lost);
      expect(await node.status()).toMatchObject({ pid: node.pid, state: "running" });
      expect(await ping(pod, podOf(node, 4), [56])).toBe("");
      await told.end();
    });
  });
}

async function dropped({ client }: PoplinNode): Promise<number> {
  return (await client.stats()).drops.rx.SOCKET_RCVBUFF ?? 0;
}
