/** Small packets: how many go through, and how long one takes. */
import { barChart } from "./bars.mjs";

export function chart(results) {
  return barChart(results, {
    title: "Small packets through the tunnel",
    subtitle: "× is the ratio to the kernel’s VXLAN",
    panels: [
      {
        title: "64-byte UDP at ≤ 1 % loss",
        axis: "thousand packets a second",
        test: "loss64",
        metric: "lossless",
      },
      { title: "round trip, median", axis: "µs", test: "rtt", metric: "p50" },
    ],
  });
}
