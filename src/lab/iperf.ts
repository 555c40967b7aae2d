/**
 * TCP by iperf3 between two hosts, with a server for each test: one that stays closes its socket between two tests, and
 * who comes in that moment is refused or cut off.
 */
import { once } from "node:events";
import { LabError } from "./errors.ts";
import type { Host } from "./host.ts";

/** What of iperf3's report (`--json`) is asked for here; there is more. */
export interface IperfReport {
  readonly end: {
    readonly sum_sent: { readonly bytes: number; readonly seconds: number; readonly retransmits?: number };
    readonly sum_received: { readonly bytes: number; readonly bits_per_second: number };
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number };
  };
}

/** Milliseconds that a test may take; even the slowest underlay on a busy machine takes a fraction of it. */
const TIMEOUT = 100_000;
/** Milliseconds after which nobody answers. */
const CONNECT_TIMEOUT = 3000;

/**
 * One test. What says how much is sent stands in `args`: `["-t", "3", "-P", "4"]`.
 * @param address of `to`
 * @param timeout milliseconds
 * @throws LabError LAB_COMMAND: what iperf3 said
 */
export async function iperf(
  from: Host,
  to: Host,
  address: string,
  args: readonly string[],
  timeout = TIMEOUT,
): Promise<IperfReport> {
  const env = { ...process.env, LC_ALL: "C" };
  const server = to.spawn("iperf3", ["--server", "--one-off", "--forceflush"], { env });
  const ended = once(server, "close");
  try {
    if (!(await says(server.stdout!, /listening/i))) throw failure(to, "does not start");
    const words = ["--client", address, "--connect-timeout", String(CONNECT_TIMEOUT), "--json", ...args];
    // Whether it exits with 0 after an error is a matter of its version.
    const { stdout } = await from.exec("iperf3", words, { env, timeout, check: false });
    const { error, ...report } = parse(stdout);
    if (error !== undefined) throw failure(from, `to ${address}: ${error}`);
    return report as IperfReport;
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}

function failure({ name }: Host, what: string): LabError {
  return new LabError("LAB_COMMAND", `${name}: iperf3 ${what}`);
}

function parse(report: string): { error?: string } {
  try {
    return JSON.parse(report);
  } catch {
    return { error: "it gave no report" };
  }
}

/** Resolves with whether `stream` said such a thing before it ended. */
function says(stream: NodeJS.ReadableStream, what: RegExp): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
      if (what.test(text)) resolve(true);
    });
    stream.on("end", () => resolve(false));
    stream.on("error", () => resolve(false));
  });
}
