/** All charts, rendered to SVG by ECharts without a browser. */
import * as echarts from "echarts";
import * as cpu from "./cpu.mjs";
import * as latency from "./latency.mjs";
import * as loss from "./loss.mjs";
import * as memory from "./memory.mjs";
import * as packets from "./packets.mjs";
import * as ratios from "./ratios.mjs";
import * as soak from "./soak.mjs";
import { WIDTH } from "./theme.mjs";
import * as throughput from "./throughput.mjs";

/** In the order in which a report shows them. */
const CHARTS = { throughput, packets, ratios, loss, latency, cpu, memory, soak };

/** @returns `[{ name, svg }]`, without those for which nothing was measured */
export function charts(results) {
  return Object.entries(CHARTS).flatMap(([name, { chart }]) => {
    const sheet = chart(results);
    return sheet === null ? [] : [{ name, svg: render(sheet) }];
  });
}

function render({ height, option }) {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
