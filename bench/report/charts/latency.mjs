/** Distribution of round trips, idle and beside a TCP stream: how many of them took how long. */

import { find } from "../../runner.mjs";
import { digits } from "../../tests/metrics.mjs";
import { AXIS, colour, FAINT, FOOT, grid, HALO, howOften, INK, sheet, TOP, text, WIDTH } from "./theme.mjs";

const PANEL = 190;
const GAP = 66;
const LEFT = 66;
/** So many names find room beside their peaks. */
const BESIDE = 2;
const PANELS = [
  { test: "rtt", title: "nothing else on the machine" },
  { test: "rtt-load", title: "beside one TCP stream" },
];

export function chart(results) {
  const panels = PANELS.map((panel) => ({ ...panel, lines: linesOf(results, panel.test) })).filter(
    ({ lines }) => lines.length > 0,
  );
  if (panels.length === 0) return null;
  const { from, to } = extent(panels);
  const tops = panels.map((_, i) => TOP + 28 + i * (PANEL + GAP));
  return sheet(
    results,
    {
      title: "Round trips through the tunnel",
      subtitle: `ping; share of the answers by their time, 20 steps a decade · ${howOften(results)}`,
      height: tops.at(-1) + PANEL + 50 + FOOT,
    },
    {
      grid: tops.map((top) => grid({ left: LEFT, width: WIDTH - LEFT - 50, top, height: PANEL })),
      graphic: panels.flatMap((panel, i) => [
        text(panel.title, { left: LEFT, top: tops[i] - 24 }, { fill: INK, ...NAME }),
        ...column(results, panel, tops[i]),
      ]),
      xAxis: panels.map((_, i) => ({
        ...AXIS,
        ...{ type: "log", gridIndex: i, min: from, max: to, nameLocation: "middle", nameGap: 28 },
        name: i === panels.length - 1 ? "round trip, µs (logarithmic)" : "",
        axisLabel: { ...AXIS.axisLabel, formatter: (value) => value.toLocaleString("en-US") },
      })),
      yAxis: panels.map((_, i) => ({
        ...AXIS,
        ...{ type: "value", gridIndex: i, min: 0, splitNumber: 3 },
        axisLabel: { ...AXIS.axisLabel, formatter: "{value} %" },
      })),
      series: panels.flatMap((panel, i) => panel.lines.map((line) => series(results, panel, line, i))),
    },
  );
}

function linesOf(results, test) {
  return results.configurations
    .filter(({ kind, name }) => kind === "poplin" || name === "kernel")
    .map((config) => ({ config, bins: shares(results, test, config.name) }))
    .filter(({ bins }) => bins.length > 0);
}

/** A step for each bin, empty ones too. @returns `[[µs, %], …]` */
function shares({ details }, test, name) {
  const bins = details.find((row) => row.test === test && row.config === name)?.histogram ?? [];
  const total = bins.reduce((sum, [, count]) => sum + count, 0);
  const by = new Map(bins.map(([from, count]) => [Math.round(Math.log10(from) * 20), (count * 100) / total]));
  if (by.size === 0) return [];
  const [first, last] = [Math.min(...by.keys()) - 1, Math.max(...by.keys()) + 1];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i).map((bin) => [
    10 ** ((bin + 0.5) / 20),
    by.get(bin) ?? 0,
  ]);
}

/** Whole decades around everything but the rarest thousandth. */
function extent(panels) {
  const times = panels.flatMap(({ lines }) => lines.flatMap(({ bins }) => visible(bins)));
  return {
    from: 10 ** Math.floor(Math.log10(Math.min(...times))),
    to: 10 ** Math.ceil(Math.log10(Math.max(...times))),
  };
}

function visible(bins) {
  return bins.filter(([, share]) => share > 0.1).map(([time]) => time);
}

function series(results, { test, lines }, { config, bins }, index) {
  const color = colour(config, results.configurations);
  return {
    ...{
      type: "line",
      step: "middle",
      data: bins,
      color,
      symbol: "none",
      xAxisIndex: index,
      yAxisIndex: index,
    },
    ...{ lineStyle: { width: 2 }, areaStyle: { opacity: 0.16 }, clip: true },
    ...(lines.length <= BESIDE && { markPoint: atPeak(results, test, config, bins, color) }),
  };
}

/** The name where the most answers are. */
function atPeak(results, test, config, bins, color) {
  const peak = bins.reduce((best, bin) => (bin[1] > best[1] ? bin : best));
  return {
    ...{ symbol: "circle", symbolSize: 1, silent: true, data: [{ coord: peak }] },
    label: {
      ...{ show: true, position: [8, -12], align: "left" },
      formatter: `{n|${config.title}}\n{f|${percentiles(results, test, config)}}`,
      rich: {
        n: { ...HALO, fontWeight: 600, fontSize: 12.5, color, lineHeight: 17 },
        f: { ...HALO, fontSize: 11.5, color: FAINT },
      },
    },
  };
}

/** The names in a column at the right, where there are more than fit beside their peaks. */
function column(results, { test, lines }, top) {
  if (lines.length <= BESIDE) return [];
  return lines.flatMap(({ config }, i) => {
    const place = { right: 60, top: top + 4 + i * 34 };
    const style = { textAlign: "right", ...STROKE };
    return [
      text(config.title, place, { ...style, ...NAME, fill: colour(config, results.configurations) }),
      text(
        percentiles(results, test, config),
        { ...place, top: place.top + 16 },
        { ...style, fontSize: 11.5 },
      ),
    ];
  });
}

const NAME = { fontWeight: 600, fontSize: 12.5 };
const STROKE = { stroke: HALO.textBorderColor, lineWidth: HALO.textBorderWidth };

function percentiles({ measurements }, test, { name }) {
  const [p50, p99] = ["p50", "p99"].map((metric) => find(measurements, test, name, metric)?.median);
  return `p50 ${digits(p50)} · p99 ${digits(p99)} µs`;
}
