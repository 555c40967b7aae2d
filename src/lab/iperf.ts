/** iperf3 between hosts: a server that stays for as many tests as come, and one test after the other. */
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
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

/**
 * What a client hears that comes while the server ends the test before: it takes one at a time, and closes its socket
 * after each to open a new one.
 */
const BETWEEN_TESTS = [/server is busy/, /connect to server.*Connection refused/];

/** Milliseconds for that; a fraction of it, even on a busy machine. */
const PATIENCE = 20_000;
const PAUSE = 50;

/** Milliseconds that a test may take; even the slowest underlay on a busy machine takes a fraction of it. */
const TIMEOUT = 100_000;

/** Starts a server, and waits until it listens. It ends with the lab, if not before. */
export async function serveIperf(host: Host): Promise<ChildProcess> {
  const server = host.spawn("iperf3", ["--server"], { stdio: "ignore" });
  await host.exec("sh", ["-c", "until ss -Hltn sport = 5201 | grep -q .; do sleep 0.02; done"]);
  return server;
}

/**
 * One test against such a server.
 * @param timeout milliseconds that it may take
 * @throws LabError LAB_COMMAND: what iperf3 said
 */
export async function iperf(
  from: Host,
  to: string,
  args: readonly string[],
  timeout = TIMEOUT,
): Promise<IperfReport> {
  const words = ["--client", to, "--json", ...args];
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    // Whether it exits with 0 after an error is a matter of its version.
    const { stdout, stderr } = await from.exec("iperf3", words, { timeout, check: false });
    const { error, ...report } = parse(stdout) ?? { error: `no report: ${stderr || stdout}` };
    if (error === undefined) return report as IperfReport;
    const again = BETWEEN_TESTS.some((said) => said.test(error)) && Date.now() < deadline;
    if (!again) throw new LabError("LAB_COMMAND", `${from.name}: iperf3 to ${to}: ${error}`);
    await sleep(PAUSE);
  }
}

function parse(report: string): { error?: string } | null {
  try {
    return JSON.parse(report);
  } catch {
    return null;
  }
}
