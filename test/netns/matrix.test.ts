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
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { datagrams, type Family, iperf, ping, podOf, type Send, serve, stream } from "./pods.ts";

const FULL = process.env.POPLIN_FULL === "1";
const UNDERLAYS = ["batch", "dgram", "raw"] as const;
const PAIRS = [
  ["node-a", "node-b"],
  ["node-a", "node-k"],
  ["node-k", "node-a"],
] as const;

const MTU = 1450;
const STREAM_BYTES = FULL ? 64 << 20 : 3 << 20;
const IPERF_ARGS = FULL ? ["-t", "5", "-P", "4"] : ["-n", "8M"];
const RANDOM_DATAGRAMS = FULL ? 10_000 : 300;

/** The most that fits into one packet behind the headers of IP and of ICMP or UDP: 1422 bytes over IPv4. */
function largest(family: Family): number {
  return MTU - (family === 4 ? 20 : 40) - 8;
}

/** Around every power of two, around the shortest Ethernet frame (18 bytes of data), ping's default, the largest. */
function sizeClasses(most: number): number[] {
  if (FULL) return Array.from({ length: most + 1 }, (_, size) => size);
  const powers = Array.from({ length: 11 }, (_, i) => 2 ** i).flatMap((n) => [n - 1, n, n + 1]);
  const sizes = new Set([0, ...powers, 18, 19, 56, most - 1, most]);
  return [...sizes].filter((size) => size <= most).sort((a, b) => a - b);
}

/** Datagrams within the MTU, and such as the pod's kernel has to cut into IP fragments. */
function plainSends(family: Family): Send[] {
  const most = largest(family);
  const random = Array.from({ length: RANDOM_DATAGRAMS }, () => Math.floor(Math.random() * (most + 1)));
  return [...sizeClasses(most), ...random, most + 1, 4000, 60_000].map((bytes) => ({ bytes }));
}

/** UDP_SEGMENT sends: full ones, a shorter last datagram, tiny ones, a whole that fits the MTU, one datagram only. */
function segmentedSends(family: Family): Send[] {
  const most = largest(family);
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

for (const underlay of UNDERLAYS) {
  const needs = [
    lab(),
    tool("ping"),
    tool("iperf3"),
    ...(underlay === "raw" ? [optionalPackage("raw-socket")] : []),
  ];
  describeWith(needs, underlay, () => {
    let cluster: Cluster;

    beforeAll(async () => {
      const nodes = ["node-a", "node-b"].map((name) => ({ name, kind: "poplin" as const, underlay }));
      cluster = await Cluster.start({ nodes: [...nodes, { name: "node-k", kind: "kernel" }], ipv6: true });
      await Promise.all(cluster.nodes.map(({ pod }) => serve(pod)));
    });
    afterAll(() => cluster?.destroy());
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") console.error(await report(cluster));
    });

    for (const [from, to] of PAIRS) {
      for (const family of [4, 6] as const) {
        describe(`${from} → ${to}, IPv${family}`, () => between(() => cluster, from, to, family));
      }
    }

    it("has lost nothing on the way", async () => {
      for (const name of ["node-a", "node-b"]) {
        const { drops } = await cluster.poplin(name).client.stats();
        expect(drops.rx).toEqual({});
        // multicast of the device's own kernel (MLD, router solicitations), for which nobody has a row
        expect(Object.keys(drops.tx).filter((reason) => reason !== "NO_TX_TARGET")).toEqual([]);
      }
      expect(await receiveErrors(cluster.node("node-k"))).toBe(0);
    });
  });
}

function between(get: () => Cluster, from: string, to: string, family: Family): void {
  const fromKernel = from === "node-k";

  /** Runs traffic; what comes from the kernel's device has to count under these names at the other end. */
  async function meeting<T>(counters: readonly CounterName[], run: () => Promise<T>): Promise<T> {
    if (!fromKernel) return run();
    const { client } = get().poplin(to);
    const before = await client.stats();
    const result = await run();
    const after = await client.stats();
    for (const name of counters) expect(after[name], name).toBeGreaterThan(before[name]);
    return result;
  }

  const source = () => get().node(from).pod;
  const address = () => podOf(get().node(to), family);

  it(`ICMP of every size up to ${largest(family)} bytes, DF set`, async () => {
    expect(await ping(source(), address(), sizeClasses(largest(family)))).toBe("");
  });

  it("TCP, both ways, digests compared", async () => {
    const result = await meeting(["rxPartialChecksums", "rxSuperFrames"], () =>
      stream(source(), address(), STREAM_BYTES),
    );
    expect(result).toEqual({ sent: true, received: true });
  });

  it("TCP by iperf3", async () => {
    for (const direction of [[], ["--reverse"]]) {
      const { sent, received } = await iperf(source(), address(), [...IPERF_ARGS, ...direction]);
      expect(sent).toBeGreaterThanOrEqual(8 << 20);
      expect(received).toBeGreaterThan(0);
    }
  });

  it("UDP, each datagram's digest compared", async () => {
    const { sent, received } = await meeting(["rxPartialChecksums"], () =>
      datagrams(source(), address(), plainSends(family)),
    );
    expect(received).toEqual(sent);
  });

  it("UDP_SEGMENT sends, each datagram's digest compared", async () => {
    const { sent, received } = await meeting(["rxSuperFrames"], () =>
      datagrams(source(), address(), segmentedSends(family)),
    );
    expect(received).toEqual(sent);
  });
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
