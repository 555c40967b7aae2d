/** Horizontal bars, a row per configuration, with the value and its ratio to the kernel at their ends. */
import { digits } from "../../tests/metrics.mjs";
import { AXIS, colour, FAINT, FOOT, grid, HALO, howOften, INK, sheet, TOP, text, WIDTH } from "./theme.mjs";

const ROW = 30;
const LEFT = 218;

/** @returns rows `{ config, value, min, max, ratio }` of a measurement, the largest first */
export function rowsOf(results, test, metric) {
  return results.measurements
    .filter((row) => row.test === test && row.metric === metric && row.median !== null)
    .map((row) => ({ ...row, config: results.configurations.find(({ name }) => name === row.config) }))
    .sort((a, b) => b.median - a.median);
}

/**
 * Panels beside each other over the same rows.
 * @param panels `[{ title, axis, test, metric, scale }]`; the first decides the order of the rows
 */
export function barChart(results, { title, subtitle, panels, order = 1 }) {
  const first = rowsOf(results, panels[0].test, panels[0].metric);
  if (first.length === 0) return null;
  const configs = (order < 0 ? first.reverse() : first).map(({ config }) => config);
  const height = TOP + 26 + configs.length * ROW + 46 + FOOT;
  const width = (WIDTH - LEFT - 24) / panels.length;
  const frames = panels.map((_, i) => ({
    ...{ left: LEFT + i * width, width: width - 74, top: TOP + 26, height: configs.length * ROW },
  }));
  return sheet(
    results,
    { title, subtitle: `${subtitle} · ${howOften(results)}`, height },
    {
      grid: frames.map(grid),
      graphic: panels.map((panel, i) =>
        text(
          panel.title,
          { left: frames[i].left, top: TOP + 4 },
          { fill: INK, fontWeight: 600, fontSize: 12.5 },
        ),
      ),
      xAxis: panels.map((panel, i) => ({
        ...AXIS,
        ...{ type: "value", gridIndex: i, name: panel.axis, nameLocation: "middle", nameGap: 28, min: 0 },
        splitNumber: panels.length > 1 ? 4 : 6,
      })),
      yAxis: panels.map((_, i) => rowAxis(configs, i)),
      series: panels.map((panel, i) => bars(results, configs, panel, i)),
    },
  );
}

function rowAxis(configs, index) {
  return {
    ...AXIS,
    ...{ type: "category", gridIndex: index, inverse: true, data: configs.map(({ title }) => title) },
    splitLine: { show: false },
    axisLabel: {
      ...{
        show: index === 0,
        fontSize: 12.5,
        color: INK,
        margin: 12,
        width: LEFT - 34,
        overflow: "truncate",
      },
    },
  };
}

function bars(results, configs, { test, metric, scale = 1 }, index) {
  const rows = rowsOf(results, test, metric);
  const reference = rows.find(({ config }) => config.name === "kernel");
  return {
    ...{ type: "bar", xAxisIndex: index, yAxisIndex: index, barWidth: 16 },
    data: configs.map((config) => {
      const row = rows.find((one) => one.config === config);
      if (row === undefined) return { value: null };
      return {
        value: row.median * scale,
        itemStyle: { color: colour(config, results.configurations), borderRadius: [0, 2, 2, 0] },
        label: {
          show: true,
          position: "right",
          fontSize: 12,
          color: INK,
          formatter: label(row, scale),
          rich: RICH,
        },
      };
    }),
    ...(reference && {
      markLine: {
        ...{
          silent: true,
          symbol: "none",
          label: { show: false },
          data: [{ xAxis: reference.median * scale }],
        },
        lineStyle: { color: FAINT, type: [3, 3], width: 1 },
      },
    }),
  };
}

const RICH = {
  v: { ...HALO, fontWeight: 600, fontSize: 12, color: INK },
  r: { ...HALO, fontSize: 11.5, color: FAINT, padding: [0, 0, 0, 6] },
};

function label(row, scale) {
  const value = `{v|${digits(row.median * scale)}}`;
  return row.ratio ? `${value} {r|${digits(row.ratio.median)}×}` : value;
}
