/**
 * Network namespaces through `ip netns`: made, listed, run in and removed. Everything here is synchronous, because a
 * lab is taken down in handlers of `exit` and of signals, where nothing else is possible.
 */
import { spawnSync } from "node:child_process";
import { LabError } from "./errors.ts";

/** Milliseconds that one `ip` call may take; the kernel answers within a few. */
const TIMEOUT = 20_000;
/** How often a removal looks whether killed processes are gone, and for how long. */
const KILL_POLL = 10;
const KILL_ROUNDS = 300;

/** Runs `ip`. @throws LabError with what it said when it fails */
export function ip(args: readonly string[], input?: string): string {
  const result = spawnIp(args, input);
  if (result.error !== undefined) {
    const missing = (result.error as NodeJS.ErrnoException).code === "ENOENT";
    throw new LabError(
      missing ? "LAB_UNAVAILABLE" : "LAB_COMMAND",
      missing ? "there is no `ip` command" : `ip ${args.join(" ")}: ${result.error.message}`,
      missing ? "install iproute2: apt-get install iproute2" : null,
    );
  }
  if (result.status !== 0) {
    throw new LabError("LAB_COMMAND", `ip ${args.join(" ")}${said(input)}: ${result.stderr.trim()}`);
  }
  return result.stdout;
}

/** In a session of its own: Ctrl-C at the terminal must not end the `ip` that cleans up after it. */
function spawnIp(args: readonly string[], input?: string) {
  // `detached` works for spawnSync, though neither Node's documentation nor its types list it.
  const options = { input, encoding: "utf8" as const, timeout: TIMEOUT, maxBuffer: 64 << 20, detached: true };
  return spawnSync("ip", args, options);
}

function said(input: string | undefined): string {
  return input === undefined ? "" : ` <<< ${JSON.stringify(input)}`;
}

/** Runs lines of `ip` commands in a namespace, in one process; stops at the first that fails. */
export function ipBatch(namespace: string, lines: readonly string[]): void {
  if (lines.length > 0) ip(["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
}

/** Makes a namespace with its loopback up. */
export function addNamespace(namespace: string): void {
  ip(["netns", "add", namespace]);
  ipBatch(namespace, ["link set lo up"]);
}

/** Names of all named namespaces of this machine. */
export function listNamespaces(): string[] {
  // A line is "name (id: 3)" once somebody has asked for the id of the namespace.
  return ip(["netns", "list"])
    .split("\n")
    .map((line) => line.split(" ")[0]!)
    .filter((name) => name !== "");
}

/** Pids of the processes in a namespace; none when there is no such namespace. */
export function pidsIn(namespace: string): number[] {
  return (spawnIp(["netns", "pids", namespace]).stdout ?? "").split("\n").filter(Boolean).map(Number);
}

/**
 * Ends what runs in namespaces, then removes them with all their devices. Nothing happens to those that are gone.
 * @throws LabError for what could not be removed, after everything has been tried
 */
export function removeNamespaces(namespaces: readonly string[]): void {
  for (const namespace of namespaces) killIn(namespace);
  const failures: string[] = [];
  for (const namespace of namespaces) {
    try {
      ip(["netns", "del", namespace]);
    } catch (error) {
      // Two sweeps may meet at the same dead lab.
      if (!/No such file/.test(String(error))) failures.push((error as Error).message);
    }
  }
  if (failures.length > 0) throw new LabError("LAB_COMMAND", failures.join("; "));
}

/** SIGKILL, again for what was being started meanwhile, until nothing is left: a namespace lives on with its processes. */
function killIn(namespace: string): void {
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const pids = pidsIn(namespace).filter((pid) => pid !== process.pid);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it has just ended
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KILL_POLL);
  }
}
