/** Everything that was measured of poplin, as a ratio to the kernel's VXLAN: a dot per test, a line for the range. */
import { find } from "../../runner.mjs";
import { testNamed } from "../../tests/index.mjs";
import { digits } from "../../tests/metrics.mjs";
import { AXIS, colour, FAINT, FOOT, GRID, grid, HALO, howOften, INK, sheet, TOP, WIDTH } from "./theme.mjs";

const ROW = 30;
const LEFT = 330;
/** Pixels between two poplins in a row. */
const STEP = 13;
/** Of each test the figure of which more is better. */
const WANTED = ["gbps", "lossless", "kpps"];

export function chart(results) {
  const tests = [...new Set(results.measurements.map(({ test }) => test))].flatMap((test) => {
    const metric = WANTED.find((name) => find(results.measurements, test, "poplin", name)?.ratio);
    return metric ? [{ test, metric, title: testNamed(test)?.title ?? test }] : [];
  });
  if (tests.length === 0) return null;
  const configs = results.configurations.filter(({ kind, skipped }) => kind === "poplin" && !skipped);
  const row = ROW + (configs.length - 1) * STEP;
  const height = TOP + 12 + tests.length * row + 46 + FOOT;
  return sheet(
    results,
    {
      title: "poplin as a ratio to the kernel’s VXLAN",
      subtitle: `throughput and packet rates, more is better; the line is the range · ${howOften(results)}`,
      height,
    },
    {
      ...(configs.length > 1 && { legend: legend(configs) }),
      grid: grid({ left: LEFT, width: WIDTH - LEFT - 50, top: TOP + 12, height: tests.length * row }),
      xAxis: {
        ...AXIS,
        ...{ type: "value", min: 0, name: "ratio to the kernel", nameLocation: "middle", nameGap: 28 },
        max: Math.max(1.2, Math.ceil(highest(results, tests) * 5) / 5),
        interval: 0.2,
      },
      yAxis: {
        ...AXIS,
        ...{ type: "category", inverse: true, data: tests.map(({ title }) => title) },
        splitLine: { show: true, lineStyle: { color: GRID } },
        axisLabel: { fontSize: 12.5, color: INK, margin: 12 },
      },
      series: configs.flatMap((config, i) => {
        const offset = (i - (configs.length - 1) / 2) * STEP;
        return [
          ranges(results, config, tests, offset),
          dots(results, config, tests, { offset, marked: i === 0, few: configs.length === 1 }),
        ];
      }),
    },
  );
}

/** Only where there are several poplins; below each other, their names would not fit beside the dots. */
function legend(configs) {
  return {
    ...{ data: configs.map(({ title }) => title), orient: "vertical", left: 20, top: TOP - 10 },
    ...{ itemWidth: 10, itemHeight: 10, icon: "circle", textStyle: { color: INK, fontSize: 12 } },
  };
}

/** The largest ratio of any run. */
function highest({ measurements }, tests) {
  const of = (row) => tests.some(({ test, metric }) => row.test === test && row.metric === metric);
  const poplin = measurements.filter((row) => of(row) && row.ratio !== null);
  return Math.max(...poplin.map(({ ratio }) => ratio.max));
}

function ratiosOf({ measurements }, config, tests) {
  return tests.map(({ test, metric }) => find(measurements, test, config.name, metric)?.ratio ?? null);
}

function dots(results, config, tests, { offset, marked, few }) {
  const data = ratiosOf(results, config, tests).flatMap((ratio, i) => {
    if (ratio === null) return [];
    const place = few ? { position: "top", distance: 1 } : { position: "right", distance: 5 };
    const label = { ...place, show: true, fontSize: 11, color: INK, fontWeight: 600, ...HALO };
    return [{ value: [ratio.median, i], label: { ...label, formatter: digits(ratio.median) } }];
  });
  return {
    ...{ type: "scatter", name: config.title, data, symbolSize: few ? 13 : 10, symbolOffset: [0, offset] },
    ...{ color: colour(config, results.configurations), itemStyle: { opacity: 1 } },
    z: config.name === "poplin" ? 5 : 4,
    ...(marked && {
      markLine: {
        ...{ silent: true, symbol: "none", data: [{ xAxis: 1 }] },
        lineStyle: { color: FAINT, type: [3, 3], width: 1.5 },
        label: {
          formatter: "kernel VXLAN",
          position: "start",
          color: INK,
          fontSize: 12,
          fontWeight: 600,
          distance: 6,
        },
      },
    }),
  };
}

function ranges(results, config, tests, offset) {
  const color = colour(config, results.configurations);
  return {
    ...{ type: "custom", silent: true, color, z: 3 },
    data: ratiosOf(results, config, tests).flatMap((ratio, i) =>
      ratio === null ? [] : [[ratio.min, ratio.max, i]],
    ),
    renderItem: (_, api) => {
      const [from, y] = api.coord([api.value(0), api.value(2)]);
      const [to] = api.coord([api.value(1), api.value(2)]);
      return {
        type: "line",
        shape: { x1: from, x2: to, y1: y + offset, y2: y + offset },
        style: { stroke: color, lineWidth: 3, opacity: 0.35 },
      };
    },
  };
}
