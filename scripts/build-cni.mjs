/**
 * dist/cni/flannel: the CNI plugin as one executable that needs no Node on its host. It is this Node's own executable,
 * with the plugin's bundle in a note beside its code (Node's single executable applications).
 *
 *   src/cni/main.ts ── rolldown ──▶ one CommonJS file ── node ──▶ blob ── postject ──▶ copy of node, stripped
 *
 * No start-up snapshot: with one the executable is larger and starts a millisecond or two later, since what the plugin
 * has to evaluate is little (docs/cni.md). Nothing is done where the executable is up to date.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fail, ROOT, run, SetupError, say, which } from "./setup/run.mjs";

const PLACE = join(ROOT, "dist/cni");
const PLUGIN = join(PLACE, "flannel");
const STAMP = join(PLACE, "flannel.json");
/** What Node looks for in its own file: whether there is a blob. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

try {
  mkdirSync(PLACE, { recursive: true });
  // Beside its place, so that the executable is moved there whole.
  const folder = mkdtempSync(join(PLACE, ".build-"));
  try {
    const stamp = `${JSON.stringify({ bundle: await bundle(folder), node: process.version })}\n`;
    if (!existsSync(PLUGIN) || !existsSync(STAMP) || readFileSync(STAMP, "utf8") !== stamp) {
      say("building the CNI plugin (dist/cni/flannel)");
      await build(folder);
      writeFileSync(STAMP, stamp);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  fail(error);
}

/** @returns its hash */
async function bundle(folder) {
  // Imported only now, so that a set-up that has failed is what one hears of.
  const { rolldown } = await import("rolldown");
  const bundled = await rolldown({
    cwd: ROOT,
    input: join(ROOT, "src/cni/main.ts"),
    platform: "node",
    treeshake: { moduleSideEffects: false },
  });
  await bundled.write({ file: join(folder, "flannel.cjs"), format: "cjs", minify: true });
  await bundled.close();
  return createHash("sha256")
    .update(readFileSync(join(folder, "flannel.cjs")))
    .digest("hex");
}

async function build(folder) {
  const file = (name) => join(folder, name);
  const sea = {
    main: file("flannel.cjs"),
    output: file("blob"),
    useCodeCache: true,
    disableExperimentalSEAWarning: true,
  };
  writeFileSync(file("sea.json"), JSON.stringify(sea));
  await tool("Node cannot make a blob", process.execPath, ["--experimental-sea-config", file("sea.json")]);
  copyFileSync(process.execPath, file("flannel"));
  // Before the blob, which strip does not know. Without binutils the executable is some 12 MB larger.
  if (which("strip")) await tool("strip failed", "strip", [file("flannel")]);
  const postject = join(ROOT, "node_modules/postject/dist/cli.js");
  const words = [file("flannel"), "NODE_SEA_BLOB", file("blob"), "--sentinel-fuse", FUSE];
  await tool("postject failed", process.execPath, [postject, ...words]);
  renameSync(file("flannel"), PLUGIN);
}

async function tool(what, command, args) {
  const { ok, output } = await run(command, args);
  if (!ok)
    throw new SetupError(
      `${what}:\n${output.trim()}`,
      "Node as nodejs.org has it can do it; a Node whose code is in a shared library (libnode.so) cannot.",
    );
}
