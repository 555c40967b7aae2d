/**
 * What the image's first stage does, done in a folder: its files are copied, and its commands run, but for those that need
 * the base image (packages of the OS, its user). What comes out is what the second stage copies: it has to run.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { copied, instructions } from "./dockerfile.ts";

/** Bytes of what the image has beside its base: what it is now, and a quarter as much again. */
const MOST = 200_000_000;

describeWith([tool("npm"), tool("cc"), tool("strip")], "the image's steps", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-image-"));
  const image = join(folder, "image");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (command: string, args: readonly string[]): string =>
    execFileSync(command, args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(),
    });

  it("make what runs", { timeout: 600_000 }, () => {
    const second = instructions.findLastIndex(({ name }) => name === "FROM");
    const commands: string[] = [];
    for (const { name, words } of instructions.slice(0, second)) {
      if (name === "COPY") copy(words);
      if (name !== "RUN" || /^(apt-get|install -d -o)/.test(words)) continue;
      run("sh", ["-ec", words]);
      commands.push(words);
    }
    expect(commands.length).toBe(3);
    expect(Number(run("du", ["-sb", image]).split("\t")[0])).toBeLessThan(MOST);
  });

  it("and it runs, under both names, with its shim and its CNI plugin", () => {
    const flanneld = join(folder, "flanneld");
    symlinkSync(join(image, "dist/cli/main.js"), flanneld);
    expect(run(process.execPath, [join(image, "dist/cli/main.js"), "--version"])).toMatch(/^poplin \d/);
    expect(run(process.execPath, [flanneld, "--help"])).toContain("poplin flanneld [FLAG]");
    const load = 'const shim = require("node-gyp-build")("./native-shims"); shim.close(shim.eventOpen())';
    execFileSync(process.execPath, ["-e", load], { cwd: image });
    const env = { CNI_COMMAND: "VERSION" };
    const said = execFileSync(join(image, "cni/flannel"), { env, encoding: "utf8", input: "{}" });
    expect(JSON.parse(said)).toHaveProperty("supportedVersions");
  });

  function copy(words: string): void {
    const { from, to } = copied(words);
    for (const path of from) {
      const target = to.endsWith("/") ? join(folder, to, path) : join(folder, to);
      mkdirSync(dirname(target), { recursive: true });
      // What .dockerignore keeps back of these folders.
      const filter = (source: string): boolean => !/native-shims\/(build|prebuilds)/.test(source);
      cpSync(join(ROOT, path), target, { recursive: true, filter });
    }
  }
});

/** As in an image: nothing of the npm that runs the tests; headers are where Node is. */
function environment(): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|POPLIN_|VITEST|NODE_ENV$)/.test(name),
  );
  const nodedir = join(dirname(process.execPath), "..");
  const isThere = existsSync(join(nodedir, "include/node/node_api.h"));
  return { ...Object.fromEntries(clean), ...(isThere ? { npm_config_nodedir: nodedir } : {}) };
}
