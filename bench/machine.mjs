/** On what was measured: machine, kernel, Node, and the state of the tree. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export function machine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cpus: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    virtual: virtualMachine(),
    kernel: `${os.type()} ${os.release()}`,
    architecture: os.arch(),
    node: process.version,
    load: os.loadavg()[0],
  };
}

/** The commit that was measured, and whether the tree had other changes than results. */
export function tree(root = ROOT) {
  const git = (...args) => {
    try {
      return execFileSync("git", ["-C", root, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    } catch {
      return null; // no repository, as in a package
    }
  };
  return {
    version: JSON.parse(readFileSync(`${root}/package.json`, "utf8")).version,
    commit: git("rev-parse", "HEAD")?.trim() ?? null,
    subject: git("log", "-1", "--format=%s")?.trim() ?? null,
    dirty: (git("status", "--porcelain", "--", ".", ":!bench/results")?.trim() ?? "") !== "",
  };
}

/** A hypervisor shows itself among the CPU's flags (x86); elsewhere nobody knows. */
function virtualMachine() {
  try {
    return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync("/proc/cpuinfo", "latin1"));
  } catch {
    return null;
  }
}

/** "AMD EPYC, 2 CPUs, 24 GiB, virtual · Linux 6.18.1 · Node v20.20.2" */
export function describe({ cpu, cpus, memoryGiB, virtual, kernel, node }) {
  const kind = virtual ? ", virtual" : "";
  return `${cpu}, ${cpus} CPUs, ${memoryGiB} GiB${kind} · ${kernel} · Node ${node}`;
}
