/**
 * scripts/setup.mjs on a project of its own, with tools that only write down that they were called. What they do is
 * what the real ones do as far as set-up can see: npm ci empties node_modules first and marks its end last.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";

const STAMP = "node_modules/.poplin-setup.json";

/** `npm ci`: empties node_modules, waits as long as it is told, installs the compilers, marks the end. */
const NPM = `#!${process.execPath}
const { appendFileSync, cpSync, existsSync, rmSync, writeFileSync } = require("node:fs");
appendFileSync("calls", "npm " + process.argv.slice(2).filter((word) => !word.startsWith("-")).join(" ") + "\\n");
if (process.argv[2] !== "ci") process.exit(0);
rmSync("node_modules", { recursive: true, force: true });
if (existsSync("npm-fails")) { console.error("npm error network is down"); process.exit(1); }
cpSync("modules", "node_modules", { recursive: true });
setTimeout(() => writeFileSync("node_modules/.package-lock.json", "{}"), Number(process.env.SLOW ?? 0));
`;
const NODE_GYP = `
const { appendFileSync, existsSync, mkdirSync, writeFileSync } = require("node:fs");
appendFileSync("calls", "node-gyp\\n");
if (existsSync("gyp-fails")) { console.error("gyp ERR! stack Error: not found: make"); process.exit(1); }
mkdirSync("native-shims/build/Release", { recursive: true });
writeFileSync("native-shims/build/Release/shim.node", "");
`;
const TSC = `
const { appendFileSync, cpSync, existsSync } = require("node:fs");
appendFileSync("calls", "tsc\\n");
if (existsSync("tsc-fails")) { console.log("src/a.ts(1,1): error TS1005"); process.exit(1); }
cpSync("src", process.argv[process.argv.indexOf("--outDir") + 1], { recursive: true });
`;
const ROLLDOWN = `
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
export async function rolldown({ cwd, input }) {
  appendFileSync(cwd + "/calls", "rolldown\\n");
  if (existsSync(cwd + "/rolldown-fails")) throw new Error("src/a.ts: Unexpected token");
  const write = async ({ dir }) => {
    for (const file of input) writeFileSync(file.replace(cwd + "/src", dir).replace(/ts$/, "js"), "");
  };
  return { write, close: async () => {} };
}
`;
const VITE = `
import { appendFileSync, existsSync } from "node:fs";
export async function build({ configFile }) {
  const root = configFile.replace("/src/web/vite.config.ts", "");
  appendFileSync(root + "/calls", "vite\\n");
  if (existsSync(root + "/vite-fails")) throw new Error("app.tsx: Unexpected end of file");
}
`;

let root: string;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function remove(path: string): void {
  rmSync(join(root, path), { recursive: true, force: true });
}

/** What was called since the last time this was asked. */
function calls(): string[] {
  if (!existsSync(join(root, "calls"))) return [];
  const lines = readFileSync(join(root, "calls"), "utf8").split("\n").filter(Boolean);
  remove("calls");
  return lines;
}

function start(
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
  script = "scripts/setup.mjs",
): ChildProcess {
  const { npm_execpath: _, npm_config_node_gyp: __, POPLIN_VERBOSE: ___, ...rest } = process.env;
  return spawn(process.execPath, [join(root, script), ...args], {
    env: { ...rest, PATH: `${join(root, "bin")}:${process.env.PATH}`, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs set-up, or another script, to its end. */
async function setup(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, script?: string) {
  const child = start(args, env, script);
  let text = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (text += chunk));
  const [code] = await once(child, "close");
  return { code: code as number | null, text, calls: calls() };
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "poplin-setup-"));
  cpSync(join(ROOT, "scripts"), join(root, "scripts"), { recursive: true });
  write("package.json", JSON.stringify({ optionalDependencies: { cap: "1" }, allowScripts: { cap: true } }));
  write("package-lock.json", "{}");
  write("tsconfig.json", "{}");
  write("src/cli/main.ts", "");
  write("src/web/app.tsx", "");
  write("native-shims/binding.gyp", "{}");
  write("native-shims/src/shim.c", "");
  write("modules/node-gyp/bin/node-gyp.js", NODE_GYP);
  write("modules/typescript/bin/tsc", TSC);
  write("modules/rolldown/package.json", '{"name":"rolldown","type":"module","exports":"./index.js"}');
  write("modules/rolldown/index.js", ROLLDOWN);
  write("modules/vite/package.json", '{"name":"vite","type":"module","exports":"./index.js"}');
  write("modules/vite/index.js", VITE);
  write("modules/cap/build/Release/cap.node", "");
  write("bin/npm", NPM);
  chmodSync(join(root, "bin/npm"), 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const EVERYTHING = ["npm ci", "node-gyp", "tsc", "rolldown", "vite"];

describe.runIf(process.platform === "linux")("set-up", () => {
  it("installs and builds everything once, says so, and is silent then", async () => {
    const first = await setup();
    expect(first).toMatchObject({ code: 0, calls: EVERYTHING });
    expect(first.text.split("\n").filter(Boolean)).toEqual([
      "set-up: installing npm dependencies (npm ci)",
      "set-up: building the native shim (native-shims/)",
      "set-up: compiling TypeScript (src/ to dist/)",
    ]);
    expect(await setup()).toEqual({ code: 0, text: "", calls: [] });
  });

  it("does again what a change asks for, and nothing else", async () => {
    await setup();
    write("package-lock.json", '{"other":1}');
    expect(await setup()).toMatchObject({ code: 0, calls: ["npm ci"] });
    write("native-shims/src/shim.c", "int a;");
    expect(await setup()).toMatchObject({ code: 0, calls: ["node-gyp"] });
    for (const source of ["src/cli/more.ts", "src/web/more.tsx"]) {
      write(source, "");
      expect(await setup()).toMatchObject({ code: 0, calls: ["tsc", "rolldown", "vite"] });
    }
    expect(await setup()).toMatchObject({ calls: [] });
  });

  it("a file deleted in src does not survive in dist", async () => {
    write("src/old.ts", "");
    await setup();
    expect(existsSync(join(root, "dist/old.js"))).toBe(true);
    remove("src/old.ts");
    await setup();
    expect(existsSync(join(root, "dist/old.js"))).toBe(false);
    expect(existsSync(join(root, "dist/cli/main.js"))).toBe(true);
  });

  it("takes a finished installation by npm itself for good, and a half one or an old one not", async () => {
    cpSync(join(root, "modules"), join(root, "node_modules"), { recursive: true });
    expect((await setup(["--only", "dependencies"])).calls).toEqual(["npm ci"]);
    remove(STAMP);
    expect((await setup(["--only", "dependencies"])).calls).toEqual([]);
    remove(STAMP);
    utimesSync(join(root, "node_modules/.package-lock.json"), 1, 1);
    expect((await setup(["--only", "dependencies"])).calls).toEqual(["npm ci"]);
  });

  it("builds what is bound to a Node ABI again for another one", async () => {
    await setup();
    const stamp = JSON.parse(readFileSync(join(root, STAMP), "utf8"));
    write(STAMP, JSON.stringify({ ...stamp, abi: "1" }));
    expect((await setup()).calls).toEqual(["npm rebuild cap"]);
    expect((await setup()).calls).toEqual([]);
  });

  it("goes on without an optional package, and tries again when there is more to build it with", async () => {
    remove("modules/cap");
    const first = await setup();
    expect(first).toMatchObject({ code: 0, calls: EVERYTHING });
    expect(first.text).toMatch(/not built: cap.*poplin capture/);
    expect((await setup()).calls).toEqual([]);
    const stamp = JSON.parse(readFileSync(join(root, STAMP), "utf8"));
    write(STAMP, JSON.stringify({ ...stamp, tools: { compiler: false, pcap: false } }));
    expect((await setup()).calls).toEqual(["npm ci"]);
  });

  it("goes on without the shim, with the reason", async () => {
    write("gyp-fails", "");
    const { code, text, calls } = await setup();
    expect({ code, calls }).toEqual({ code: 0, calls: EVERYTHING });
    expect(text).toMatch(/shim could not be built.*in memory:\n +gyp ERR! stack Error: not found: make/);
    remove("gyp-fails");
    expect((await setup()).calls).toEqual(["node-gyp"]);
  });

  it("ends with 1 when npm or the compiler fails, and shows what they said", async () => {
    write("npm-fails", "");
    expect(await setup()).toMatchObject({ code: 1, text: expect.stringContaining("network is down") });
    remove("npm-fails");
    write("tsc-fails", "");
    expect(await setup()).toMatchObject({ code: 1, text: expect.stringContaining("error TS1005") });
    expect(existsSync(join(root, "dist"))).toBe(false);
    remove("tsc-fails");
    write("rolldown-fails", "");
    expect(await setup()).toMatchObject({ code: 1, text: expect.stringContaining("Unexpected token") });
    expect(existsSync(join(root, "dist"))).toBe(false);
    remove("rolldown-fails");
    write("vite-fails", "");
    expect(await setup()).toMatchObject({ code: 1, text: expect.stringContaining("Unexpected end of file") });
    expect(existsSync(join(root, "dist"))).toBe(false);
  });

  it("two at a time wait for each other", async () => {
    const both = await Promise.all([setup([], { SLOW: "1000" }), setup([], { SLOW: "1000" })]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.flatMap((one) => one.calls).sort()).toEqual([...EVERYTHING].sort());
    expect(both.map(({ text }) => /another set-up.*\(pid \d+\)/.test(text)).sort()).toEqual([false, true]);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    it(`what ${signal} interrupted, the next run finishes`, async () => {
      const child = start([], { SLOW: signal === "SIGKILL" ? "500" : "60000" });
      while (!existsSync(join(root, "node_modules/typescript/bin/tsc"))) await pause(10);
      child.kill(signal);
      await once(child, "close");
      expect(child.signalCode).toBe(signal);
      // SIGKILL cannot be passed on: let the npm that is left behind end by itself.
      if (signal === "SIGKILL") await pause(1000);
      calls();
      expect(await setup()).toMatchObject({
        code: 0,
        calls: signal === "SIGKILL" ? EVERYTHING.slice(1) : EVERYTHING,
      });
      expect(await setup()).toEqual({ code: 0, text: "", calls: [] });
      expect(existsSync(join(root, ".setup.lock"))).toBe(false);
    });
  }

  it("says what it does not understand", async () => {
    expect(await setup(["--for", "fun"])).toMatchObject({
      code: 1,
      text: expect.stringContaining("--for demo|test"),
    });
  });
});

describe.runIf(process.platform === "linux")("an installed package", () => {
  const install = (env: NodeJS.ProcessEnv) => setup([], env, "scripts/install.mjs");
  let npm: NodeJS.ProcessEnv;

  beforeEach(() => {
    // What npm leaves out of a package, and the compiler that it has instead.
    for (const path of ["package-lock.json", "tsconfig.json", "src"]) remove(path);
    npm = { npm_config_node_gyp: join(root, "modules/node-gyp/bin/node-gyp.js") };
  });

  it("builds its shim once, with npm's node-gyp", async () => {
    expect(await install(npm)).toMatchObject({ code: 0, calls: ["node-gyp"] });
    expect(await install(npm)).toEqual({ code: 0, text: "", calls: [] });
    expect(await setup(["--only", "shim"])).toEqual({ code: 0, text: "", calls: [] });
  });

  it("builds it by hand, with the node-gyp beside the npm in PATH", async () => {
    cpSync(join(root, "modules/node-gyp"), join(root, "npm/node_modules/node-gyp"), { recursive: true });
    cpSync(join(root, "bin"), join(root, "npm/bin"), { recursive: true });
    const PATH = `${join(root, "npm/bin")}:${process.env.PATH}`;
    expect(await setup(["--only", "shim"], { PATH })).toMatchObject({ code: 0, calls: ["node-gyp"] });
  });

  it("is installed without a shim where none can be built; who asks for one gets the reason and 1", async () => {
    write("gyp-fails", "");
    expect(await install(npm)).toMatchObject({ code: 0, text: expect.stringContaining("not found: make") });
    expect(await setup(["--only", "shim"], npm)).toMatchObject({
      code: 1,
      text: expect.stringContaining("not found: make"),
    });
    remove("gyp-fails");
    expect(await setup(["--only", "shim"], npm)).toMatchObject({ code: 0, calls: ["node-gyp"] });
  });

  it("has nothing else to set up", async () => {
    expect(await setup()).toMatchObject({ code: 1, text: expect.stringContaining("--only shim"), calls: [] });
  });

  it("is no clone: there npm's install script leaves the shim to set-up", async () => {
    write("package-lock.json", "{}");
    expect(await install(npm)).toEqual({ code: 0, text: "", calls: [] });
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
