/**
 * A flood of datagrams that no VTEP would send, at full speed, while a ping runs: the agent lives, its memory stays
 * flat, and the pings that follow are answered at once. 3 seconds each; 10 in `npm run test:full`, which adds `raw`
 * (its receiving half is that of `batch`).
 *
 *   garbage   random bytes of random sizes, from a stranger's address and from a known VTEP's at the same time
 *   mutants   good packets, spoilt in a few places, with `senderCheck: off`: they get to the last checks, and many of
 *             them through to the kernel
 */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { ping } from "../../src/lab/ping.ts";
import { planNode } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { encode } from "../../src/wire/encode.ts";
import { TCP } from "../../src/wire/tcp.ts";
import { describeFull, describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { concat } from "../wire/frames.ts";
import { megabytes, memoryOf, sleep } from "./agents.ts";
import { type Flood, type FloodResult, flood } from "./traffic/flood.ts";
import { podPacket, textFrame, vtepFrame, vxlan, type Way } from "./traffic/packets.ts";
import { Pinger } from "./traffic/ping.ts";

type Kind = "batch" | "dgram" | "raw";

const SECONDS = process.env.POPLIN_FULL === "1" ? 10 : 3;
/** Another one makes another flood: POPLIN_SEED=7 npx vitest run test/netns/flood */
const SEED = Number(process.env.POPLIN_SEED ?? 20_261_123);
/**
 * How much resident memory may grow: in all, which covers buffers that are touched for the first time (4 MB of slots
 * for the largest datagrams) and the collector's room; and from the first half of the flood to the second.
 */
const GROWTH = 40e6;
const DRIFT = 8e6;
/** Milliseconds from the end of the flood to an answer. */
const LATEST_RECOVERY = 1000;

interface Scene {
  readonly a: PoplinNode;
  readonly b: LabNode;
  /** On the underlay, and no VTEP. */
  readonly outsider: Host;
  readonly outside: string;
}

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

async function start(underlay: Kind, config: Record<string, unknown> = {}): Promise<Scene> {
  cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin", underlay, config },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const plan = planNode("outsider", 97);
  const outsider = cluster.lab.addHost("outsider");
  cluster.network.attach(outsider, plan);
  return { a: cluster.poplin("node-a"), b: cluster.node("node-b"), outsider, outside: plan.address };
}

/** Good datagrams of the kinds there are. */
function samples(way: Way): Uint8Array[] {
  const tcp = (payload: number): Uint8Array => {
    const header = encode(TCP, { sourcePort: 40_000, destinationPort: 80 });
    return vtepFrame(way, podPacket(way, 6, concat(header, new Uint8Array(payload))));
  };
  const echo = Uint8Array.from([8, 0, 0xf7, 0xfe, 0, 1, 0, 0, ...new Uint8Array(56)]);
  const small = textFrame(way, 9, "small");
  const frames = [small, textFrame(way, 9, "x".repeat(1422)), vtepFrame(way, podPacket(way, 1, echo))];
  return [...frames, tcp(0), tcp(1410), tcp(4 * 1410)].map((frame) => vxlan(frame));
}

/** Resident memory of a process while something runs, in bytes, ten times a second. */
async function memoryDuring(pid: number, running: Promise<unknown>): Promise<number[]> {
  const curve = [memoryOf(pid).rss];
  let over = false;
  const end = running.finally(() => {
    over = true;
  });
  while (!over) {
    await Promise.race([sleep(100), end]);
    curve.push(memoryOf(pid).rss);
  }
  return curve;
}

/** Lets floods run, and holds the agent against what they must not do to it. */
async function expectUnharmed(node: PoplinNode, floods: readonly Promise<FloodResult>[]): Promise<void> {
  const { pid } = node;
  const pinger = new Pinger(node.pod, "10.244.2.2");
  await pinger.next();
  const curve = await memoryDuring(pid, Promise.all(floods));

  const ended = Date.now();
  const [first, { answered: ofTwenty }] = await Promise.all([
    pinger.firstSince(ended),
    ping(node.pod, "10.244.2.2", { count: 20, interval: 0.02 }),
  ]);
  const answered = pinger.replies.length;
  await pinger.kill();
  const { rxDatagrams } = await node.client.stats();
  const sent = (await Promise.all(floods)).reduce((sum, one) => sum + one.sent, 0);
  const half = curve.length >> 1;
  const [early, late] = [Math.max(...curve.slice(0, half)), Math.max(...curve.slice(half))];
  console.log(
    `${node.config.underlay}: ${sent} datagrams in ${SECONDS} s, ${rxDatagrams} of them read; resident memory ` +
      `${[curve[0]!, early, late].map(megabytes).join(", ")} MB before, in the first and in the second half; ` +
      `${answered} pings answered meanwhile, the next after ${Math.round(first - ended)} ms`,
  );

  expect(first - ended).toBeLessThan(LATEST_RECOVERY);
  expect(ofTwenty).toBe(20);
  expect(Math.max(early, late) - curve[0]!).toBeLessThan(GROWTH);
  expect(late - early).toBeLessThan(DRIFT);
  const status = await node.status();
  expect([status.pid, status.state]).toEqual([pid, "running"]);
}

function floodTests(underlay: Kind): void {
  it("of garbage, from a stranger and from a known VTEP", async () => {
    const { a, b, outsider, outside } = await start(underlay);
    const common: Omit<Flood, "from"> = {
      ...{ seconds: SECONDS, seed: SEED, to: a.plan.address },
      ...{ kind: "garbage", samples: [] },
    };
    await expectUnharmed(a, [
      flood(b.host, { ...common, from: b.plan.address }),
      flood(outsider, { ...common, from: outside, seed: SEED + 2 }),
    ]);
    const { rx } = (await a.client.stats()).drops;
    for (const reason of ["PKT_TOO_SMALL", "VXLAN_INVALID_HDR", "VXLAN_VNI_NOT_FOUND"] as const) {
      expect(rx[reason], reason).toBeGreaterThan(100);
    }
  });

  it("of spoilt packets that senderCheck lets in", async () => {
    const { a, b, outsider, outside } = await start(underlay, { senderCheck: "off" });
    const spoilt = samples({ from: b.plan, to: a.plan });
    const order = { seconds: SECONDS, seed: SEED, from: outside, to: a.plan.address } as const;
    await expectUnharmed(a, [flood(outsider, { ...order, kind: "mutants", samples: spoilt })]);
    const { drops, rxFrames } = await a.client.stats();
    for (const reason of ["PKT_TOO_SMALL", "INNER_TOO_SMALL", "PKT_TOO_BIG", "INNER_CSUM"] as const) {
      expect(drops.rx[reason], reason).toBeGreaterThan(100);
    }
    expect(rxFrames).toBeGreaterThan(1000);
  });
}

const needs = [lab(), tool("ping")];
describeWith(needs, "a flood on the batch underlay", () => floodTests("batch"));
describeWith(needs, "a flood on the dgram underlay", () => floodTests("dgram"));
describeFull([...needs, optionalPackage("raw-socket")], "a flood on the raw underlay", () =>
  floodTests("raw"),
);
