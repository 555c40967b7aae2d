/** The report as Markdown: tables, charts, and everything that one needs to judge them. */

import { describe } from "../machine.mjs";
import { median } from "../measure/stats.mjs";
import { find } from "../runner.mjs";
import { testNamed } from "../tests/index.mjs";
import { digits, figure, METRICS } from "../tests/metrics.mjs";
import { bars } from "./bars.mjs";
import { percent } from "./charts/soak.mjs";
import { COLUMNS as CLUSTER_COLUMNS, clusterMemory, clusterRows } from "./cluster.mjs";
import { offloadsInWords } from "./offloads.mjs";

const COLUMNS = [
  ["TCP, 1 stream, Gbit/s", "tcp1", "gbps", true],
  ["4 streams", "tcp4", "gbps", true],
  ["reverse", "tcp1r", "gbps", true],
  ["64 B at ≤ 1 % loss, k/s", "loss64", "lossless", true],
  ["RTT p50 / p99, µs", "rtt", ["p50", "p99"], false],
  ["CPU-s per Gbit", "tcp1", "cpuPerGbit", false],
  ["memory, MB", "tcp1", "rss", false],
];

/** @param charts names of the charts @param folder where they are, seen from the file, with a slash at its end */
export function markdown(results, charts, folder) {
  return [
    "# How poplin compares",
    head(results),
    ...section("Side by side", overview(results)),
    ...section("The bars", barTable(results)),
    ...section("Other settings, other commits", besides(results)),
    ...charts.map((name) => `![${name}](${folder}${name}.svg)`),
    ...section("Every measurement", everything(results)),
    ...section("Micro benchmarks", microTable(results)),
    ...section("Soak", soakLine(results)),
    ...section("A node of a cluster", clusterSection(results)),
    ...section("What ran", configurations(results)),
    ...section("What could not be measured", failures(results)),
  ].join("\n\n");
}

function section(title, body) {
  return body === "" ? [] : [`## ${title}`, body];
}

function head({ machine, date, poplin, plan, command }) {
  const commit =
    poplin.commit === null ? "" : ` at ${poplin.commit.slice(0, 10)}${poplin.dirty ? ", with changes" : ""}`;
  return [
    `${describe(machine)} · ${date.slice(0, 16).replace("T", " ")} UTC · poplin ${poplin.version}${commit}.`,
    `Medians of up to ${plan.runs} interleaved runs of ${plan.seconds} s; ratios are to the kernel's VXLAN with its`,
    `offloads on, taken run by run. \`npm run bench${command.length > 0 ? ` -- ${command.join(" ")}` : ""}\`;`,
    "how each figure is measured: bench/README.md.",
  ].join("\n");
}

/** The kernel first, then poplin, then the others. */
export function inOrder(configurations) {
  const kinds = ["kernel", "poplin", "peer"];
  return [...configurations].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
}

/** A row per configuration. */
export function overview({ configurations = [], measurements = [] }) {
  const rows = inOrder(configurations.filter(({ skipped }) => skipped === undefined));
  const columns = COLUMNS.filter(([, test]) => measurements.some((row) => row.test === test));
  if (rows.length === 0 || columns.length === 0) return "";
  return table(
    ["", ...columns.map(([title]) => title)],
    rows.map((config) => [config.title, ...columns.map((column) => cell(measurements, config, column))]),
  );
}

function cell(measurements, { name }, [, test, metrics, withRatio]) {
  const found = [metrics].flat().map((metric) => find(measurements, test, name, metric));
  if (found.every((row) => row === undefined)) return "–";
  const values = found.map((row) => figure(row?.median, row?.metric)).join(" / ");
  const ratio = withRatio && found[0].ratio ? ` (${digits(found[0].ratio.median)})` : "";
  return values + ratio;
}

export function barTable(results) {
  const rows = bars({ measurements: [], configurations: [], ...results });
  if (rows.every(({ measured }) => measured === null)) return "";
  const words = { aim: "aim met", reach: "reached", below: "not reached" };
  return table(
    ["metric", "measured", "reach", "aim", ""],
    rows.map(({ title, unit, measured, reach, aim, state }) => [
      title,
      measured === null ? "not measured" : `**${digits(measured)} ${unit}**`,
      `${unit === "µs" || title.startsWith("CPU") ? "≤" : "≥"} ${reach}`,
      `${unit === "µs" || title.startsWith("CPU") ? "≤" : "≥"} ${aim}`,
      words[state] ?? "",
    ]),
  );
}

/** Other poplins of the run as ratios to this one: the first figure of each test. */
function besides({ configurations = [], measurements = [] }) {
  const others = configurations.filter(
    ({ kind, name, skipped }) => kind === "poplin" && name !== "poplin" && !skipped,
  );
  const tests = [...new Set(measurements.map(({ test }) => test))];
  if (others.length === 0) return "";
  const rows = tests.map((test) => {
    const { title, metrics } = testNamed(test);
    const cells = others.map(({ name }) => {
      const ratio = find(measurements, test, name, metrics[0])?.toPoplin;
      return ratio ? `${digits(ratio.median)} (${digits(ratio.min)} … ${digits(ratio.max)})` : "–";
    });
    return [`${title}, ${METRICS[metrics[0]].title}`, ...cells];
  });
  return `Ratios to the poplin of this tree with its own settings, and their range.\n\n${table(["", ...others.map(({ title }) => title)], rows)}`;
}

function everything({ configurations = [], measurements = [] }) {
  if (measurements.length === 0) return "";
  const title = (name) => configurations.find((config) => config.name === name)?.title ?? name;
  return table(
    ["test", "figure", "", "median", "range", "to the kernel"],
    measurements.map((row) => [
      testNamed(row.test)?.title ?? row.test,
      `${METRICS[row.metric].title}, ${row.metric === "rss" ? "MB" : row.unit}`,
      title(row.config),
      figure(row.median, row.metric),
      row.samples.length > 1 ? `${figure(row.min, row.metric)} … ${figure(row.max, row.metric)}` : "",
      row.ratio === null ? "" : digits(row.ratio.median),
    ]),
    3,
  );
}

function microTable({ micro }) {
  if (!micro) return "";
  const rows = micro.results.map(({ group, name, ns, bytes, aim }) => [
    ...[`${group}: ${name}`, digits(ns.median), `${digits(ns.lowest)} … ${digits(ns.highest)}`],
    ...[bytes === null ? "–" : bytes < 0.05 ? "0" : digits(bytes), aim === null ? "" : `< ${aim}`],
  ]);
  return table(["operation", "ns", "range", "bytes allocated", "aim, ns"], rows);
}

export function soakLine({ soak }) {
  if (!soak) return "";
  if (soak.flat === null || soak.flat === undefined) return soak.problem ?? "Too short to judge.";
  const rates = soak.samples.map(({ gbps }) => gbps).filter((gbps) => gbps !== null);
  return [
    `Minutes of one TCP stream: ${digits(soak.minutes)}. Throughput, median: ${digits(median(rates))} Gbit/s.`,
    `Memory is ${soak.flat ? "flat" : "**not flat**"}: ${percent(soak.growth)} from the second quarter to the last.`,
  ].join("\n");
}

function clusterSection({ cluster }) {
  if (!cluster) return "";
  return [
    `${cluster.nodes} nodes join, change their MACs and leave, some at once each time. Seconds until all rows are in place,`,
    "and CPU-seconds of the agent per 1,000 changes; medians over the rounds.\n",
    table(CLUSTER_COLUMNS, clusterRows(cluster)),
    "",
    ...clusterMemory(cluster).map((text) => `- ${text}`),
  ].join("\n");
}

/** The offloads and settings in use, so that a slow node can be understood. */
function configurations({ configurations = [] }) {
  const lines = configurations.map(({ title, skipped, about = {} }) => {
    if (skipped !== undefined) return `- ${title}: not measured: ${skipped.split("\n")[0]}`;
    const { args, capabilities, offloads, version, note } = about;
    const words = [
      ...(version ? [`version ${version}`] : []),
      ...(args?.length > 0 ? [`arguments \`${args.join(" ")}\``] : []),
      ...offloadsInWords({ offloads, capabilities }).map((text) => `offloads ${text}`),
      ...(capabilities ? [`underlay \`${JSON.stringify(capabilities)}\``] : []),
      ...(note ? [note] : []),
    ];
    return `- ${title}${words.length > 0 ? `: ${words.join(", ")}` : ""}`;
  });
  return lines.join("\n");
}

function failures({ failures = [], configurations = [] }) {
  const title = (name) => configurations.find((config) => config.name === name)?.title ?? name;
  return failures
    .map(({ test, config, why }) => `- ${test}, ${title(config)}: ${why.split("\n")[0]}`)
    .join("\n");
}

/** @param left how many of the first columns hold words */
function table(header, rows, left = 1) {
  const line = (cells) => `| ${cells.map((text) => String(text).replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(header),
    `|${header.map((_, i) => (i < left ? "---" : "--:")).join("|")}|`,
    ...rows.map(line),
  ].join("\n");
}
