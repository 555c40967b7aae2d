/**
 * How a case is measured. `prepare()` sets up and returns `run(n)`, which does the operation n times and returns a
 * number that depends on all of them, so that none is optimized away.
 *
 * Machines drift, by 10 % and more within an hour. So every round measures every case once, one after the other, and
 * a case's figure is the median over the rounds, with the lowest and the highest beside it.
 */
import os from "node:os";

/** Milliseconds that one measurement takes, about. */
const SLICE = 20;
/** Operations between two looks at the heap: few enough that the collector does not run in between. */
const ALLOCATION_RUN = 20_000;

/** Where the results of all runs go, so that the compiler cannot tell that nobody wants them. */
export const sink = { value: 0 };

/** @returns a row per case: `{ group, name, aim, ns: { median, lowest, highest }, bytes }` */
export function measure(cases, rounds) {
  const ready = cases.map((one) => {
    const run = one.prepare();
    return { one, run, n: calibrate(run), samples: [] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { run, n, samples } of ready) samples.push(time(run, n));
  }
  return ready.map(({ one, run, samples }) => {
    samples.sort((a, b) => a - b);
    return {
      group: one.group,
      name: one.name,
      aim: one.aim ?? null,
      ns: { median: samples[samples.length >> 1], lowest: samples[0], highest: samples.at(-1) },
      bytes: allocated(run),
    };
  });
}

/** @returns how often to run to fill a slice; the compiler has had time to do its best by then */
function calibrate(run) {
  let n = 1000;
  for (let i = 0; i < 20; i++) {
    const ns = time(run, n);
    if (ns * n >= SLICE * 1e6) break;
    n = Math.ceil(Math.min(n * 4, (SLICE * 1.1e6) / ns));
  }
  return n;
}

function time(run, n) {
  const start = process.hrtime.bigint();
  sink.value += run(n);
  return Number(process.hrtime.bigint() - start) / n;
}

/** @returns bytes of heap per operation, or null without --expose-gc */
function allocated(run) {
  if (globalThis.gc === undefined) return null;
  const looks = [];
  for (let i = 0; i < 5; i++) looks.push(Math.max(0, grown(run, ALLOCATION_RUN) - grown(run, 0)));
  return looks.sort((a, b) => a - b)[2] / ALLOCATION_RUN;
}

function grown(run, n) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  sink.value += run(n);
  return process.memoryUsage().heapUsed - before;
}

export function machine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cpus: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    load: os.loadavg()[0],
  };
}

/** @returns text of at most 80 columns */
export function table({ cpu, cpus, memoryGiB, kernel, node, load }, rounds, results) {
  const lines = [
    cpu.slice(0, 80),
    `${cpus} CPUs, ${memoryGiB} GiB, ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
    `ns per operation: median (lowest … highest) of ${rounds} interleaved rounds`,
    "",
    line("", "ns", "range", "bytes", "aim"),
  ];
  let group = "";
  for (const row of results) {
    if (row.group !== group) lines.push(row.group);
    group = row.group;
    const { median, lowest, highest } = row.ns;
    const bytes = row.bytes === null ? "-" : row.bytes < 0.05 ? "0" : row.bytes.toFixed(1);
    const aim = row.aim === null ? "" : `< ${row.aim}${median < row.aim ? "" : "  missed"}`;
    lines.push(line(`  ${row.name}`, figure(median), `${figure(lowest)} … ${figure(highest)}`, bytes, aim));
  }
  if (results.some(({ bytes }) => bytes === null))
    lines.push("", "bytes: run node with --expose-gc to see them");
  return lines.join("\n");
}

function line(name, ns, range, bytes, aim) {
  return `${name.padEnd(32)}${ns.padStart(8)}  ${range.padEnd(18)}${bytes.padStart(5)}  ${aim}`.trimEnd();
}

/** Three digits that mean something. */
function figure(ns) {
  return ns >= 100 ? ns.toFixed(0) : ns >= 10 ? ns.toFixed(1) : ns.toFixed(2);
}
