/** The bars of the throughput issue: what was measured, what has to be reached, what is aimed at. */

import { median } from "../measure/stats.mjs";
import { find, ratioTo } from "../runner.mjs";

/** Each `measured(results)` is null where the run did not measure what it takes. */
const BARS = [
  bar("TCP, 1 stream, to the kernel's VXLAN", "×", 0.65, 1.0, kernelRatio("tcp1", "gbps")),
  bar("TCP, 4 streams, to the kernel's VXLAN", "×", 0.8, 1.0, kernelRatio("tcp4", "gbps")),
  bar(
    "TCP, 1 stream, to the kernel with all offloads off",
    "×",
    2.0,
    3,
    kernelRatio("tcp1", "gbps", "kernel-off"),
  ),
  bar("64-byte UDP at ≤ 1 % loss, to the kernel's VXLAN", "×", 0.95, 1.2, kernelRatio("loss64", "lossless")),
  bar("round trip, median, above the kernel's", "µs", 15, 5, above),
  bar("CPU-seconds per Gbit, 1 stream, to the kernel's", "×", 1.8, 1.2, kernelRatio("tcp1", "cpuPerGbit")),
  bar("TCP, 1 stream, to the fastest other userspace tunnel", "×", 6, 10, fastestPeer),
];

function bar(title, unit, reach, aim, measured) {
  return { title, unit, reach, aim, measured };
}

/** @returns `[{ title, unit, measured, reach, aim, state }]`; state: "aim", "reach", "below" or null */
export function bars(results) {
  return BARS.map(({ title, unit, reach, aim, measured }) => {
    const value = measured(results);
    const met = (limit) => (aim > reach ? value >= limit : value <= limit);
    const state = value === null ? null : met(aim) ? "aim" : met(reach) ? "reach" : "below";
    return { title, unit, measured: value, reach, aim, state };
  });
}

function kernelRatio(test, metric, reference = "kernel") {
  return ({ measurements }) => {
    const row = find(measurements, test, "poplin", metric);
    return row === undefined ? null : (ratioTo(measurements, reference, row)?.median ?? null);
  };
}

/** Median of the differences run by run. */
function above({ measurements }) {
  const [poplin, kernel] = ["poplin", "kernel"].map((name) => find(measurements, "rtt", name, "p50"));
  if (poplin === undefined || kernel === undefined) return null;
  return median(poplin.samples.map((value, i) => value - (kernel.samples[i] ?? kernel.median)));
}

function fastestPeer({ measurements, configurations }) {
  const poplin = find(measurements, "tcp1", "poplin", "gbps");
  const peers = configurations
    .filter(({ kind, name }) => kind === "peer" && name !== "naive")
    .map(({ name }) => find(measurements, "tcp1", name, "gbps"))
    .filter((row) => row !== undefined)
    .sort((a, b) => b.median - a.median);
  if (poplin === undefined || peers.length === 0) return null;
  return ratioTo(measurements, peers[0].config, poplin)?.median ?? null;
}
