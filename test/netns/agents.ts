/** What tests do to running agents, beyond what the lab can: reloads that are waited for, agents that fail, /proc. */
import { readFileSync } from "node:fs";
import type { CounterSnapshot } from "../../src/dataplane/counters.ts";
import type { DropReason } from "../../src/dataplane/drops.ts";
import type { ExecResult } from "../../src/lab/host.ts";
import { POPLIN, type PoplinNode } from "../../src/lab/poplin-node.ts";

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks until `probe` gives something. @throws Error naming `what` when it does not within `timeout` milliseconds */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 10_000,
): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${timeout} ms`);
    await sleep(20);
  }
}

/** Writes the node's file, sends SIGHUP and waits until the agent has dealt with it. */
export async function reload(node: PoplinNode): Promise<{ ok: boolean; message: string }> {
  const before = (await node.status()).config.lastReload?.at;
  node.writeConfig();
  node.signal("SIGHUP");
  return until("the reload", async () => {
    const { lastReload } = (await node.status()).config;
    return lastReload !== null && lastReload.at !== before && lastReload;
  });
}

/** Drops since an earlier snapshot, by direction and reason; only those that grew. */
export function dropsSince(
  before: CounterSnapshot,
  after: CounterSnapshot,
): Record<"tx" | "rx", Partial<Record<DropReason, number>>> {
  const grown = (direction: "tx" | "rx") =>
    Object.fromEntries(
      Object.entries(after.drops[direction])
        .map(([reason, n]) => [reason, n - (before.drops[direction][reason as DropReason] ?? 0)] as const)
        .filter(([, n]) => n !== 0),
    );
  return { tx: grown("tx"), rx: grown("rx") };
}

/** Runs `poplin agent` on the node's file until it ends by itself, as one that cannot start does. */
export function failingAgent(
  node: PoplinNode,
  args: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<ExecResult> {
  const words = [...wrapper, process.execPath, POPLIN, "agent", "--config", node.configFile, ...args];
  return node.host.exec(words[0]!, words.slice(1), { check: false, timeout: 15_000 });
}

/** Resident memory of a process in bytes: now, and the most it ever was. */
export function memoryOf(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]);
  return { rss: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 };
}

/** Bytes in MB, as tests report them. */
export function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
