/** Four ways to send the same frames, measured, beside what somebody has guessed. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const MEASURE = fileURLToPath(new URL("../../../dist/learn/exercises/speed-run.js", import.meta.url));

export const WAYS = {
  concat: "a new buffer for each packet, header and frame copied in, a call each",
  pool: "the same, but the buffers are there already and used again",
  room: "no copy: the frame has room before it, for the header; still a call each",
  batch: "no copy, and one system call for 64 packets (sendmmsg)",
} as const;

export type Way = keyof typeof WAYS;
/** Of each way. */
export type Speeds = Readonly<Record<Way, number>>;

/** Packets per second. */
export async function measure(): Promise<Speeds> {
  const { stdout } = await run(process.execPath, [MEASURE]);
  return JSON.parse(stdout) as Speeds;
}

/** Columns of the longest bar. */
const LONGEST = 40;

/** Bars, and as ┊ what was guessed, in multiples of the first. */
export function graph(speeds: Speeds, guesses: Speeds): string[] {
  const unit = speeds.concat;
  const most = Math.max(...Object.values(speeds).map((speed) => speed / unit), ...Object.values(guesses));
  const columns = (times: number): number => Math.round((times / most) * LONGEST);
  return (Object.keys(WAYS) as Way[]).map((way) => {
    const times = speeds[way] / unit;
    const bar = [..."█".repeat(Math.max(1, columns(times))).padEnd(LONGEST + 1)];
    bar[columns(guesses[way])] = "┊";
    const figures = `${times.toFixed(1).padStart(5)}×  ${Math.round(speeds[way] / 1000)}k packets/s`;
    return `${way.padEnd(7)} ${bar.join("")}${figures}`;
  });
}
