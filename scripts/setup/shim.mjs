/** The native shim, by node-gyp. It speaks Node-API, so one build serves every Node version. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildEnvironment, gist, headers, nodeGyp, ROOT, run, say } from "./run.mjs";

const SHIM = join(ROOT, "native-shims");
const STAMP = join(SHIM, "build/poplin-setup.json");

let tried = false;
let failed = false;

export const shimStep = {
  due: () => process.platform === "linux" && !tried && !current(),
  /** Whether `run` came to nothing. It does not throw: everything but the TAP works without the shim. */
  failed: () => failed,
  async run() {
    tried = true;
    say("building the native shim (native-shims/)");
    const nodedir = headers();
    const gyp = nodeGyp() ?? { command: "node-gyp", args: [] };
    const args = [...gyp.args, "rebuild", "-C", SHIM, ...(nodedir ? ["--nodedir", nodedir] : [])];
    const result = await run(gyp.command, args, { env: buildEnvironment() });
    failed = !result.ok;
    if (result.ok) {
      writeFileSync(STAMP, `${JSON.stringify({ sources: fingerprint() })}\n`);
      return;
    }
    say("the native shim could not be built, so there is no TAP device and the demo runs in memory:");
    console.error(gist(result.output));
  },
};

function current() {
  const built = find(join(SHIM, "build/Release"));
  if (built !== undefined) {
    // Without a stamp somebody ran node-gyp by hand: then the clock decides.
    const stamp = readStamp();
    return stamp === undefined ? statSync(built).mtimeMs >= newestSource() : stamp.sources === fingerprint();
  }
  const shipped = find(join(SHIM, "prebuilds", `${process.platform}-${process.arch}`));
  return shipped !== undefined && statSync(shipped).mtimeMs >= newestSource();
}

function find(folder) {
  if (!existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((name) => name.endsWith(".node"));
  return file && join(folder, file);
}

function sources() {
  const files = readdirSync(join(SHIM, "src")).sort();
  return [join(SHIM, "binding.gyp"), ...files.map((name) => join(SHIM, "src", name))];
}

function newestSource() {
  return Math.max(...sources().map((path) => statSync(path).mtimeMs));
}

function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}`);
  for (const path of sources()) hash.update(`\0${path.slice(SHIM.length)}\0`).update(readFileSync(path));
  return hash.digest("hex");
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, "utf8"));
  } catch {
    return undefined;
  }
}
