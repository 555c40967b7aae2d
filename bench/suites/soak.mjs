/**
 * An hour of one TCP stream, with 1,000 more peers in the tables: throughput and memory over time. A leak shows as memory
 * that goes on growing, so the last quarter is compared with the second. It is reported, and fails nothing.
 */
import { readFileSync } from "node:fs";
import { cpuTime, residentMemory, since } from "../measure/cpu.mjs";
import { median } from "../measure/stats.mjs";

/** Seconds between two looks, at most; a short soak looks more often. */
const STEP = 10;
/** Growth from the second quarter to the last beyond which memory does not count as flat. */
const FLAT = 0.05;

/** @returns `{ minutes, config, samples: [{ second, gbps, rss, cpu }], flat, growth }` */
export async function soak({ minutes }, configs, fleet, progress) {
  const poplin = configs.filter(({ name }) => name === "poplin");
  const [entry] = await fleet.entries(poplin, { rows: true });
  if (entry === undefined) return { minutes, samples: [], problem: "poplin did not start" };
  const { bed } = entry;
  const seconds = minutes * 60;
  const step = Math.min(STEP, Math.max(1, seconds / 30));
  const file = bed.lab.file("soak.json");
  // iperf3 reports by interval; without --json-stream (3.17) only at its end.
  const words = `iperf3 --client ${bed.target()} --json --time ${Math.round(seconds)} --interval ${step} > ${file}`;
  const transfer = bed.a.exec("sh", ["-c", words], { timeout: (seconds + 60) * 1000 });
  transfer.catch(() => {});
  progress.start(seconds);
  const looks = await watch(bed, seconds, step, progress);
  await transfer;
  const { intervals } = JSON.parse(readFileSync(file, "utf8"));
  const samples = looks.map((look) => ({ ...look, gbps: rateAt(intervals, look.second - step / 2) }));
  return { minutes, config: "poplin", samples, ...growthOf(samples.map(({ rss }) => rss)) };
}

/** iperf3 leaves an interval out when it is held up: the one around a time, or null. */
function rateAt(intervals, second) {
  const found = intervals.find(({ sum }) => sum.start <= second && second < sum.end);
  return found === undefined ? null : found.sum.bits_per_second / 1e9;
}

async function watch(bed, seconds, step, progress) {
  const start = performance.now();
  const looks = [];
  let before = cpuTime(bed.agents);
  for (let second = step; second <= seconds; second += step) {
    progress.begin(`soak · minute ${Math.floor(second / 60)}`);
    await new Promise((resolve) => setTimeout(resolve, start + second * 1000 - performance.now()));
    const rss = Math.max(residentMemory(bed.agents.a), residentMemory(bed.agents.b));
    looks.push({ second, rss, cpu: agentsOf(since(before, bed.agents)) / step });
    before = cpuTime(bed.agents);
    progress.end(step);
  }
  return looks;
}

const agentsOf = ({ a, b }) => a + b;

/** The start is left out: buffers are touched for the first time, and code is compiled. */
export function growthOf(memory) {
  const quarter = Math.floor(memory.length / 4);
  if (quarter === 0) return { flat: null, growth: null };
  const early = median(memory.slice(quarter, 2 * quarter));
  const late = median(memory.slice(-quarter));
  const growth = late / early - 1;
  return { flat: growth <= FLAT, growth };
}
