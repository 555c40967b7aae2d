/** Throughput and memory over the time of a soak, one above the other. */
import { digits } from "../../tests/metrics.mjs";
import { AXIS, FOOT, grid, INK, sheet, TOP, text, WIDTH } from "./theme.mjs";

const PANEL = 150;
const GAP = 60;
const LEFT = 66;

export function chart(results) {
  const { soak } = results;
  if (!soak || soak.samples.length < 2) return null;
  const minute = ({ second }) => Number((second / 60).toFixed(2));
  const panels = [
    { title: "throughput, Gbit/s", color: "#0b6bcb", data: soak.samples.map((s) => [minute(s), s.gbps]) },
    {
      title: "resident memory, MB",
      color: "#c2410c",
      data: soak.samples.map((s) => [minute(s), s.rss / 1e6]),
    },
  ];
  const tops = panels.map((_, i) => TOP + 24 + i * (PANEL + GAP));
  const grown = soak.growth === null ? "" : ` · memory ${percent(soak.growth)}`;
  return sheet(
    results,
    {
      title: `${digits(soak.minutes)} ${soak.minutes === 1 ? "minute" : "minutes"} of one TCP stream through poplin`,
      subtitle: `throughput, and resident memory of the larger of both agents${grown} from the second quarter to the last`,
      height: tops.at(-1) + PANEL + 50 + FOOT,
    },
    {
      grid: tops.map((top) => grid({ left: LEFT, width: WIDTH - LEFT - 40, top, height: PANEL })),
      graphic: panels.map(({ title }, i) =>
        text(title, { left: LEFT, top: tops[i] - 22 }, { fill: INK, fontWeight: 600, fontSize: 12.5 }),
      ),
      xAxis: panels.map((_, i) => ({
        ...AXIS,
        ...{ type: "value", gridIndex: i, min: 0, max: soak.minutes, nameLocation: "middle", nameGap: 28 },
        name: i === panels.length - 1 ? "minutes" : "",
      })),
      yAxis: panels.map((_, i) => ({ ...AXIS, type: "value", gridIndex: i, min: 0, splitNumber: 3 })),
      series: panels.map(({ data, color }, i) => ({
        ...{ type: "line", data, color, symbol: "none", xAxisIndex: i, yAxisIndex: i },
        ...{ lineStyle: { width: 1.8 }, areaStyle: { opacity: 0.1 } },
      })),
    },
  );
}

/** "+1.20 %", with a true minus. */
export function percent(part) {
  return `${part < 0 ? "−" : "+"}${digits(Math.abs(part) * 100)} %`;
}
