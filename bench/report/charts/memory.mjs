/** Resident memory of one node's processes in the middle of a TCP transfer. */
import { barChart } from "./bars.mjs";

export function chart(results) {
  return barChart(results, {
    title: "Memory of a node’s tunnel under load",
    subtitle: "resident, in the middle of one TCP stream; the kernel’s tunnel has no process",
    panels: [{ title: "1 TCP stream", axis: "MB", test: "tcp1", metric: "rss", scale: 1e-6 }],
    order: -1,
  });
}
