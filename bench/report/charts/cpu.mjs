/** CPU per Gbit: a dot per configuration on a logarithmic scale, since the slowest takes a hundred times the best. */
import { digits } from "../../tests/metrics.mjs";
import { rowsOf } from "./bars.mjs";
import { AXIS, colour, FAINT, FOOT, GRID, grid, HALO, howOften, INK, sheet, TOP, WIDTH } from "./theme.mjs";

const ROW = 30;
const LEFT = 218;

export function chart(results) {
  const rows = rowsOf(results, "tcp1", "cpuPerGbit").reverse();
  if (rows.length === 0) return null;
  const height = TOP + rows.length * ROW + 46 + FOOT;
  const lowest = Math.min(...rows.map(({ min }) => min));
  const kernel = rows.find(({ config }) => config.name === "kernel");
  return sheet(
    results,
    {
      title: "CPU time per gigabit",
      subtitle: `whole machine, both ends of iperf3 and of the tunnel, one TCP stream · ${howOften(results)}`,
      height,
    },
    {
      grid: grid({ left: LEFT, width: WIDTH - LEFT - 130, top: TOP, height: rows.length * ROW }),
      xAxis: {
        ...AXIS,
        ...{ type: "log", name: "CPU-seconds per Gbit (logarithmic)", nameLocation: "middle", nameGap: 28 },
        min: 10 ** Math.floor(Math.log10(lowest)),
        minorSplitLine: { show: false },
        axisLabel: { ...AXIS.axisLabel, formatter: (value) => String(Number(value.toPrecision(3))) },
      },
      yAxis: {
        ...AXIS,
        ...{ type: "category", inverse: true, data: rows.map(({ config }) => config.title) },
        splitLine: { show: true, lineStyle: { color: GRID } },
        axisLabel: { fontSize: 12.5, color: INK, margin: 12 },
      },
      series: [dots(results, rows, kernel)],
    },
  );
}

function dots(results, rows, kernel) {
  return {
    ...{ type: "scatter", symbolSize: 13 },
    data: rows.map((row, i) => ({
      value: [row.median, i],
      itemStyle: { color: colour(row.config, results.configurations), opacity: 1 },
      label: { show: true, position: "right", distance: 8, formatter: label(row), rich: RICH },
    })),
    ...(kernel && {
      markLine: {
        ...{ silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: kernel.median }] },
        lineStyle: { color: FAINT, type: [3, 3], width: 1 },
      },
    }),
  };
}

const RICH = {
  v: { ...HALO, fontWeight: 600, fontSize: 12, color: INK },
  r: { ...HALO, fontSize: 11.5, color: FAINT, padding: [0, 0, 0, 6] },
};

function label(row) {
  const value = `{v|${digits(row.median)}}`;
  return row.ratio ? `${value} {r|${digits(row.ratio.median)}×}` : value;
}
