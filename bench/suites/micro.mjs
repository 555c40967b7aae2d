/** The micro benchmarks, in a process of their own: they want the garbage collector, and nobody else's heap. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("../micro.mjs", import.meta.url));

/** @returns what `bench/micro.mjs --json` says */
export async function micro({ quick }, progress) {
  progress.begin("micro benchmarks");
  const args = ["--expose-gc", SCRIPT, "--json", "--rounds", quick ? "5" : "9"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 << 20 });
  const { rounds, results } = JSON.parse(stdout);
  return { rounds, results };
}
