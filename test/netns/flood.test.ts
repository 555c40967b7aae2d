/**
 * A flood of datagrams that no VTEP would send, at full speed, while a ping runs: the agent lives, its memory stays
 * flat, nothing is stuck afterwards. 3 seconds each; 10 in `npm run test:full`.
 *
 *   garbage   random bytes of random sizes, from a stranger's address and from the known VTEP's at the same time
 *   mutants   good packets, spoilt in a few places, with `senderCheck: off`: they get to the last checks, and some of
 *             them through to the kernel
 */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { planNode } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { encode } from "../../src/wire/encode.ts";
import { TCP } from "../../src/wire/tcp.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { concat } from "../wire/frames.ts";
import { megabytes, memoryOf, sleep } from "./agents.ts";
import { type Flood, type FloodResult, flood } from "./traffic/flood.ts";
import { podPacket, textFrame, vtepFrame, vxlan, type Way } from "./traffic/packets.ts";
import { Pinger } from "./traffic/ping.ts";

const SECONDS = process.env.POPLIN_FULL === "1" ? 10 : 3;
/** Garbage may make an agent's memory grow by this much in all, and by this much in the second half of the flood. */
const GROWTH = 40e6;
const DRIFT = 8e6;

const SEED = Number(process.env.POPLIN_SEED ?? 20261123);

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

async function start(underlay: "batch" | "dgram" | "raw", config: Record<string, unknown>) {
  cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin", underlay, config },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const outside = planNode("outsider", 97);
  const outsider = cluster.lab.addHost("outsider");
  cluster.network.attach(outsider, outside);
  return { a: cluster.poplin("node-a"), b: cluster.node("node-b"), outsider, outside };
}

/** Good packets of the kinds there are. */
function samples(way: Way): Uint8Array[] {
  const tcp = (payload: number): Uint8Array =>
    podPacket(
      way,
      6,
      concat(encode(TCP, { sourcePort: 40_000, destinationPort: 80 }), new Uint8Array(payload)),
    );
  const echo = Uint8Array.from([8, 0, 0xf7, 0xfe, 0, 1, 0, 0, ...new Uint8Array(56)]);
  return [
    textFrame(way, 9, "small"),
    textFrame(way, 9, "x".repeat(1422)),
    vtepFrame(way, podPacket(way, 1, echo)),
    vtepFrame(way, tcp(0)),
    vtepFrame(way, tcp(1410)),
    vtepFrame(way, tcp(1410 * 4)),
  ].map((frame) => vxlan(frame));
}

/** Resident memory while something runs, in bytes, a tenth of a second apart. */
async function watchMemory(pid: number, during: Promise<unknown>): Promise<number[]> {
  const curve: number[] = [];
  let over = false;
  void during.finally(() => {
    over = true;
  });
  while (!over) {
    curve.push(memoryOf(pid).rss);
    await sleep(100);
  }
  return curve;
}

async function expectUnharmed(node: PoplinNode, floods: readonly Promise<FloodResult>[], ping: Pinger) {
  const idle = memoryOf(node.pid).rss;
  const pid = node.pid;
  const curve = await watchMemory(pid, Promise.all(floods));
  const ended = Date.now();
  const after = node.pod.exec("ping", ["-n", "-c", "20", "-i", "0.02", "-W", "2", "10.244.2.2"], {
    check: false,
  });
  const recovered = (await ping.firstSince(ended)) - ended;
  const { stdout } = await after;
  const sent = (await Promise.all(floods)).reduce((sum, { sent, seconds }) => sum + sent / seconds, 0);
  const stats = await node.client.stats();
  console.log(underlayOf(node), {
    idle: megabytes(idle),
    curve: curve.map(megabytes).join(" "),
    recovered,
    rate: sent,
    stats: JSON.stringify(stats),
    lost: ping.lost().length,
    got: ping.replies.length,
  });
  expect(stdout).toContain("20 received");
  const half = Math.floor(curve.length / 2);
  expect(Math.max(...curve) - idle).toBeLessThan(GROWTH);
  expect(Math.max(...curve.slice(half)) - Math.max(...curve.slice(0, half))).toBeLessThan(DRIFT);
  expect(node.pid).toBe(pid);
  expect((await node.status()).state).toBe("running");
}
function underlayOf(node: PoplinNode) {
  return node.config.underlay;
}

for (const underlay of ["batch", "dgram", "raw"] as const) {
  const needs = [lab(), tool("ping"), ...(underlay === "raw" ? [optionalPackage("raw-socket")] : [])];
  describeWith(needs, `a flood on the ${underlay} underlay`, () => {
    it("of garbage, from a stranger and from a known VTEP", async () => {
      const { a, b, outsider, outside } = await start(underlay, {});
      const ping = new Pinger(a.pod, "10.244.2.2");
      await ping.next();
      const common: Omit<Flood, "from"> = {
        seconds: SECONDS,
        seed: SEED,
        to: a.plan.address,
        kind: "garbage",
        samples: [],
      };
      const floods = [
        flood(b.host, { ...common, from: b.plan.address }),
        flood(outsider, { ...common, from: outside.address, seed: SEED + 2 }),
      ];
      await expectUnharmed(a, floods, ping);
      await ping.stop();
    });

    it("of spoilt packets that senderCheck lets in", async () => {
      const { a, b, outsider, outside } = await start(underlay, { senderCheck: "off" });
      const ping = new Pinger(a.pod, "10.244.2.2");
      await ping.next();
      const way = { from: b.plan, to: a.plan };
      const f: Flood = {
        seconds: SECONDS,
        seed: SEED,
        from: outside.address,
        to: a.plan.address,
        kind: "mutants",
        samples: samples(way),
      };
      await expectUnharmed(a, [flood(outsider, f)], ping);
      await ping.stop();
    });
  });
}
