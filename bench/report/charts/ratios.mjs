/** Everything that was measured of poplin, as a ratio to the kernel's VXLAN: a dot per test, a line for the range. */
import { find } from "../../runner.mjs";
import { testNamed } from "../../tests/index.mjs";
import { digits } from "../../tests/metrics.mjs";
import { AXIS, colour, FAINT, FOOT, GRID, grid, howOften, INK, sheet, TOP, WIDTH } from "./theme.mjs";

const ROW = 30;
const LEFT = 330;
/** Of each test the figure of which more is better. */
const WANTED = ["gbps", "lossless", "kpps"];

export function chart(results) {
  const tests = [...new Set(results.measurements.map(({ test }) => test))].flatMap((test) => {
    const metric = WANTED.find((name) => find(results.measurements, test, "poplin", name)?.ratio);
    return metric ? [{ test, metric, title: testNamed(test)?.title ?? test }] : [];
  });
  if (tests.length === 0) return null;
  const height = TOP + 12 + tests.length * ROW + 46 + FOOT;
  const configs = results.configurations.filter(({ kind }) => kind === "poplin");
  return sheet(
    results,
    {
      title: "poplin as a ratio to the kernel’s VXLAN",
      subtitle: `throughput and packet rates, more is better; the line is the range · ${howOften(results)}`,
      height,
    },
    {
      grid: grid({ left: LEFT, width: WIDTH - LEFT - 50, top: TOP + 12, height: tests.length * ROW }),
      xAxis: {
        ...AXIS,
        ...{ type: "value", min: 0, name: "ratio to the kernel", nameLocation: "middle", nameGap: 28 },
        max: Math.max(1.1, Math.ceil(highest(results, tests) * 10) / 10),
      },
      yAxis: {
        ...AXIS,
        ...{ type: "category", inverse: true, data: tests.map(({ title }) => title) },
        splitLine: { show: true, lineStyle: { color: GRID } },
        axisLabel: { fontSize: 12.5, color: INK, margin: 12 },
      },
      series: configs.flatMap((config, i) => series(results, config, tests, i === 0, configs.length)),
    },
  );
}

/** The largest ratio of any run. */
function highest({ measurements }, tests) {
  const of = (row) => tests.some(({ test, metric }) => row.test === test && row.metric === metric);
  return Math.max(...measurements.filter(of).map(({ ratio }) => ratio?.max ?? 0));
}

function series(results, config, tests, marked, count) {
  const color = colour(config, results.configurations);
  const rows = tests.map(
    ({ test, metric }) => find(results.measurements, test, config.name, metric)?.ratio ?? null,
  );
  const dot = {
    ...{
      type: "scatter",
      symbolSize: count > 1 ? 10 : 13,
      color,
      z: config.name === "poplin" ? 5 : 4,
      name: config.title,
    },
    data: rows.flatMap((ratio, i) =>
      ratio === null
        ? []
        : [
            {
              value: [ratio.median, i],
              label: {
                ...{
                  show: count === 1,
                  position: "top",
                  distance: 1,
                  fontSize: 11,
                  color: INK,
                  fontWeight: 600,
                },
                formatter: digits(ratio.median),
              },
            },
          ],
    ),
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
  const range = {
    ...{ type: "custom", silent: true, color, z: 3 },
    data: rows.flatMap((ratio, i) => (ratio === null ? [] : [[ratio.min, ratio.max, i]])),
    renderItem: (_, api) => {
      const [from, y] = api.coord([api.value(0), api.value(2)]);
      const [to] = api.coord([api.value(1), api.value(2)]);
      return {
        type: "line",
        shape: { x1: from, x2: to, y1: y, y2: y },
        style: { stroke: color, lineWidth: 3, opacity: 0.35 },
      };
    },
  };
  return [range, dot];
}
