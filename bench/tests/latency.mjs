/**
 * Round trips.
 *
 *   rtt       ping -A: the next request goes out when the answer is there; the far kernel answers, no program wakes
 *   rtt-load  a request every 2 ms while one TCP stream goes as fast as it can
 *   rr        a UDP request and its answer from program to program, both asleep in poll(2) until it comes
 *
 * ping prints whole microseconds, to a file, so that nobody reads along; the first few are left out.
 */
import { readFileSync } from "node:fs";
import { histogram, PERCENTILES, percentile } from "../measure/stats.mjs";
import { stream } from "./tcp.mjs";

const METRICS = [...Object.keys(PERCENTILES), "lost"];
const WARM_UP = 20;
const ECHO_PORT = 5003;
/** Seconds that the load runs before the first request and after the last. */
const LEAD = 0.4;

export const tests = [
  {
    ...{ name: "rtt", title: "round trip, idle (ping)", metrics: METRICS, shared: true, quick: true },
    cost: (seconds) => seconds + 0.1,
    run: async (bed, { seconds }) => spread(await ping(bed, ["-A"], seconds)),
  },
  {
    ...{ name: "rtt-load", title: "round trip beside a TCP stream", metrics: METRICS, quick: true },
    cost: (seconds) => seconds + 2 * LEAD + 0.3,
    async run(bed, { seconds }) {
      const load = stream(bed, { seconds: seconds + 2 * LEAD });
      load.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, LEAD * 1000));
      const answers = await ping(bed, ["-i", "0.002"], seconds);
      await load;
      return spread(answers);
    },
  },
  {
    ...{ name: "rr", title: "UDP request and response", metrics: METRICS },
    cost: (seconds) => seconds + 0.1,
    async run(bed, { seconds }) {
      await bed.traffic("b").ask({ do: "echo", family: 4, port: ECHO_PORT });
      const order = { do: "ask", to: bed.target(), port: ECHO_PORT, size: 64, seconds };
      const { nanoseconds, lost } = await bed.traffic("a").ask(order);
      await bed.traffic("b").ask({ do: "stop" });
      return spread({ times: nanoseconds.slice(WARM_UP).map((ns) => ns / 1000), lost });
    },
  },
];

/** @returns round trips in µs, and how many requests had no answer */
async function ping(bed, args, seconds) {
  const file = bed.lab.file(`${bed.name}.ping`);
  const words = ["ping", "-n", ...args, "-w", String(Math.max(1, Math.round(seconds))), bed.target()];
  await bed.a.exec("sh", ["-c", `exec ${words.join(" ")} > ${file}`], {
    check: false,
    timeout: seconds * 1000 + 30_000,
  });
  return parsePing(readFileSync(file, "latin1"));
}

export function parsePing(text) {
  const times = [...text.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000);
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  if (sent === undefined) throw new Error(`ping said: ${text.slice(-300)}`);
  return { times: times.slice(WARM_UP), lost: Number(sent) - Number(received) };
}

/** Percentiles and histogram of round trips in µs. */
export function spread({ times, lost }) {
  if (times.length === 0) throw new Error("no request was answered");
  const sorted = Float64Array.from(times).sort();
  const percentiles = Object.entries(PERCENTILES).map(([name, part]) => [name, percentile(sorted, part)]);
  return { ...Object.fromEntries(percentiles), lost, histogram: histogram(sorted) };
}
