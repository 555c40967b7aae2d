/**
 * What a test needs of the machine. Where it is missing the tests are skipped and say why; with POPLIN_NO_SKIP=1, as
 * in CI, they fail instead, so that nothing is left out without anybody noticing.
 *
 *   describeWith([root(), tool("tshark")], "what poplin sends", () => { … });
 *   describeFull([root()], "ten thousand peers", () => { … });    // only in `npm run test:full`
 */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";
import { canTraceDrops } from "../../src/lab/drop-trace.ts";

/** Null when it is there, otherwise what is missing, in words. */
export type Need = string | null;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FULL = process.env.POPLIN_FULL === "1";
const NO_SKIP = process.env.POPLIN_NO_SKIP === "1";

/** Root: for namespaces, devices and raw sockets. */
export function root(): Need {
  return process.getuid?.() === 0 ? null : "needs root";
}

/** Network namespaces that can really be made; a container may forbid it even to root. */
export function namespaces(): Need {
  const missing = root() ?? tool("ip");
  if (missing !== null) return missing;
  return spawnSync("unshare", ["--net", "true"]).status === 0 ? null : "needs the right to make namespaces";
}

/** /dev/net/tun. */
export function tun(): Need {
  return existsSync("/dev/net/tun") ? null : "needs /dev/net/tun";
}

/** A program in PATH or an sbin folder. */
export function tool(name: string): Need {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  const found = folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? null : `needs ${name}`;
}

/** An optional npm package that loads on this Node: "cap", "raw-socket". */
export function optionalPackage(name: string): Need {
  try {
    createRequire(import.meta.url)(name);
    return null;
  } catch (error) {
    return `needs the npm package ${name} (${String((error as Error).message).split("\n")[0]})`;
  }
}

/** The native shim, built. */
export function shim(): Need {
  const folders = ["build/Release", "prebuilds/linux-x64", "prebuilds/linux-arm64"];
  const found = folders.some((folder) => {
    const path = join(ROOT, "native-shims", folder);
    return existsSync(path) && readdirSync(path).some((file) => file.endsWith(".node"));
  });
  return found ? null : "needs the native shim: npm run build:shim";
}

/** Everything that a lab with poplin nodes needs; brings dist/ up to date, from which agents run. */
export function lab(): Need {
  return namespaces() ?? tun() ?? shim() ?? built();
}

/** A systemd that can be booted in namespaces: its files from this machine's, its changes in memory. */
export function systemd(): Need {
  if (!existsSync("/lib/systemd/systemd")) return "needs systemd";
  const known = readFileSync("/proc/filesystems", "utf8");
  const missing = ["overlay", "cgroup2"].filter((name) => !known.includes(`\t${name}\n`));
  return missing.length === 0 ? null : `needs ${missing.join(" and ")} in the kernel`;
}

/** The kernel's tracepoint of drops. */
export function dropTrace(): Need {
  return canTraceDrops() ? null : "needs tracefs in the kernel";
}

/** Debian's CNI plugins. */
export function cniPlugins(): Need {
  return existsSync("/usr/lib/cni/bridge") ? null : "needs CNI plugins in /usr/lib/cni";
}

/** The CNI plugin as of src/, an executable; takes two seconds to make where it is not there. */
export function cniExecutable(): Need {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts/build-cni.mjs")]);
  return status === 0 ? null : `needs dist/cni/flannel, which cannot be built: ${stderr}`;
}

let upToDate = false;

/** dist/ as of src/, for tests that start processes. @throws with the compiler's output when it does not compile */
export function built(): Need {
  if (!upToDate) execFileSync(process.execPath, [join(ROOT, "scripts/setup.mjs"), "--only", "build"]);
  upToDate = true;
  return null;
}

/** `describe` where everything is there. */
export function describeWith(needs: readonly Need[], title: string, body: () => void): void {
  const missing = needs.filter((need) => need !== null);
  if (missing.length === 0) {
    describe(title, body);
  } else if (NO_SKIP) {
    describe(title, () => {
      it("can run here", () => {
        throw new Error(`${missing.join(", ")}; with POPLIN_NO_SKIP=1 that is a failure`);
      });
    });
  } else {
    describe.skip(`${title} [${missing.join(", ")}]`, body);
  }
}

/** `describeWith` in `npm run test:full`, otherwise nothing. A file with nothing else is called `*.full.test.ts`. */
export function describeFull(needs: readonly Need[], title: string, body: () => void): void {
  if (FULL) describeWith(needs, title, body);
}
