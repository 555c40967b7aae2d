/**
 * Take-overs while numbered datagrams go both ways, tens of thousands a second:
 *
 *   pod-a ── node-a (poplin, one agent after the other) ┄┄ underlay ┄┄ node-b (the kernel's VXLAN, or poplin) ── pod-b
 *
 * The kernel's queues before the agent are long enough for a machine on which nobody gets a CPU for a second: what is
 * lost is lost by the hand-over.
 */
import { expect } from "vitest";
import { Cluster } from "../../../src/lab/cluster.ts";
import { DEVICE, type LabNode } from "../../../src/lab/node.ts";
import { ping } from "../../../src/lab/ping.ts";
import type { PoplinNode } from "../../../src/lab/poplin-node.ts";
import { dropsSince, sleep } from "../agents.ts";
import { podOf } from "../pods.ts";
import { type Account, Numbered } from "../traffic/numbered.ts";

/** Packets a second in each direction. */
export const RATE = 50_000;
/** Frames, and bytes: two seconds of them. */
const TAP_QUEUE = 100_000;
const RECEIVE_BUFFER = "256MiB";

export interface Pair {
  readonly cluster: Cluster;
  readonly a: PoplinNode;
  readonly b: LabNode;
}

/** Starts both nodes. @param kind of node-b @param config more of poplin's */
export async function startPair(
  kind: "kernel" | "poplin" = "kernel",
  config: Record<string, unknown> = {},
): Promise<Pair> {
  const poplin = { config: { receiveBuffer: RECEIVE_BUFFER, ...config } };
  const cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin", ...poplin },
      { name: "node-b", kind, ...(kind === "poplin" ? poplin : {}) },
    ],
  });
  const [a, b] = [cluster.poplin("node-a"), cluster.node("node-b")];
  // Before there is traffic: the kernel throws packets away while it changes the length.
  for (const node of [a, ...(kind === "poplin" ? [b] : [])]) {
    node.host.ip(`link set ${DEVICE} txqueuelen ${TAP_QUEUE}`);
  }
  // Each knows the other's MAC then, and nothing waits for that.
  expect((await ping(a.pod, podOf(b, 4))).answered).toBe(3);
  return { cluster, a, b };
}

/** Milliseconds for which nothing was forwarded, by each new agent's own account. */
export function pauses(a: PoplinNode): number[] {
  return [...a.log().matchAll(/taken over from pid \d+ .*: for ([\d.]+) ms/g)].map(([, ms]) => Number(ms));
}

/** @returns what became of the datagrams of both directions while `times` agents took over one after the other */
export async function takeOverUnderLoad(
  { a, b }: Pair,
  times: number,
  { rate = RATE, flows = 1 } = {},
): Promise<Account[]> {
  const [x, y] = [new Numbered(a.pod, podOf(a, 4)), new Numbered(b.pod, podOf(b, 4))];
  try {
    await Promise.all([x.ready(), y.ready()]);
    const before = await a.client.stats();
    await x.stream(y, rate, flows);
    await y.stream(x, rate, flows);
    for (let i = 0; i < times; i++) {
      await sleep(300);
      expect(await a.takeOver()).toBe(0);
    }
    await sleep(300);
    const accounts = [await x.settle(y), await y.settle(x)];
    const after = await a.client.stats();
    console.log(
      `${times} take-overs at ${rate} packets a second each way in ${flows} flows: ` +
        `${accounts.map(({ sent, received }) => `${received} of ${sent}`).join(" and ")} packets; ` +
        `pauses ${pauses(a).slice(-times).join(", ")} ms; drops ${JSON.stringify(dropsSince(before, after))}`,
    );
    return accounts;
  } finally {
    await Promise.all([x.stop(), y.stop()]);
  }
}

/** Nothing lost, nothing twice, each flow in its order. */
export function expectAll(accounts: readonly Account[]): void {
  for (const account of accounts) {
    const { sent } = account;
    expect(account).toEqual({ sent, received: sent, twice: 0, late: 0, lost: [], overflows: 0 });
    expect(sent).toBeGreaterThan(0);
  }
}
