/** Small and large at the same time: one TCP stream as fast as it goes, and 64-byte datagrams at a steady rate. */
import { stream } from "./tcp.mjs";
import { transmit } from "./udp.mjs";

const RATE = 20_000;
const LEAD = 0.3;

export const tests = [
  {
    ...{ name: "mixed", title: "TCP, beside 20,000 64-byte datagrams a second" },
    ...{ metrics: ["gbps", "loss", "cpuPerGbit"], quick: true },
    cost: (seconds) => seconds + 2 * LEAD + 0.5,
    async run(bed, { seconds }) {
      const tcp = stream(bed, { seconds: seconds + 2 * LEAD });
      tcp.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, LEAD * 1000));
      const { loss } = await transmit(bed, { sizes: [64], rate: RATE, seconds });
      const { gbps, cpuPerGbit } = await tcp;
      return { gbps, cpuPerGbit, loss: loss * 100 };
    },
  },
];
