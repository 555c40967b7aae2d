/** Pings from one host to another, and which of them are answered. */
import type { Host } from "./host.ts";

export interface PingOptions {
  /** Requests; 3 when left out. */
  readonly count?: number;
  /** Seconds between two of them; 0.05 when left out. */
  readonly interval?: number;
  /** More of ping's options. */
  readonly args?: readonly string[];
}

export interface Pinged {
  /** How many of the `count` requests were answered, each at least once. */
  readonly answered: number;
  /** Round trip in milliseconds; null when nobody answers. */
  readonly mean: number | null;
  /** What ping complained of. */
  readonly complaint: string;
}

/** Seconds that the last answer may take. */
const PATIENCE = 3;

/**
 * Pings, and waits for the last answer as well. Without a deadline ping gives it twice the longest round trip until then
 * or one interval, whatever -W says (iputils, schedule_exit), and so takes for lost what a busy machine brings later. With
 * a deadline it goes on asking until it has `count` answers: those to more requests do not count here.
 */
export async function ping(
  from: Host,
  to: string,
  { count = 3, interval = 0.05, args = [] }: PingOptions = {},
): Promise<Pinged> {
  const deadline = Math.ceil(count * interval) + PATIENCE;
  const often = ["-c", String(count), "-i", String(interval), "-w", String(deadline)];
  const env = { ...process.env, LC_ALL: "C" };
  const timeout = (deadline + 30) * 1000;
  const { stdout, stderr } = await from.exec("ping", ["-n", ...often, ...args, to], {
    ...{ check: false, env, timeout },
  });
  const answers = [...stdout.matchAll(/^\d+ bytes from .*icmp_seq=(\d+) /gm)].map(([, seq]) => Number(seq));
  const mean = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1];
  return {
    answered: new Set(answers.filter((seq) => seq <= count)).size,
    mean: mean === undefined ? null : Number(mean),
    complaint: stderr.trim() || (/^From .*$/m.exec(stdout)?.[0] ?? ""),
  };
}
