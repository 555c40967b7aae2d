import { afterEach, describe, expect, it } from "vitest";
import type { ClusterView } from "../../../src/agent/api/cluster-types.ts";
import { StoreMeter } from "../../../src/agent/metrics/histogram.ts";
import { Metrics } from "../../../src/agent/metrics/metrics.ts";
import { ALL_METRICS, COUNTED } from "../../../src/agent/metrics/table.ts";
import { COUNTER_NAMES, Counters, counterIndex, dropIndex } from "../../../src/dataplane/counters.ts";
import { DROP_REASONS } from "../../../src/dataplane/drops.ts";
import { OFFLOAD_NAMES } from "../../../src/dataplane/offloads.ts";
import { readExposition } from "./exposition.ts";

let metrics: Metrics | undefined;
afterEach(() => metrics?.close());

const REPORT = Object.fromEntries(
  OFFLOAD_NAMES.map((name) => [name, name === "hairpin" ? "switched off" : null]),
);

/** What forwards over one underlay, with an overlay for each VNI: the parts that metrics look at. */
function forwarding(vnis: readonly number[], { answers = true, peers = 1 } = {}) {
  const counters = new Counters();
  const health = {
    slots: { tx: { free: 1, count: 2 }, rx: { free: 3, count: 4 } },
    rows: vnis.map(() => ({ static: 5, learned: 6 })),
    offloads: { "udp-gso": "EIO" },
  };
  const engine = {
    snapshot: () => counters.snapshot(),
    ask: async () => {
      if (!answers) throw new Error("ended");
      return health;
    },
  };
  const overlays = vnis.map((vni) => ({
    device: { name: `flannel.${vni}` },
    config: { vni, peers: Array.from({ length: peers }, (_, n) => n) },
    engine,
    peers: { stateOf: (n: number) => (n === 0 ? "ok" : "its route is missing") },
  }));
  return {
    counters,
    part: { overlays, running: { overlays, engine, offloads: REPORT }, stats: () => counters.snapshot() },
  };
}

type Parts = Parameters<Metrics["page"]>[0];

async function scrape(changes: Record<string, unknown> = {}) {
  metrics ??= new Metrics();
  const { status, type, text } = await metrics.page({
    running: [],
    counts: {
      reloads: { ok: 1, failed: 2 },
      rebuilds: 3,
      probes: { ok: 4, failed: 5, busy: 6 },
      lostLines: 7,
    },
    lastReload: null,
    loadedAt: new Date(1_700_000_000_500),
    ready: true,
    cluster: null,
    ...changes,
  } as unknown as Parts);
  expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  const families = readExposition(text);
  const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
    [...families.values()]
      .flatMap(({ series }) => series)
      .find(
        (one) => one.name === name && Object.entries(labels).every(([label, is]) => one.labels[label] === is),
      )?.value;
  return { families, value };
}

describe("/metrics", () => {
  it("has each counter of the dataplane, with what several underlays have counted added up", async () => {
    const [one, two] = [forwarding([1, 2]), forwarding([3])];
    for (const [i, { counters }] of [one, two].entries()) {
      for (const name of COUNTER_NAMES)
        counters.values[counterIndex(name)] = (i + 1) * (counterIndex(name) + 1);
      counters.values[dropIndex("rx", "UNKNOWN_VTEP")] = 10 + i;
    }
    const { families, value } = await scrape({ running: [one.part, two.part] });
    expect(value("poplin_frames_total", { vni: "3", device: "flannel.3", direction: "tx" })).toBe(
      2 * (counterIndex("txFrames") + 1),
    );
    for (const [metric, { of }] of Object.entries(COUNTED)) {
      for (const [name, labels] of Object.entries(of)) {
        const sum = 3 * (counterIndex(name as (typeof COUNTER_NAMES)[number]) + 1);
        expect(value(metric, labels), `${metric} ${name}`).toBe(sum);
      }
    }
    expect(value("poplin_drops_total", { direction: "rx", reason: "UNKNOWN_VTEP" })).toBe(21);
    // Every reason, also those that have not come.
    const drops = families.get("poplin_drops_total")!.series;
    expect(drops).toHaveLength(2 * DROP_REASONS.length);
    expect(new Set(drops.map(({ labels }) => labels.reason))).toEqual(new Set(DROP_REASONS));
  });

  it("leaves out no counter of the dataplane", () => {
    const known = Object.values(COUNTED).flatMap(({ of }) => Object.keys(of));
    const own = ["txFrames", "rxFrames", "txBytes", "rxBytes", "txReads", "txBatches", "rxBatches"];
    // What has no metric: details of partial checksums and of groups, which `poplin stats` shows.
    const histograms = /Batch\d|Took|Nanoseconds$/;
    const left = COUNTER_NAMES.filter((name) => ![...known, ...own].includes(name) && !histograms.test(name));
    expect(left).toEqual(["rxPartialChecksums", "rxGbp"]);
  });

  it("has the sizes of batches, as the loop counts them", async () => {
    const { counters, part } = forwarding([1]);
    const add = (name: (typeof COUNTER_NAMES)[number], n: number) => {
      counters.values[counterIndex(name)]! += n;
    };
    add("txBatch1", 10);
    add("txBatch2", 5); // of 2 and 3
    add("txBatch64", 1);
    add("txReads", 10 + 12 + 64);
    add("rxBatch8", 2);
    add("rxDatagrams", 16);
    const { value } = await scrape({ running: [part] });
    const at = (direction: string, le: string) => value("poplin_batch_size_bucket", { direction, le });
    expect(["1", "3", "7", "63", "+Inf"].map((le) => at("tx", le))).toEqual([10, 15, 15, 15, 16]);
    expect(["1", "7", "+Inf"].map((le) => at("rx", le))).toEqual([0, 0, 2]);
    const of = (direction: string) =>
      ["sum", "count"].map((end) => value(`poplin_batch_size_${end}`, { direction }));
    expect([of("tx"), of("rx")]).toEqual([
      [86, 16],
      [16, 2],
    ]);
  });

  it("has the times of batches in seconds, what encap and decap are of them, and their packets", async () => {
    const running = [forwarding([1]), forwarding([2])];
    const add = (name: (typeof COUNTER_NAMES)[number], ...each: number[]) => {
      for (const [i, n] of each.entries()) running[i]!.counters.values[counterIndex(name)]! += n;
    };
    add("txTook5", 3, 4);
    add("txTook10", 2);
    add("txTook10000", 0, 1);
    add("txTookLonger", 1);
    add("txNanoseconds", 40_000_000, 2_000_500);
    add("txStageNanoseconds", 10_000_000, 500_000);
    add("txTimedPackets", 100, 50);
    add("rxTook250", 1, 1);
    add("rxNanoseconds", 200_000, 220_000);
    const { value } = await scrape({ running: running.map(({ part }) => part) });
    const at = (direction: string, le: string) =>
      value("poplin_batch_duration_seconds_bucket", { direction, le });
    const bounds = ["0.000005", "0.00001", "0.000025", "0.005", "0.01", "+Inf"];
    expect(bounds.map((le) => at("tx", le))).toEqual([7, 9, 9, 9, 10, 11]);
    expect(["0.0001", "0.00025", "+Inf"].map((le) => at("rx", le))).toEqual([0, 2, 2]);
    const of = (name: string) => ["tx", "rx"].map((direction) => value(`poplin_${name}`, { direction }));
    expect(of("batch_duration_seconds_sum")).toEqual([0.0420005, 0.00042]);
    expect(of("batch_duration_seconds_count")).toEqual([11, 2]);
    expect(of("timed_processing_seconds_total")).toEqual([0.0105, 0]);
    expect(of("timed_packets_total")).toEqual([150, 0]);
  });

  it("has rows, peers, buffers and offloads of what answers, and says what does not", async () => {
    const [open, silent] = [forwarding([1], { peers: 3 }), forwarding([2], { answers: false })];
    const { value } = await scrape({ running: [open.part, silent.part], ready: false });
    expect(value("poplin_ready")).toBe(0);
    expect(value("poplin_fdb_rows", { vni: "1", kind: "learned" })).toBe(6);
    expect(value("poplin_fdb_rows", { vni: "2" })).toBeUndefined();
    expect(value("poplin_peers", { vni: "1", state: "ok" })).toBe(1);
    expect(value("poplin_peers", { vni: "1", state: "failing" })).toBe(2);
    expect(value("poplin_dataplane_up", { device: "flannel.1" })).toBe(1);
    expect(value("poplin_dataplane_up", { device: "flannel.2" })).toBe(0);
    expect(value("poplin_slots_free", { device: "flannel.1", direction: "rx" })).toBe(3);
    const offload = (name: string) => value("poplin_offload_enabled", { device: "flannel.1", offload: name });
    expect(["tap-tso", "udp-gso", "hairpin"].map(offload)).toEqual([1, 0, 0]);
  });

  it("has the agent's own life", async () => {
    const { families, value } = await scrape({ lastReload: { at: "", ok: false, message: "" } });
    expect(value("poplin_config_last_reload_successful")).toBe(0);
    expect(value("poplin_config_loaded_timestamp_seconds")).toBe(1_700_000_000.5);
    expect(value("poplin_config_reloads_total", { result: "failed" })).toBe(2);
    expect(value("poplin_self_probes_total", { result: "busy" })).toBe(6);
    expect([value("poplin_device_rebuilds_total"), value("poplin_log_lost_lines_total")]).toEqual([3, 7]);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e7);
    expect(
      Math.abs(value("process_start_time_seconds")! - Date.now() / 1000 + process.uptime()),
    ).toBeLessThan(5);
    expect([...families.keys()].filter((name) => /lease|store|firewall/.test(name))).toEqual([]);
  });

  it("has the cluster and its store, where there is one", async () => {
    const meter = new StoreMeter("etcd");
    meter.observe("txn", 0.004, false);
    meter.observe("txn", 0.3, true);
    meter.observe("range", 100, false);
    const lease = (own: boolean, problem: string | null) => ({ own, problem });
    const cluster = {
      meter,
      status: () => ({ trouble: "refused", firewall: { trouble: null } }),
      leases: () => [lease(true, null), lease(false, null), lease(false, null), lease(false, "no MAC")],
    } as unknown as ClusterView;
    const { value } = await scrape({ cluster });
    const states = ["own", "peer", "left_out"].map((state) => value("poplin_leases", { state }));
    expect(states).toEqual([1, 2, 1]);
    expect(["lease_held", "store_up", "firewall_up"].map((name) => value(`poplin_${name}`))).toEqual([
      1, 0, 1,
    ]);
    expect(value("poplin_store_errors_total", { store: "etcd", operation: "txn" })).toBe(1);
    const time = (end: string, labels = {}) =>
      value(`poplin_store_operation_duration_seconds${end}`, { operation: "txn", ...labels });
    expect([
      time("_bucket", { le: "0.0025" }),
      time("_bucket", { le: "0.005" }),
      time("_bucket", { le: "0.5" }),
    ]).toEqual([0, 1, 2]);
    expect([time("_count"), time("_sum")]).toEqual([2, 0.304]);
    expect(value("poplin_store_operation_duration_seconds_bucket", { operation: "range", le: "30" })).toBe(0);
  });

  it("has labels as the table says, for every family there is", async () => {
    const { families } = await scrape({ running: [forwarding([1]).part] });
    for (const [name, { type, series }] of families) {
      const row = ALL_METRICS[name]!;
      expect(type).toBe(row.type);
      for (const { labels } of series) {
        const own = Object.keys(labels).filter((label) => label !== "le");
        expect([name, own]).toEqual([name, [...row.labels]]);
      }
    }
  });
});
