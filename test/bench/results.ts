/** The results of a run that never was, with everything that a report may have to show. */
import { load } from "./load.ts";

const { Runner } = await load("runner.mjs");
const { TESTS } = await load("tests/index.mjs");

const CONFIGURATIONS = [
  { name: "kernel", title: "kernel VXLAN", kind: "kernel", own: true, speed: 10 },
  { name: "poplin", title: "poplin", kind: "poplin", own: true, speed: 8 },
  { name: "nospin", title: "poplin, nospin", kind: "poplin", own: true, speed: 6 },
  { name: "kernel-off", title: "kernel, no offloads", kind: "kernel", peer: true, speed: 4 },
  { name: "tinc", title: "tinc, no cipher", kind: "peer", peer: true, speed: 1 },
];

interface Test {
  readonly name: string;
  readonly metrics: readonly string[];
  readonly shared?: boolean;
}

/** Figures that follow from a speed; every run is 1 % faster than the last. */
function measured({ metrics }: Test, speed: number, run: number) {
  const less = ["cpuPerGbit", "p50", "p90", "p99", "p999", "loss"];
  const value = (metric: string) => (less.includes(metric) ? 100 / speed : speed * 1.01 ** run);
  return {
    ...Object.fromEntries(metrics.map((metric) => [metric, metric === "rss" ? 60e6 : value(metric)])),
    histogram: [
      [100 / speed, 90],
      [200 / speed, 10],
    ],
    points: [20, 40, 80].map((sent) => ({ sent, received: sent, loss: sent > speed * 6 ? 20 : 0 })),
  };
}

/** Measured by the runner itself, on beds that only know their speed. */
export async function results() {
  const runner = new Runner({ seconds: 1, runs: 3, peerRuns: 2 }, { begin() {}, end() {}, say() {} });
  for (const test of TESTS as Test[]) {
    const entries = CONFIGURATIONS.filter((config) => config.own || test.shared);
    const bed = (config: { speed: number }) => ({ speed: config.speed, run: 0 });
    await runner.run(
      {
        ...test,
        cost: () => 1,
        run: async (b: { speed: number; run: number }) => measured(test, b.speed, b.run++),
      },
      entries.map((config) => ({ config, bed: bed(config) })),
    );
  }
  const { measurements, details, failures } = runner;
  return {
    schema: 1,
    date: "2026-11-25T12:34:56.000Z",
    machine: {
      ...{ cpu: "Some CPU", cpus: 2, memoryGiB: 24, virtual: true, kernel: "Linux 6.18.1", node: "v20.20.2" },
    },
    poplin: { version: "0.1.0", commit: "0123456789abcdef", subject: "x", dirty: false },
    plan: { seconds: 1, runs: 3, peerRuns: 2, quick: false },
    command: ["--quick"],
    configurations: [
      ...CONFIGURATIONS.map((config) => ({ ...config, about: about(config.kind) })),
      {
        name: "nebula",
        title: "nebula (encrypts)",
        kind: "peer",
        skipped: "there is no nebula: apt-get install nebula",
      },
    ],
    ...{ measurements, details, failures },
    skipped: [{ config: "nebula", why: "there is no nebula" }],
    micro: {
      rounds: 3,
      results: [
        { group: "fdb", name: "lookup", aim: 20, ns: { median: 9, lowest: 8, highest: 12 }, bytes: 0 },
      ],
    },
    cluster: {
      nodes: 1000,
      stores: [
        {
          ...{ name: "file", flat: true, growth: 0.01, memory: { before: 9e7, peak: 15e7, after: 1e8 } },
          rounds: [1000, 10, 1000].map((size, i) => ({
            ...{ size, join: 1 + i, change: 2, leave: 0.5, cpu: 0.75, rss: 1e8 },
          })),
        },
        { name: "etcd", problem: "there is no etcd: apt-get install etcd-server" },
      ],
    },
    soak: {
      ...{ minutes: 2, config: "poplin", flat: true, growth: -0.01 },
      samples: [30, 60, 90, 120].map((second) => ({
        second,
        gbps: second === 60 ? null : 8,
        rss: 6e7,
        cpu: 1,
      })),
    },
  };
}

function about(kind: string) {
  if (kind !== "poplin") return { version: "1" };
  return {
    version: "0.1.0",
    args: [],
    capabilities: { gso: true, checksum: "computed" },
    offloads: { "tap-tso": { on: true, why: null }, hairpin: { on: false, why: "switched off" } },
  };
}
