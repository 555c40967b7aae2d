/** Lines of at most 80 columns. */

import { find } from "../runner.mjs";
import { digits, figure, METRICS } from "../tests/metrics.mjs";
import { bars } from "./bars.mjs";
import { COLUMNS, clusterMemory, clusterRows } from "./cluster.mjs";
import { inOrder, soakLine } from "./markdown.mjs";
import { offloadsInWords } from "./offloads.mjs";

/** What one test found out, as soon as it has: the first metric of each configuration. */
export function testLines(test, rows, configs) {
  const [metric] = test.metrics;
  const shown = rows.filter((row) => row.metric === metric);
  if (shown.length === 0) return [];
  const several = configs.filter(({ kind }) => kind === "poplin").length > 1;
  const title = `${test.name}: ${test.title}, ${METRICS[metric].unit}`;
  return [
    `${title.padEnd(60)}${"× kernel".padStart(10)}${several ? "× poplin".padStart(10) : ""}`,
    ...shown.map((row) => rowLine(row, configs)),
  ];
}

function rowLine(row, configs) {
  const config = configs.find(({ name }) => name === row.config);
  const title = `  ${config?.title ?? row.config}`.slice(0, 32).padEnd(33);
  const value = figure(row.median, row.metric).padStart(9);
  const range =
    row.samples.length > 1 ? `  ${figure(row.min, row.metric)} … ${figure(row.max, row.metric)}` : "";
  const ratios = [row.ratio, config?.kind === "poplin" ? row.toPoplin : null];
  return `${title}${value}${range.padEnd(18)}${ratios.map(times).join("")}`.trimEnd();
}

function times(ratio) {
  return (ratio ? digits(ratio.median) : "").padStart(10);
}

/** The end of a run: the machine, the bars, and where poplin stands. */
export function summaryLines(results) {
  const { machine, date, poplin } = results;
  const commit = poplin.commit
    ? `, commit ${poplin.commit.slice(0, 10)}${poplin.dirty ? " with changes" : ""}`
    : "";
  const lines = [
    "",
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memoryGiB} GiB${machine.virtual ? ", virtual" : ""}`,
    `${machine.kernel}, Node ${machine.node}, ${date.slice(0, 10)}, poplin ${poplin.version}${commit}`,
  ];
  if (results.measurements?.length > 0) {
    lines.push(...offloadLines(results), "", ...sideBySide(results), "", ...barLines(results));
  }
  if (results.soak) lines.push("", ...soakLine(results).replaceAll("**", "").split("\n"));
  if (results.cluster) lines.push("", ...clusterLines(results.cluster));
  if (results.micro) lines.push("", ...microLines(results.micro));
  return lines;
}

function offloadLines({ configurations }) {
  const about = configurations.find(({ name }) => name === "poplin")?.about ?? {};
  return offloadsInWords(about).flatMap((words) => wrap(`poplin's offloads ${words}`));
}

function barLines(results) {
  const rows = bars(results);
  const line = (title, measured, reach, aim) =>
    `${title.padEnd(54)}${measured.padStart(10)}${reach.padStart(8)}${aim.padStart(6)}`;
  return [
    line("", "measured", "reach", "aim"),
    ...rows.map(({ title, unit, measured, reach, aim }) =>
      line(title, measured === null ? "–" : `${digits(measured)} ${unit}`, String(reach), String(aim)),
    ),
  ];
}

function microLines({ results }) {
  return [
    `${"ns per operation".padEnd(50)}${"median".padStart(10)}${"bytes".padStart(8)}${"aim".padStart(7)}`,
    ...results.map(({ group, name, ns, bytes, aim }) => {
      const allocated = bytes === null ? "–" : bytes < 0.05 ? "0" : digits(bytes);
      const left = `  ${group}: ${name}`.padEnd(50);
      return `${left}${digits(ns.median).padStart(10)}${allocated.padStart(8)}${aim === null ? "" : `< ${aim}`.padStart(7)}`;
    }),
  ];
}

function clusterLines(cluster) {
  const line = ([name, ...cells]) => `  ${name.padEnd(8)}${cells.map((cell) => cell.padStart(14)).join("")}`;
  return [
    `cluster: ${cluster.nodes} nodes join, change their MACs and leave; seconds until in place`,
    ...[COLUMNS, ...clusterRows(cluster)].map(line),
    ...clusterMemory(cluster).flatMap((text) => wrap(`  ${text.replaceAll("**", "")}`)),
  ];
}

/** Breaks a line at spaces. */
function wrap(text, width = 80) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (`${lines.at(-1)} ${word}`.length > width) lines.push(`  ${word}`);
    else lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trimStart();
  }
  return lines;
}

/** Of each configuration what one asks for first. */
function sideBySide({ configurations, measurements }) {
  const line = (title, ...cells) =>
    `${title.slice(0, 29).padEnd(30)}${cells.map((cell) => cell.padStart(10)).join("")}`;
  const cell = (config, test, metric) => {
    const row = find(measurements, test, config.name, metric);
    return row === undefined ? "–" : figure(row.median, metric);
  };
  const both = (config) => ["p50", "p99"].map((metric) => cell(config, "rtt", metric)).join("/");
  return [
    line("", "TCP 1", "TCP 4", "64 B UDP", "RTT, µs", "CPU-s"),
    line("", "Gbit/s", "Gbit/s", "k/s", "p50/p99", "per Gbit"),
    ...inOrder(configurations.filter(({ skipped }) => skipped === undefined)).map((config) =>
      line(
        ...[config.title, cell(config, "tcp1", "gbps"), cell(config, "tcp4", "gbps")],
        ...[cell(config, "loss64", "lossless"), both(config), cell(config, "tcp1", "cpuPerGbit")],
      ),
    ),
  ];
}
