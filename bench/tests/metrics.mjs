/** What a test may find out: each figure's unit, its name for people, and which way is better. */

export const METRICS = {
  gbps: { unit: "Gbit/s", title: "throughput", better: "more" },
  cpuPerGbit: { unit: "CPU-s/Gbit", title: "CPU of the whole machine", better: "less" },
  agentCpuPerGbit: { unit: "CPU-s/Gbit", title: "CPU of the agents", better: "less" },
  agentACpuPerGbit: { unit: "CPU-s/Gbit", title: "CPU of the agent beside iperf3's client", better: "less" },
  agentBCpuPerGbit: { unit: "CPU-s/Gbit", title: "CPU of the agent beside iperf3's server", better: "less" },
  iperfCpuPerGbit: { unit: "CPU-s/Gbit", title: "CPU of both ends of iperf3", better: "less" },
  rss: { unit: "bytes", title: "resident memory of an agent under load", better: "less" },
  retransmits: { unit: "segments", title: "retransmitted", better: "less" },
  kpps: { unit: "k/s", title: "packets received", better: "more" },
  sentKpps: { unit: "k/s", title: "packets sent", better: null },
  lossless: { unit: "k/s", title: "packets at 1 % loss or less", better: "more" },
  loss: { unit: "%", title: "loss", better: "less" },
  cpuPerPacket: { unit: "µs", title: "CPU per packet received", better: "less" },
  p50: { unit: "µs", title: "round trip, median", better: "less" },
  p90: { unit: "µs", title: "round trip, 90 %", better: "less" },
  p99: { unit: "µs", title: "round trip, 99 %", better: "less" },
  p999: { unit: "µs", title: "round trip, 99.9 %", better: "less" },
  lost: { unit: "packets", title: "lost", better: "less" },
};

/** A figure as people read it: three digits that mean something. */
export function figure(value, metric) {
  if (value === null || value === undefined) return "–";
  if (metric === "rss") return value === 0 ? "–" : `${Math.round(value / 1e6)}`;
  return digits(value);
}

export function digits(value) {
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
}
