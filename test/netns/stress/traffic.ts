/** What the pods of a pair do to each other while the network between them is bad. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/lab/host.ts";

const STREAMS = fileURLToPath(new URL("./streams.mjs", import.meta.url));
const TRAINS = fileURLToPath(new URL("./trains.mjs", import.meta.url));

/** Milliseconds that a phase may take: even on a busy machine it takes a fraction of it. */
const TIMEOUT = 240_000;

/** One TCP connection (`streams.mjs`). */
export interface Call {
  readonly up: number;
  readonly down: number;
  readonly seed: number;
  /** Both directions at once; else the answer follows the question. */
  readonly together: boolean;
  /** Most bytes per write; 0 for large ones. */
  readonly cuts: number;
}

export interface CallsResult {
  readonly bytes: number;
  /** What went wrong, a line per connection. */
  readonly failures: readonly string[];
}

/** What became of UDP_SEGMENT trains (`trains.mjs`). */
export interface TrainsResult {
  readonly sent: number;
  /** Different datagrams that were delivered as they were sent. */
  readonly arrived: number;
  readonly duplicates: number;
  /** Of those that arrived: after a later one. */
  readonly late: number;
  /** Delivered with other content than was sent. */
  readonly damaged: number;
  /** Delivered for nobody. */
  readonly strays: number;
  /** Receives that held several. */
  readonly trains: number;
}

/** Starts the servers of both kinds in a host; they end with the lab. */
export async function serveBoth(host: Host): Promise<void> {
  await Promise.all([STREAMS, TRAINS].map((script) => serve(host, script)));
}

function serve(host: Host, script: string): Promise<void> {
  const stdio = ["ignore", "pipe", "inherit"] as ["ignore", "pipe", "inherit"];
  return ready(host.spawn(process.execPath, [script, "serve"], { stdio }), host);
}

/** Waits until a helper says its first word. @throws Error when it ends before that */
export async function ready(helper: ChildProcess, host: Host): Promise<void> {
  const ended = once(helper, "exit").then(() =>
    Promise.reject(new Error(`${host.name}: a helper has ended`)),
  );
  await Promise.race([once(helper.stdout!, "data"), ended]);
  ended.catch(() => {}); // it ends with the lab
}

async function run<T>(from: Host, script: string, args: readonly string[], input: unknown): Promise<T> {
  const options = { input: JSON.stringify(input), timeout: TIMEOUT };
  const { stdout } = await from.exec(process.execPath, [script, ...args], options);
  return JSON.parse(stdout);
}

/** Makes TCP connections to a server, `parallel` at a time. */
export function call(from: Host, to: string, calls: readonly Call[], parallel: number): Promise<CallsResult> {
  return run(from, STREAMS, ["call", to], { calls, parallel });
}

/** Sends trains of `segment` bytes per datagram. @param gro whether the receiver takes trains as such */
export function trains(
  from: Host,
  to: string,
  options: { count: number; segment: number; burst: number; seed: number; gro: boolean; patience: number },
): Promise<TrainsResult> {
  return run(from, TRAINS, ["send", to], options);
}

/** `streams` connections that carry `bytes` each way at the same time, all together. */
export function bulk(streams: number, bytes: number, seed: number): Call[] {
  const each = Math.floor(bytes / streams);
  return Array.from({ length: streams }, (_, i) => ({
    ...{ up: each, down: each, seed: seed + i, together: true, cuts: 0 },
  }));
}

/** Short connections: questions and answers of 1 to 4000 bytes, in writes of all sizes. */
export function small(count: number, seed: number): Call[] {
  return Array.from({ length: count }, (_, i) => ({
    up: 1 + ((i * 1237) % 4000),
    down: 1 + ((i * 2741) % 4000),
    seed: seed + i,
    together: i % 5 === 0,
    cuts: [1500, 700, 4000, 97, 2900, 0][i % 6]!,
  }));
}
