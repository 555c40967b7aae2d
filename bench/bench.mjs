/** One run of the bench, from what was asked for to the report. */
import { readFileSync } from "node:fs";
import { UsageError } from "./cli/options.mjs";
import { Progress } from "./cli/progress.mjs";
import { withOther } from "./compare.mjs";
import { configurations } from "./configurations.mjs";
import { Fleet } from "./fleet.mjs";
import { machine, tree } from "./machine.mjs";
import { writeReport } from "./report/files.mjs";
import { testLines } from "./report/terminal.mjs";
import { Runner, runsOf } from "./runner.mjs";
import { cluster } from "./suites/cluster.mjs";
import { micro } from "./suites/micro.mjs";
import { soak } from "./suites/soak.mjs";
import { TESTS } from "./tests/index.mjs";

export const SCHEMA = 1;

/** @param options what `cli/options.mjs` returns */
export async function bench(options) {
  const progress = new Progress();
  const results = {
    schema: SCHEMA,
    date: new Date().toISOString(),
    machine: machine(),
    poplin: tree(),
    plan: options.plan,
    command: process.argv.slice(2),
  };
  const { only } = options;
  if (only.some((suite) => suite !== "micro") && process.getuid?.() !== 0)
    throw new UsageError("namespaces need root: use sudo, or --only micro");
  if (only.some((suite) => !["micro", "cluster"].includes(suite)))
    await withOther(options, progress, (other) => measure(options, other, results, progress));
  if (only.includes("cluster")) results.cluster = await cluster(options.plan, progress);
  if (only.includes("micro")) results.micro = await micro(options.plan, progress);
  progress.clear();
  await writeReport(results, options);
}

/** Reports and charts of an older result, made anew. */
export async function redo(options) {
  let text;
  try {
    text = readFileSync(options.from, "utf8");
  } catch (error) {
    throw new UsageError(`--from: ${error.message}`);
  }
  await writeReport(JSON.parse(text), options);
}

async function measure(options, other, results, progress) {
  const configs = configurations(options, other);
  const tests = testsOf(options);
  const runner = new Runner(options.plan, progress);
  const fleet = new Fleet(progress);
  try {
    progress.start(estimate(tests, configs, options));
    for (const test of tests) {
      const wanted = configs.filter((config) => isMeasured(config, test));
      const rows = await runner.run(test, await fleet.entries(wanted, test));
      progress.print(testLines(test, rows, configs));
      if (test.rows && !tests.slice(tests.indexOf(test) + 1).some(({ rows }) => rows)) fleet.endRows();
    }
    if (options.only.includes("soak")) results.soak = await soak(options, configs, fleet, progress);
    results.configurations = await fleet.describe(configs);
  } finally {
    progress.clear();
    fleet.end();
  }
  const { measurements, details, failures } = runner;
  Object.assign(results, { measurements, details, failures, skipped: fleet.skipped });
}

/** The tests that these suites are made of; those on the beds with many peers last. */
function testsOf({ only, tests, plan }) {
  if (!only.includes("netns") && !only.includes("peers")) return [];
  const chosen = TESTS.filter(
    (test) =>
      (tests ? tests.includes(test.name) : !plan.quick || test.quick) &&
      (only.includes("netns") || test.shared || tests !== undefined),
  );
  return [...chosen.filter(({ rows }) => !rows), ...chosen.filter(({ rows }) => rows)];
}

function isMeasured(config, test) {
  return config.own || (test.shared ?? false);
}

/** Seconds of everything that will be measured; starting the beds takes a second or two each. */
function estimate(tests, configs, { plan }) {
  let seconds = configs.length;
  for (const test of tests) {
    for (const config of configs) {
      if (isMeasured(config, test)) seconds += runsOf(test, plan, config) * test.cost(plan.seconds);
    }
  }
  return seconds;
}
