/** What every metric has at this moment, from the parts of a running agent. */
import {
  COUNTER_NAMES,
  type CounterName,
  type CounterSnapshot,
  type Direction,
} from "../../dataplane/counters.ts";
import type { DataplaneHealth } from "../../dataplane/dataplane.ts";
import { DROP_REASONS } from "../../dataplane/drops.ts";
import { OFFLOAD_NAMES } from "../../dataplane/offloads.ts";
import type { ClusterView } from "../api/cluster-types.ts";
import type { ReloadStatus } from "../api/status-types.ts";
import { addSnapshots } from "../engine/queues.ts";
import type { Forwarding } from "../forwarding.ts";
import { reportAtThisMoment } from "../offloads.ts";
import { inTime } from "../probes/in-time.ts";
import { version } from "../version.ts";
import { durations, processing, sizes } from "./batches.ts";
import type { Sample } from "./metric.ts";
import { COUNTED, type MetricName } from "./table.ts";

/** What has happened to the agent, counted by itself. */
export interface AgentCounts {
  readonly reloads: Readonly<Record<"ok" | "failed", number>>;
  readonly rebuilds: number;
  readonly probes: Readonly<Record<"ok" | "failed" | "busy", number>>;
  readonly lostLines: number;
}

export interface MetricParts {
  readonly running: readonly Forwarding[];
  readonly counts: AgentCounts;
  readonly lastReload: ReloadStatus | null;
  readonly loadedAt: Date;
  readonly ready: boolean;
  readonly cluster: ClusterView | null;
  /** Seconds by which the event loop was late: p50, p99, max. */
  readonly lag: Readonly<Record<string, number>>;
}

/** Samples by metric. */
export type Collected = Record<string, readonly Sample[]>;

export async function collect(parts: MetricParts): Promise<Collected> {
  const stats = addSnapshots(parts.running.map((one) => one.stats()));
  const healths = await Promise.all(
    parts.running.map(({ running }) => inTime(running.engine.ask({ type: "health" })).catch(() => null)),
  );
  return {
    ...agent(parts),
    ...traffic(parts.running, stats),
    ...dataplane(parts.running, healths),
    ...cluster(parts),
  };
}

type Of<N extends MetricName> = Pick<Record<MetricName, readonly Sample[]>, N>;

function one(value: number, labels: Sample["labels"] = {}): Sample[] {
  return [{ value, labels }];
}

function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ value, labels: { [label]: name } }));
}

function agent({ counts, lastReload, loadedAt, ready, lag }: MetricParts): Collected {
  const { user, system } = process.cpuUsage();
  return {
    poplin_build_info: one(1, { version: version(), nodejs: process.versions.node }),
    poplin_ready: one(Number(ready)),
    poplin_self_probes_total: by("result", counts.probes),
    poplin_device_rebuilds_total: one(counts.rebuilds),
    poplin_config_reloads_total: by("result", counts.reloads),
    poplin_config_last_reload_successful: one(Number(lastReload?.ok ?? true)),
    poplin_config_loaded_timestamp_seconds: one(loadedAt.getTime() / 1000),
    poplin_log_lost_lines_total: one(counts.lostLines),
    poplin_event_loop_lag_seconds: by("stat", lag),
    process_start_time_seconds: one(performance.timeOrigin / 1000),
    process_resident_memory_bytes: one(process.memoryUsage.rss()),
    process_cpu_seconds_total: one((user + system) / 1e6),
  } satisfies Partial<Record<MetricName, readonly Sample[]>>;
}

const DIRECTIONS = ["tx", "rx"] as const satisfies readonly Direction[];

type TrafficMetric =
  | "poplin_frames_total"
  | "poplin_bytes_total"
  | "poplin_batch_size"
  | "poplin_batch_duration_seconds"
  | "poplin_timed_processing_seconds_total"
  | "poplin_drops_total";

function traffic(running: readonly Forwarding[], stats: CounterSnapshot): Collected {
  const frames: Sample[] = [];
  const bytes: Sample[] = [];
  for (const { device, config, engine } of running.flatMap(({ overlays }) => overlays)) {
    const labels = { vni: config.vni, device: device.name };
    const { txFrames, rxFrames, txBytes, rxBytes } = engine.snapshot();
    frames.push({ labels: { ...labels, direction: "tx" }, value: txFrames });
    frames.push({ labels: { ...labels, direction: "rx" }, value: rxFrames });
    bytes.push({ labels: { ...labels, direction: "tx" }, value: txBytes });
    bytes.push({ labels: { ...labels, direction: "rx" }, value: rxBytes });
  }
  const drops = DIRECTIONS.flatMap((direction) =>
    DROP_REASONS.map((reason) => ({
      labels: { direction, reason },
      value: stats.drops[direction][reason] ?? 0,
    })),
  );
  const counted = Object.entries(COUNTED).map(([name, { of }]) => {
    const names = COUNTER_NAMES.filter((counter): counter is CounterName => of[counter] !== undefined);
    return [name, names.map((counter) => ({ labels: of[counter]!, value: stats[counter] }))] as const;
  });
  const own: Of<TrafficMetric> = {
    poplin_batch_size: DIRECTIONS.flatMap((direction) => sizes(direction, stats)),
    poplin_batch_duration_seconds: DIRECTIONS.flatMap((direction) => durations(direction, stats)),
    poplin_timed_processing_seconds_total: DIRECTIONS.map((direction) => processing(direction, stats)),
    poplin_frames_total: frames,
    poplin_bytes_total: bytes,
    poplin_drops_total: drops,
  };
  return { ...own, ...Object.fromEntries(counted) };
}

function dataplane(running: readonly Forwarding[], healths: readonly (DataplaneHealth | null)[]): Collected {
  const rows: Sample[] = [];
  const peers: Sample[] = [];
  const up: Sample[] = [];
  const slots: Sample[] = [];
  const free: Sample[] = [];
  const offloads: Sample[] = [];
  for (const [i, { overlays, running: open }] of running.entries()) {
    const health = healths[i]!;
    // What all overlays of an underlay share has the first one's name.
    const first = { device: overlays[0].device.name };
    up.push({ labels: first, value: Number(health !== null) });
    const report = reportAtThisMoment(open.offloads, health?.offloads);
    for (const offload of OFFLOAD_NAMES) {
      offloads.push({ labels: { ...first, offload }, value: Number(report[offload] === null) });
    }
    for (const direction of DIRECTIONS) {
      if (health === null) continue;
      slots.push({ labels: { ...first, direction }, value: health.slots[direction].count });
      free.push({ labels: { ...first, direction }, value: health.slots[direction].free });
    }
    for (const [place, { device, config, peers: placed }] of overlays.entries()) {
      const labels = { vni: config.vni, device: device.name };
      const ok = config.peers.filter((peer) => placed.stateOf(peer) === "ok").length;
      peers.push({ labels: { ...labels, state: "ok" }, value: ok });
      peers.push({ labels: { ...labels, state: "failing" }, value: config.peers.length - ok });
      const count = health?.rows[place];
      if (count === undefined) continue;
      rows.push({ labels: { ...labels, kind: "static" }, value: count.static });
      rows.push({ labels: { ...labels, kind: "learned" }, value: count.learned });
    }
  }
  return {
    poplin_fdb_rows: rows,
    poplin_peers: peers,
    poplin_dataplane_up: up,
    poplin_slots: slots,
    poplin_slots_free: free,
    poplin_offload_enabled: offloads,
  } satisfies Partial<Record<MetricName, readonly Sample[]>>;
}

function cluster({ cluster }: MetricParts): Collected {
  if (cluster === null) return {};
  const { trouble, firewall } = cluster.status();
  const { meter } = cluster;
  const leases = cluster.leases();
  const count = (which: (lease: (typeof leases)[number]) => boolean): number => leases.filter(which).length;
  const bad = ({ problem, own }: (typeof leases)[number]): boolean => problem !== null && !own;
  return {
    poplin_lease_held: one(Number(leases.some(({ own }) => own))),
    poplin_leases: by("state", {
      own: count(({ own }) => own),
      peer: count((lease) => !lease.own && !bad(lease)),
      left_out: count(bad),
    }),
    poplin_store_up: one(Number(trouble === null)),
    poplin_firewall_up: one(Number(firewall.trouble === null)),
    poplin_store_operation_duration_seconds: meter.times("poplin_store_operation_duration_seconds"),
    poplin_store_errors_total: meter.errors(),
  } satisfies Partial<Record<MetricName, readonly Sample[]>>;
}
