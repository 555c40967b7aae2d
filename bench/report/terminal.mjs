/** Lines of at most 80 columns. */
import { digits, figure, METRICS } from "../tests/metrics.mjs";
import { bars } from "./bars.mjs";

/** What one test found out, as soon as it has: the first metric of each configuration. */
export function testLines(test, rows, configs) {
  const [metric] = test.metrics;
  const shown = rows.filter((row) => row.metric === metric);
  if (shown.length === 0) return [];
  return [
    `${test.name.padEnd(10)}${test.title}, ${METRICS[metric].unit}`,
    ...shown.map((row) => rowLine(row, configs)),
  ];
}

function rowLine(row, configs) {
  const title = configs.find(({ name }) => name === row.config)?.title ?? row.config;
  const range =
    row.samples.length > 1 ? `${figure(row.min, row.metric)} … ${figure(row.max, row.metric)}` : "";
  const ratio = row.ratio === null ? "" : `${digits(row.ratio.median)} × kernel`;
  return `  ${title.slice(0, 36).padEnd(38)}${figure(row.median, row.metric).padStart(7)}  ${range.padEnd(16)}${ratio}`.trimEnd();
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
  if (results.measurements) lines.push(...offloadLines(results), "", ...barLines(results));
  if (results.micro) lines.push("", ...microLines(results.micro));
  return lines;
}

function offloadLines({ configurations }) {
  const about = configurations.find(({ name }) => name === "poplin")?.about ?? {};
  const words = Object.entries({ ...about.capabilities, ...about.offloads })
    .filter(([, value]) => typeof value === "boolean")
    .map(([name, value]) => `${name} ${value ? "on" : "off"}`);
  return words.length === 0 ? [] : wrap(`poplin's offloads: ${words.join(", ")}`);
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

/** Breaks a line at spaces. */
function wrap(text, width = 80) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (`${lines.at(-1)} ${word}`.length > width) lines.push(`  ${word}`);
    else lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trimStart();
  }
  return lines;
}
