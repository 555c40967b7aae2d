/**
 * Every underlay against itself and against the kernel's VXLAN, in both directions, with everything that pods send.
 *
 *   pod-a ── node-a ──┬── node-b ── pod-b      node-a and node-b run poplin on the same underlay,
 *                     └── node-k ── pod-k      node-k has the kernel's VXLAN device with its default settings, on a veth
 *
 * There nobody performs the offloads that the kernel's device relies on: it sends inner checksums that are not
 * finished and inner super-frames that are not cut. poplin's counters say that it really met both.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CounterName } from "../../src/dataplane/counters.ts";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { datagrams, type Family, ipv6, ping, podOf, type Send, serve, stream } from "./pods.ts";

const FULL = process.env.POPLIN_FULL === "1";

interface Variant {
  readonly underlay: "batch" | "dgram" | "raw";
  /** Address family of the outer header; 4 when left out. */
  readonly family?: Family;
  /** More of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  batch: { underlay: "batch" },
  dgram: { underlay: "dgram" },
  raw: { underlay: "raw" },
};
const MORE: typeof VARIANTS = {
  "batch over IPv6": { underlay: "batch", family: 6 },
  "dgram over IPv6": { underlay: "dgram", family: 6 },
  "batch without UDP_GRO": { underlay: "batch", config: { offload: "udp-gro=off" } },
};

const PAIRS = [
  ["node-a", "node-b"],
  ["node-a", "node-k"],
  ["node-k", "node-a"],
] as const;

/** Overlay MTU, and so the size of the largest inner packet. */
const MTU = { 4: 1450, 6: 1430 } as const;
const STREAM_BYTES = FULL ? 64 << 20 : 3 << 20;
const IPERF_ARGS = FULL ? ["-t", "3", "-P", "4"] : ["-n", "8M"];
const RANDOM_DATAGRAMS = FULL ? 10_000 : 300;

/**
 * Drops that may be: multicast of the device's own kernel (MLD, router solicitations), for which nobody has a row; and
 * full queues, from which a TCP that is faster than this machine learns its pace.
 */
const HARMLESS = ["NO_TX_TARGET", "FULL_RING", "SOCKET_RCVBUFF"];

/** Bytes of data that fit into one packet behind the headers of IP and of ICMP or UDP: 1422 for IPv4 in IPv4. */
function largest(inner: Family, outer: Family): number {
  return MTU[outer] - (inner === 4 ? 20 : 40) - 8;
}

/** Around every power of two, around the shortest Ethernet frame (18 bytes of data), ping's default, the largest. */
function sizeClasses(most: number): number[] {
  if (FULL) return Array.from({ length: most + 1 }, (_, size) => size);
  const powers = Array.from({ length: 11 }, (_, i) => 2 ** i).flatMap((n) => [n - 1, n, n + 1]);
  const sizes = new Set([0, ...powers, 18, 19, 56, most - 1, most]);
  return [...sizes].filter((size) => size <= most).sort((a, b) => a - b);
}

/** Datagrams within the MTU, and such as the pod's kernel has to cut into IP fragments. */
function plainSends(most: number): Send[] {
  const random = Array.from({ length: RANDOM_DATAGRAMS }, () => Math.floor(Math.random() * (most + 1)));
  return [...sizeClasses(most), ...random, most + 1, 4000, 60_000].map((bytes) => ({ bytes }));
}

/** UDP_SEGMENT sends: full ones, a shorter last datagram, tiny ones, a whole that fits the MTU, one datagram only. */
function segmentedSends(most: number): Send[] {
  return [
    { bytes: 44 * most, segment: most },
    { bytes: 40 * most + 1, segment: most },
    { bytes: 64_000, segment: 1200 },
    { bytes: 2 * most - 1, segment: most },
    { bytes: 1000, segment: 100 },
    { bytes: 999, segment: 333 },
    { bytes: 64, segment: 1 },
    { bytes: most, segment: most },
  ];
}

for (const [title, variant] of Object.entries(FULL ? { ...VARIANTS, ...MORE } : VARIANTS)) {
  const { underlay, family: outer = 4, config = {} } = variant;
  const needs = [lab(), ipv6(), tool("ping"), tool("iperf3")];
  if (underlay === "raw") needs.push(optionalPackage("raw-socket"));
  describeWith(needs, title, () => {
    let cluster: Cluster;

    beforeAll(async () => {
      const spec = { kind: "poplin" as const, underlay, config };
      const nodes = ["node-a", "node-b"].map((name): NodeSpec => ({ name, ...spec }));
      nodes.push({ name: "node-k", kind: "kernel" });
      cluster = await Cluster.start({ nodes, ipv6: true, family: outer });
      await Promise.all(cluster.nodes.map(({ pod }) => serve(pod)));
    });
    afterAll(() => cluster?.destroy());
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") console.error(await report(cluster));
    });

    for (const [from, to] of PAIRS) {
      for (const inner of [4, 6] as const) {
        describe(`${from} → ${to}, IPv${inner}`, () => {
          between(() => cluster, from, to, inner, largest(inner, outer));
        });
      }
    }

    it("nobody refuses anything on the way", async () => {
      for (const name of ["node-a", "node-b"]) {
        const { drops } = await cluster.poplin(name).client.stats();
        const reasons = [...Object.keys(drops.tx), ...Object.keys(drops.rx)];
        expect(reasons.filter((reason) => !HARMLESS.includes(reason))).toEqual([]);
      }
      expect(await receiveErrors(cluster.node("node-k"))).toBe(0);
    });
  });
}

/** All traffic of one pair of nodes. @param most bytes of data in the largest packet */
function between(get: () => Cluster, from: string, to: string, inner: Family, most: number): void {
  const source = () => get().node(from).pod;
  const target = () => get().node(to).pod;
  const address = () => podOf(get().node(to), inner);

  /** Runs traffic. What comes from the kernel's device has to raise these counters at the other end. */
  async function meeting<T>(counters: readonly CounterName[], run: () => Promise<T>): Promise<T> {
    if (from !== "node-k") return run();
    const { client } = get().poplin(to);
    const before = await client.stats();
    const result = await run();
    const after = await client.stats();
    for (const name of counters) expect(after[name], name).toBeGreaterThan(before[name]);
    return result;
  }

  it(`ICMP of every size up to ${most} bytes, DF set`, async () => {
    expect(await ping(source(), address(), sizeClasses(most))).toBe("");
  });

  it("TCP, both ways, digests compared", async () => {
    const met = ["rxPartialChecksums", "rxSuperFrames"] as const;
    const result = await meeting(met, () => stream(source(), address(), STREAM_BYTES));
    expect(result).toEqual({ sent: true, received: true });
  });

  it("TCP by iperf3", async () => {
    for (const direction of [[], ["--reverse"]]) {
      const { end } = await iperf(source(), target(), address(), [...IPERF_ARGS, ...direction]);
      expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(8 << 20);
      expect(end.sum_received.bytes).toBeGreaterThan(0);
    }
  });

  it("UDP, each datagram's digest compared", async () => {
    const send = () => datagrams(source(), address(), plainSends(most));
    const { sent, received } = await meeting(["rxPartialChecksums"], send);
    expect(received).toEqual(sent);
  });

  it("UDP_SEGMENT sends, each datagram's digest compared", async () => {
    const sends = segmentedSends(most);
    const { sent, received } = await meeting([await arrivingAs()], () =>
      datagrams(source(), address(), sends),
    );
    expect(received).toEqual(sent);
  });

  /** A UDP_SEGMENT send behind the kernel's device: for a socket without UDP_GRO the kernel cuts it after all. */
  async function arrivingAs(): Promise<CounterName> {
    if (from !== "node-k") return "rxFrames";
    const { underlay } = await get().poplin(to).status();
    return underlay.capabilities.gro ? "rxSuperFrames" : "rxPartialChecksums";
  }
}

/** Frames that the kernel's VXLAN device took for wrong. */
async function receiveErrors({ host }: LabNode): Promise<number> {
  const { stdout } = await host.exec("ip", ["-json", "-statistics", "link", "show", DEVICE]);
  return JSON.parse(stdout)[0].stats64.rx.errors;
}

/** What the nodes say, for whoever looks at a failure. */
async function report(cluster: Cluster | undefined): Promise<string> {
  const lines: string[] = [];
  for (const name of cluster === undefined ? [] : ["node-a", "node-b"]) {
    const node = cluster!.poplin(name);
    const stats = await node.client.stats().catch((error: Error) => error.message);
    lines.push(`${name}: ${JSON.stringify(stats)}`, node.log());
  }
  return lines.join("\n");
}
