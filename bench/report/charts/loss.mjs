/** Packets per second against loss: what is lost of 64-byte datagrams at a rising rate. */
import { AXIS, colour, FAINT, FOOT, grid, INK, sheet, TOP, WIDTH } from "./theme.mjs";

const HEIGHT = 430;
const TESTS = ["sweep64", "loss64", "udp64"];
/** Rates closer than this are one point, with their median loss. */
const BIN = 10;
/** Losses below are drawn here, since the scale is logarithmic. */
const LEAST = 0.1;

export function chart(results) {
  const lines = results.configurations
    .filter(({ kind, name }) => kind === "poplin" || name === "kernel")
    .map((config) => ({ config, points: curve(results, config.name) }))
    .filter(({ points }) => points.length > 1);
  if (lines.length === 0) return null;
  return sheet(
    results,
    {
      title: "Loss by packet rate, 64-byte UDP",
      subtitle:
        "one sender at a steady rate, then as fast as it goes: a line ends where the sender can do no more",
      height: HEIGHT,
    },
    {
      grid: grid({ left: 76, width: WIDTH - 76 - 120, top: TOP + 6, height: HEIGHT - TOP - 6 - 48 - FOOT }),
      xAxis: {
        ...AXIS,
        ...{
          type: "value",
          min: 0,
          name: "packets sent, thousands a second",
          nameLocation: "middle",
          nameGap: 30,
        },
      },
      yAxis: {
        ...AXIS,
        ...{ type: "log", min: LEAST, max: 100, name: "lost", nameLocation: "end", nameGap: 10 },
        nameTextStyle: { ...AXIS.nameTextStyle, align: "right", padding: [0, 8, 0, 0] },
        axisLabel: {
          ...AXIS.axisLabel,
          formatter: (value) => (value === LEAST ? `≤ ${value} %` : `${value} %`),
        },
      },
      series: lines.map((line, i) => series(results, line, i === 0)),
    },
  );
}

function series(results, { config, points }, marked) {
  const color = colour(config, results.configurations);
  return {
    ...{ type: "line", name: config.title, data: points, color, symbol: "circle", symbolSize: 6 },
    ...{ lineStyle: { width: 2.5 }, z: config.name === "poplin" ? 5 : 3 },
    endLabel: {
      show: true,
      formatter: config.title,
      color,
      fontSize: 12.5,
      fontWeight: 600,
      distance: 8,
      offset: [0, points.at(-1)[1] > LEAST ? 0 : -9],
    },
    labelLayout: { moveOverlap: "shiftY" },
    ...(marked && {
      markLine: {
        ...{ silent: true, symbol: "none", data: [{ yAxis: 1 }] },
        lineStyle: { color: FAINT, type: [3, 3], width: 1 },
        label: { formatter: "the bar: 1 %", position: "insideStartTop", color: INK, fontSize: 11 },
      },
    }),
  };
}

/** Points of all tests that sent 64-byte datagrams, by rate. */
function curve({ details }, name) {
  const bins = new Map();
  for (const { test, config, points } of details) {
    if (config !== name || !TESTS.includes(test)) continue;
    for (const { sent, loss } of points ?? []) {
      const bin = Math.round(sent / BIN);
      bins.set(bin, [...(bins.get(bin) ?? []), { sent, loss }]);
    }
  }
  return [...bins.values()]
    .map((points) => [middle(points.map(({ sent }) => sent)), middle(points.map(({ loss }) => loss))])
    .sort(([a], [b]) => a - b)
    .map(([sent, loss]) => [Number(sent.toFixed(1)), Math.max(LEAST, Number(loss.toFixed(2)))]);
}

function middle(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
