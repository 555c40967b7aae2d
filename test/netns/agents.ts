/** What tests do to running agents, beyond what the lab can: reloads that are waited for, agents that fail, /proc. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import type { CounterSnapshot } from "../../src/dataplane/counters.ts";
import type { DropReason } from "../../src/dataplane/drops.ts";
import { POPLIN } from "../../src/lab/agent-process.ts";
import type { ExecResult, Host } from "../../src/lab/host.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import type { NodePlan } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks until `probe` gives something. @throws Error naming `what` when it does not within `timeout` milliseconds */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${timeout} ms`);
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

/** What the kernel and the dataplane hold for a node's overlay device, sorted, each row in a line. */
export interface Rows {
  readonly addresses: readonly string[];
  readonly neighbours: readonly string[];
  readonly routes: readonly string[];
}

/** Addresses, permanent neighbours and routes of a device, IPv4 only. @returns null when there is no such device */
export async function rowsOf(host: Host, device = DEVICE): Promise<Rows | null> {
  const json = async <T>(...args: string[]): Promise<T[]> => {
    const { status, stdout } = await host.exec("ip", ["-4", "-json", ...args], { check: false });
    return status === 0 && stdout.trim() !== "" ? (JSON.parse(stdout) as T[]) : [];
  };
  const links = await json<{ addr_info: { local: string; prefixlen: number }[] }>(
    "addr",
    "show",
    "dev",
    device,
  );
  if (!(await hasDevice(host, device))) return null;
  const neighbours = await json<{ dst: string; lladdr: string }>(
    ...["neigh", "show", "dev", device, "nud", "permanent"],
  );
  const routes = await json<{ dst: string; gateway?: string }>("route", "show", "dev", device);
  return {
    addresses: links.flatMap(({ addr_info }) => addr_info.map((a) => `${a.local}/${a.prefixlen}`)).sort(),
    neighbours: neighbours.map(({ dst, lladdr }) => `${dst} ${lladdr}`).sort(),
    routes: routes.map(({ dst, gateway }) => `${dst} via ${gateway}`).sort(),
  };
}

/** Whether a host has a network device of this name. */
export async function hasDevice(host: Host, device = DEVICE): Promise<boolean> {
  return (await host.exec("ip", ["link", "show", "dev", device], { check: false })).status === 0;
}

/** The rows of a node's device when it has these peers and nothing else. */
export function rowsFor(node: LabNode, peers: readonly NodePlan[]): Rows {
  return {
    addresses: [`${node.plan.overlay}/32`],
    neighbours: peers.map(({ overlay, vtepMac }) => `${overlay} ${vtepMac}`).sort(),
    routes: peers.map(({ subnet, overlay }) => `${subnet} via ${overlay}`).sort(),
  };
}

/** How long something took, and how slow the machine was. */
export interface Timed {
  readonly ms: number;
  /** How many times longer than `BARE_START` a bare Node took, just before and just after; the smaller one. */
  readonly slowdown: number;
}

/** Takes the time that `measure` returns, in milliseconds. */
export async function timed(measure: () => Promise<number>): Promise<Timed> {
  const before = await slowdown();
  const ms = await measure();
  return { ms, slowdown: Math.min(before, await slowdown()) };
}

/** The time it would have taken on the machine that the limits are meant for: slow and busy ones must keep to them, too. */
export function onIdleMachine({ ms, slowdown }: Timed): number {
  return ms / slowdown;
}

export function describeTimed({ ms, slowdown }: Timed): string {
  return `${Math.round(ms)} ms${slowdown > 1 ? ` (on a machine slowed down ${slowdown.toFixed(1)} times)` : ""}`;
}

/** Milliseconds that a bare Node takes from its spawning to its end on that machine, when it is idle. */
const BARE_START = 70;

/** What slows down a Node that does nothing slows down an agent as much: other processes, other guests, the clock. */
async function slowdown(): Promise<number> {
  const spawned = performance.now();
  await promisify(execFile)(process.execPath, ["-e", "0"]);
  return Math.max(1, (performance.now() - spawned) / BARE_START);
}
