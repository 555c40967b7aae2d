/**
 * node_modules, by `npm ci`. What was installed is told by a stamp of ours in it: the lockfile's hash, the Node ABI
 * that the optional native packages (cap, raw-socket) were built for, and which tools there were to build them.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { buildEnvironment, gist, ROOT, run, SetupError, say, which } from "./run.mjs";
import { toolchain } from "./system.mjs";

const LOCKFILE = join(ROOT, "package-lock.json");
const MODULES = join(ROOT, "node_modules");
/** npm writes this one when it has finished, and not before. */
const NPM_DONE = join(MODULES, ".package-lock.json");
const STAMP = join(MODULES, ".poplin-setup.json");

const ABI = process.versions.modules;

export const dependenciesStep = {
  due: () => state() !== "current",
  /** Whether compilers and headers are of use: something is to be installed, or could not be built last time. */
  wantsTools: () => state() !== "current" || readStamp().missing.length > 0,
  async run() {
    const now = state();
    if (now === "adopt") return adopt();
    if (now === "rebuild") return rebuild(native());
    await install();
  },
};

/**
 * - `install`: nothing there, not finished, another lockfile, or optional packages that could be built now
 * - `adopt`: a finished installation that we did not make (plain `npm ci` or `npm install`)
 * - `rebuild`: built for another Node ABI
 */
function state() {
  const stamp = readStamp();
  if (stamp === undefined) {
    const finished = existsSync(NPM_DONE) && statSync(NPM_DONE).mtimeMs >= statSync(LOCKFILE).mtimeMs;
    return finished ? "adopt" : "install";
  }
  if (stamp.lock !== hash(LOCKFILE)) {
    // Somebody may have run npm since; its own mark is newer than ours then.
    const byNpm = existsSync(NPM_DONE) && statSync(NPM_DONE).mtimeMs > statSync(STAMP).mtimeMs;
    return byNpm && statSync(NPM_DONE).mtimeMs >= statSync(LOCKFILE).mtimeMs ? "adopt" : "install";
  }
  if (stamp.missing.length > 0) {
    const tools = toolchain();
    if (Object.keys(tools).some((name) => tools[name] && !stamp.tools[name])) return "install";
  }
  return stamp.abi === ABI ? "current" : "rebuild";
}

async function install() {
  say("installing npm dependencies (npm ci)");
  // Both marks go first: an interrupted npm ci must not pass for a finished one.
  rmSync(STAMP, { force: true });
  rmSync(NPM_DONE, { force: true });
  const result = await npm("ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund");
  if (!result.ok) {
    throw new SetupError(
      `npm ci failed:
${gist(result.output, 15)}`,
      "Is the npm registry reachable?",
    );
  }
  writeStamp();
  const { missing } = readStamp();
  if (missing.length > 0) say(`not built: ${missing.join(", ")}. ${optionalRemedy(missing)}`);
}

/** A finished installation by somebody else: only its native packages may be another Node's. */
async function adopt() {
  const require = createRequire(import.meta.url);
  const foreign = native().filter((name) => {
    try {
      require(binary(name));
      return false;
    } catch (error) {
      return /NODE_MODULE_VERSION/.test(error.message);
    }
  });
  if (foreign.length > 0) await rebuild(foreign);
  else writeStamp();
}

async function rebuild(names) {
  if (names.length > 0) {
    say(`building for Node ${process.versions.node}: ${names.join(", ")}`);
    const result = await npm("rebuild", ...names);
    if (!result.ok) say(`could not be built: ${names.join(", ")}. ${optionalRemedy(names)}`);
  }
  writeStamp();
}

function optionalRemedy(names) {
  const uses = {
    cap: "`poplin capture` (needs a compiler and libpcap-dev)",
    "raw-socket": "the `raw` underlay (needs a compiler)",
  };
  return `Optional: what is missing without is ${names.map((name) => uses[name] ?? name).join(" and ")}.`;
}

function npm(...args) {
  // Under `npm run`, npm says where it is; its own script is run by the Node that runs us.
  const script = process.env.npm_execpath;
  const env = buildEnvironment();
  if (script && basename(script) === "npm-cli.js") return run(process.execPath, [script, ...args], { env });
  const path = which("npm");
  if (path === undefined)
    throw new SetupError("npm is not in PATH.", "It comes with Node: https://nodejs.org");
  return run(path, args, { env });
}

/** Names of the optional dependencies with a native part: those that may run a script to build it. */
function optional() {
  const { optionalDependencies, allowScripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return Object.keys(optionalDependencies).filter((name) => allowScripts[name]);
}

/** Those of them that are built. */
function native() {
  return optional().filter((name) => binary(name) !== undefined);
}

function binary(name) {
  const folder = join(MODULES, name, "build/Release");
  if (!existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((entry) => entry.endsWith(".node"));
  return file && join(folder, file);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, "utf8"));
  } catch {
    return undefined;
  }
}

function writeStamp() {
  const built = native();
  const missing = optional().filter((name) => !built.includes(name));
  const stamp = { lock: hash(LOCKFILE), abi: ABI, tools: toolchain(), missing };
  writeFileSync(STAMP, `${JSON.stringify(stamp)}\n`);
}

function hash(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
