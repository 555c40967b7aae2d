/** What every step uses: the tree's root, lines for people, and running a tool so that it is heard only when it fails. */
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Whether this is a package that npm installed, and no clone: npm publishes no lockfile. Its dependencies are npm's. */
export const INSTALLED = !existsSync(join(ROOT, "package-lock.json"));

const VERBOSE = process.env.POPLIN_VERBOSE === "1";

/** Ends set-up: what happened, and what to do about it. */
export class SetupError extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

/** One line about what is being done. On stderr: stdout belongs to the command that follows. */
export function say(text) {
  console.error(`set-up: ${text}`);
}

/** Prints a failure and sets the exit code. */
export function fail(error) {
  say(error.message);
  if (error.remedy) console.error(`        ${error.remedy}`);
  process.exitCode = 1;
}

/** @returns {string | undefined} where the program is; the sbin folders count even where PATH leaves them out */
export function which(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    const path = join(folder || ".", program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * Folder with the headers of the Node that runs this, for node-gyp's --nodedir, so that it downloads nothing.
 * Distributions that ship them keep them in include/node beside bin/node; those of another version do not count.
 */
export function headers() {
  const folder = resolve(dirname(process.execPath), "..");
  if (!existsSync(join(folder, "include/node/node_api.h"))) return undefined;
  try {
    const text = readFileSync(join(folder, "include/node/node_version.h"), "utf8");
    const major = /^#define NODE_MAJOR_VERSION (\d+)/m.exec(text)?.[1];
    return major === process.versions.node.split(".")[0] ? folder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where node-gyp is: our own in a clone; else npm's, which npm names to the scripts it runs and which lies in npm's own
 * folder; else the one in PATH (Debian keeps the two apart).
 * @returns {{ command: string, args: string[] } | undefined}
 */
export function nodeGyp() {
  const script = "node-gyp/bin/node-gyp.js";
  const npm = which("npm");
  const scripts = [
    join(ROOT, "node_modules", script),
    process.env.npm_config_node_gyp,
    npm && resolve(dirname(realpathSync(npm)), "../node_modules", script),
    resolve(dirname(process.execPath), "../lib/node_modules/npm/node_modules", script),
  ];
  const found = scripts.find((path) => path && existsSync(path));
  if (found) return { command: process.execPath, args: [found] };
  const inPath = which("node-gyp");
  return inPath && { command: inPath, args: [] };
}

/** Environment for tools that may call node-gyp: npm's configuration outranks node-gyp's own command line. */
export function buildEnvironment() {
  const nodedir = headers();
  return nodedir ? { ...process.env, npm_config_nodedir: nodedir } : process.env;
}

/**
 * Runs a tool to its end. Its output is kept, and shown only with POPLIN_VERBOSE=1.
 * The tool gets a process group of its own, so that a signal that ends us ends it with all its children, and a
 * half-done installation never goes on behind the back of the next run.
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: process.env,
      ...options,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    const listen = (chunk) => {
      output += chunk;
      if (VERBOSE) process.stderr.write(chunk);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);

    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    let stoppedBy;
    const stop = (signal) => {
      stoppedBy = signal;
      try {
        process.kill(-child.pid, "SIGTERM");
      } catch {
        // it has just ended
      }
    };
    for (const signal of signals) process.on(signal, stop);
    const finish = (result) => {
      for (const signal of signals) process.off(signal, stop);
      // Ends by the same signal, so that the shell above sees an interruption; the lock names a dead process then.
      if (stoppedBy) process.kill(process.pid, stoppedBy);
      else done(result);
    };
    child.on("error", (error) => finish({ ok: false, output: error.message }));
    child.on("close", (code) => finish({ ok: code === 0, output }));
  });
}

/** The last lines of a tool's output that say something, for a failure that does not end set-up. */
export function gist(output, lines = 2) {
  const all = output.split("\n").filter((line) => line.trim() !== "");
  const telling = all.filter((line) => /error|not found|cannot|unable|fatal|failed|E:/i.test(line));
  return (telling.length > 0 ? telling.slice(0, lines) : all.slice(-lines))
    .map((line) => `        ${line.trim()}`)
    .join("\n");
}
