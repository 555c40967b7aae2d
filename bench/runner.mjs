/**
 * Runs tests on beds and keeps what they found out. For each test, run by run, every configuration is measured once,
 * one after the other, because machines drift: ratios are taken within a run. Each run has an order of its own, the same
 * in every bench: in a fixed one, who is measured after whom makes a difference of 3 % between equals.
 */
import { shuffle } from "./measure/shuffle.mjs";
import { ratio, summary } from "./measure/stats.mjs";
import { METRICS } from "./tests/metrics.mjs";

/** What ratios are to: the first for everything, the second to tell other poplins and tunnels from this one. */
export const REFERENCE = "kernel";
export const POPLIN = "poplin";

/** Any odd number with many bits: the orders of two runs in a row have nothing in common. */
const SEED = 0x9e3779b1;

export class Runner {
  /** A row per test, configuration and metric: `{ test, config, metric, unit, runs, samples, … }`. */
  measurements = [];
  /** What has no median: histograms and points of charts, per test and configuration. */
  details = [];
  /** What could not be measured, and why. */
  failures = [];
  #progress;
  #plan;

  /** @param plan `{ seconds, runs }` */
  constructor(plan, progress) {
    this.#plan = plan;
    this.#progress = progress;
  }

  /** Measures one test on the beds of its configurations. @param entries `{ config, bed }`, reference first */
  async run(test, entries) {
    const { seconds } = this.#plan;
    const state = entries.map((entry) => ({ ...entry, memory: {}, results: new Map() }));
    for (let run = 0; run < runsOf(test, this.#plan); run++) {
      for (const one of shuffle([...state], (run + 1) * SEED)) {
        if (one.failed || run >= runsOf(test, this.#plan, one.config)) continue;
        this.#progress.begin(`${test.name} · ${one.config.name} · run ${run + 1}`);
        try {
          one.results.set(run, await test.run(one.bed, { seconds, memory: one.memory }));
        } catch (error) {
          one.failed = true;
          this.failures.push({ test: test.name, config: one.config.name, why: error.message });
          this.#progress.say(`${test.name}: ${one.config.name}: ${error.message.split("\n")[0]}`);
        }
        this.#progress.end(test.cost(seconds));
      }
    }
    for (const one of state) this.#record(test, one);
    return this.measurements.filter((row) => row.test === test.name);
  }

  #record(test, { config, results }) {
    if (results.size === 0) return;
    for (const metric of test.metrics) {
      const kept = [...results].filter(([, result]) => result[metric] !== undefined);
      if (kept.length === 0) continue;
      const runs = kept.map(([run]) => run);
      const samples = kept.map(([, result]) => result[metric]);
      this.measurements.push({
        ...{ test: test.name, config: config.name, metric, unit: METRICS[metric].unit, runs },
        ...summary(samples),
        ...{ ratio: null, toPoplin: null },
      });
    }
    this.details.push(detail(test, config, [...results.values()]));
    for (const row of this.measurements) {
      if (row.test !== test.name || row.config !== config.name) continue;
      row.ratio = ratioTo(this.measurements, REFERENCE, row);
      row.toPoplin = ratioTo(this.measurements, POPLIN, row);
    }
  }
}

/** @returns median and range of the ratio to another configuration, from the runs that both have; null without any */
export function ratioTo(measurements, config, row) {
  const other = find(measurements, row.test, config, row.metric);
  if (other === undefined || row.config === config) return null;
  const pairs = row.runs.filter((run) => other.runs.includes(run));
  const value = (of, run) => of.samples[of.runs.indexOf(run)];
  return ratio(
    pairs.map((run) => value(row, run)),
    pairs.map((run) => value(other, run)),
  );
}

export function find(measurements, test, config, metric) {
  return measurements.find((row) => row.test === test && row.config === config && row.metric === metric);
}

/** How often a test is run, in all or for a configuration. */
export function runsOf(test, plan, config) {
  const most = Math.min(plan.runs, test.runs ?? Number.POSITIVE_INFINITY);
  return config?.peer ? Math.min(most, plan.peerRuns) : most;
}

/** Histograms of all runs added up; points of all runs together. */
function detail(test, config, results) {
  const points = results.flatMap((result) => result.points ?? []);
  const bins = new Map();
  for (const result of results) {
    for (const [from, count] of result.histogram ?? []) bins.set(from, (bins.get(from) ?? 0) + count);
  }
  return {
    ...{ test: test.name, config: config.name },
    ...(points.length > 0 && { points }),
    ...(bins.size > 0 && { histogram: [...bins].sort(([a], [b]) => a - b) }),
  };
}
