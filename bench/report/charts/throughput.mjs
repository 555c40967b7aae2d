/** TCP: poplin, the kernel and every other tunnel. */
import { barChart } from "./bars.mjs";

export function chart(results) {
  return barChart(results, {
    title: "TCP throughput through the tunnel",
    subtitle: "iperf3 between two namespaces over a veth; × is the ratio to the kernel’s VXLAN",
    panels: [
      { title: "1 stream", axis: "Gbit/s", test: "tcp1", metric: "gbps" },
      { title: "4 streams", axis: "Gbit/s", test: "tcp4", metric: "gbps" },
    ],
  });
}
