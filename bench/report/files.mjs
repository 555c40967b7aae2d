/**
 * Where results go:
 *
 *   bench/results/DATE.json, DATE.md, DATE/CHART.svg   one's own, ignored by git
 *   bench/results/published/                           those that README shows, the same without a date (--publish)
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { charts } from "./charts/index.mjs";
import { markdown } from "./markdown.mjs";
import { summaryLines } from "./terminal.mjs";

const RESULTS = fileURLToPath(new URL("../results", import.meta.url));
const PUBLISHED = "published";

/** Writes everything, and prints what a person wants to know first. */
export async function writeReport(results, { publish, from, out }) {
  for (const line of summaryLines(results)) console.log(line);
  const drawn = results.measurements ? charts(results) : [];
  const stamp = results.date.slice(0, 16).replace("T", "-").replace(":", "");
  const written = write(out ?? RESULTS, stamp, `${stamp}/`, results, drawn);
  if (publish) {
    if (results.poplin.dirty)
      console.log("\nThe tree had changes: the published figures belong to no commit.");
    const folder = join(RESULTS, PUBLISHED);
    rmSync(folder, { recursive: true, force: true });
    written.push(...write(folder, "results", "", results, drawn));
  }
  console.log(`\n${from === null ? "written" : "written again"}: ${written.join(", ")}`);
}

/** @returns what was written, as paths from here */
function write(folder, name, chartFolder, results, drawn) {
  mkdirSync(join(folder, chartFolder), { recursive: true });
  const json = join(folder, `${name}.json`);
  const md = join(folder, `${name}.md`);
  writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
  const names = drawn.map((chart) => chart.name);
  writeFileSync(md, `${markdown(results, names, chartFolder)}\n`);
  for (const chart of drawn) writeFileSync(join(folder, chartFolder, `${chart.name}.svg`), chart.svg);
  const shown = [json, md].map((path) => relative(process.cwd(), path));
  if (names.length > 0) shown.push(`${relative(process.cwd(), join(folder, chartFolder)) || "."}/*.svg`);
  return shown;
}
