/**
 * Every metric of the agent, once. Names have base units and the endings that Prometheus asks for (`_total`, `_seconds`,
 * `_bytes`, `_info`). Labels have few values: an overlay's VNI and device, a direction, a reason out of a closed set; no
 * address and no MAC. `docs/metrics.md` is made of this table (`npx vitest run test/agent/metrics -u`).
 */
import type { CounterName } from "../../dataplane/counters.ts";
import { EVERY } from "../../dataplane/turn-times.ts";
import type { Metric } from "./metric.ts";

const OVERLAY = ["vni", "device"] as const;
const CLUSTER = "on a node of a flannel cluster";
const counter = (help: string, ...labels: string[]): Metric => ({ type: "counter", help, labels });
const gauge = (help: string, ...labels: string[]): Metric => ({ type: "gauge", help, labels });

export const METRICS = {
  // the agent
  poplin_build_info: gauge("1, with poplin's version and Node's as labels", "version", "nodejs"),
  poplin_ready: gauge("1 where /readyz says ready, else 0"),
  poplin_self_probes_total: counter("Frames of our own sent through encap and decap, by result", "result"),
  poplin_device_rebuilds_total: counter("Times that what forwards over an underlay was opened anew"),
  poplin_config_reloads_total: counter("Reloads of the configuration, by result", "result"),
  poplin_config_last_reload_successful: gauge("1 where the last reload succeeded, or there was none"),
  poplin_config_loaded_timestamp_seconds: gauge(
    "When the configuration that is in force was read, since 1970",
  ),
  poplin_log_lost_lines_total: counter("Lines of the log that nobody read and that could not be kept"),
  poplin_event_loop_lag_seconds: gauge(
    "How late the main thread's event loop was since the last scrape: its median, its 99th percentile, its worst; packets do not wait for it",
    "stat",
  ),
  process_start_time_seconds: gauge("When the process started, since 1970"),
  process_resident_memory_bytes: gauge("Resident memory"),
  process_cpu_seconds_total: counter("CPU time of all threads, user and system"),

  // traffic
  poplin_frames_total: counter(
    "Inner Ethernet frames; tx is overlay to underlay, rx the reverse. Each segment counts",
    ...OVERLAY,
    "direction",
  ),
  poplin_bytes_total: counter(
    "Bytes of these frames, without what encapsulation adds",
    ...OVERLAY,
    "direction",
  ),
  poplin_batch_size: {
    type: "histogram",
    help: "Packets in one read: tx frames from the TAP, a super-frame as one; rx datagrams from the underlay",
    labels: ["direction"],
  },
  poplin_batch_duration_seconds: {
    type: "histogram",
    help: `Time from before the read of a batch until after its last write, system calls included: tx TAP to underlay, rx the reverse. Of one turn in ${EVERY} that moved something`,
    labels: ["direction"],
  },
  poplin_timed_processing_seconds_total: counter(
    "The part of these times that is encap (tx) or decap (rx), with checksums and cutting or joining segments; no system call",
    "direction",
  ),
  poplin_drops_total: counter(
    "Packets dropped, by direction and reason; the reasons are those of `poplin stats`",
    "direction",
    "reason",
  ),

  // the forwarding table and the peers
  poplin_fdb_rows: gauge("Rows of the forwarding table, by kind: static or learned", ...OVERLAY, "kind"),
  poplin_peers: gauge("Peers, by state: ok where their rows are in place, else failing", ...OVERLAY, "state"),

  // the dataplane
  poplin_dataplane_up: gauge("1 where the threads of what has this device answer", "device"),
  poplin_slots: gauge("Buffers for packets, by direction", "device", "direction"),
  poplin_slots_free: gauge(
    "Buffers that are free; fewer than there are only while packets wait",
    "device",
    "direction",
  ),
  poplin_offload_enabled: gauge("1 for an offload that is in use", "device", "offload"),

  // the cluster
  poplin_lease_held: { ...gauge("1 where the store has this node's lease"), only: CLUSTER },
  poplin_leases: { ...gauge("Leases in the store, by state: own, peer or left_out", "state"), only: CLUSTER },
  poplin_store_up: { ...gauge("1 where the store is heard"), only: CLUSTER },
  poplin_firewall_up: { ...gauge("1 where the firewall's rules are in place"), only: CLUSTER },
  poplin_store_operation_duration_seconds: {
    type: "histogram",
    help: "How long operations of the store took, failed ones too",
    labels: ["store", "operation"],
    only: CLUSTER,
  },
  poplin_store_errors_total: {
    ...counter("Operations of the store that failed", "store", "operation"),
    only: CLUSTER,
  },
} as const satisfies Record<string, Metric>;

/** Counters of the dataplane that are a metric as they are, all overlays added up. */
export const COUNTED: Readonly<
  Record<
    string,
    Metric & { readonly of: Readonly<Partial<Record<CounterName, Readonly<Record<string, string>>>>> }
  >
> = {
  poplin_backpressure_total: {
    ...counter("Times that the port to write to took no more, and the loop waited", "direction"),
    of: { txBackpressure: { direction: "tx" }, rxBackpressure: { direction: "rx" } },
  },
  poplin_timed_packets_total: {
    ...counter(
      "Packets that left in the batches that were timed: datagrams sent, frames written to the TAP; each segment counts",
      "direction",
    ),
    of: { txTimedPackets: { direction: "tx" }, rxTimedPackets: { direction: "rx" } },
  },
  poplin_datagrams_received_total: {
    ...counter("Datagrams received, a train of UDP_GRO as one"),
    of: { rxDatagrams: {} },
  },
  poplin_super_frames_total: {
    ...counter("Super-frames: tx cut into segments here, rx passed on whole", "direction"),
    of: { txSuperFrames: { direction: "tx" }, rxSuperFrames: { direction: "rx" } },
  },
  poplin_coalesced_frames_total: {
    ...counter("Frames that went to the TAP as part of the one before them"),
    of: { rxCoalesced: {} },
  },
  poplin_gso_fallbacks_total: {
    ...counter("Packets sent together that were refused and left one by one", "direction"),
    of: { txGsoFallbacks: { direction: "tx" }, rxGsoFallbacks: { direction: "rx" } },
  },
  poplin_flooded_frames_total: {
    ...counter("Frames that went to several VTEPs or to a group, each once"),
    of: { txFlooded: {} },
  },
  poplin_proxied_frames_total: {
    ...counter("ARP requests and neighbour solicitations answered here"),
    of: { txProxied: {} },
  },
  poplin_sender_mismatches_total: {
    ...counter("Frames let in although their MAC is another VTEP's, or nobody's"),
    of: { rxSenderMismatch: {} },
  },
  poplin_ecn_marked_frames_total: {
    ...counter("Congestion marks carried from the outer to the inner header"),
    of: { rxEcnMarked: {} },
  },
  poplin_fdb_changes_total: {
    ...counter(
      "Changes of learned rows, by kind: learned, moved, aged; full is a MAC that found no room",
      "kind",
    ),
    of: {
      fdbLearned: { kind: "learned" },
      fdbMoved: { kind: "moved" },
      fdbAged: { kind: "aged" },
      fdbFull: { kind: "full" },
    },
  },
};

export type MetricName = keyof typeof METRICS;

/** All of them, in the order in which they are documented. */
export const ALL_METRICS: Readonly<Record<string, Metric>> = { ...METRICS, ...COUNTED };
