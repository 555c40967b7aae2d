/**
 * Makes poplin's package and publishes it:
 *
 *   dist/ ─┐
 *   git ───┼─▶ a folder of its own ── npm pack ──▶ tarball ── looked into, installed, run ──▶ npm publish
 *   shims ─┘
 *
 *   npm run release -- [--dry-run] [--out FOLDER]
 *
 * The tarball has the shim for who has no compiler (scripts/release/prebuilds.mjs), and stays in release/. With --dry-run
 * all is done, but npm does not publish. Nothing that it makes belongs into git.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildPrebuilds, TARGETS } from "./release/prebuilds.mjs";
import { inspect, npm, pack, stage, tryOut, versionOf } from "./release/tarball.mjs";
import { fail, gist, ROOT, run, SetupError, say } from "./setup/run.mjs";

const USAGE = "usage: npm run release -- [--dry-run] [--out FOLDER]";

async function main(argv) {
  const { dryRun, out } = parse(argv);
  if (!dryRun) await refuseChanges();
  const built = await run(process.execPath, [join(ROOT, "scripts/setup.mjs"), "--only", "build"]);
  if (!built.ok) throw new SetupError(`dist/ cannot be built:\n${gist(built.output)}`);
  const folder = mkdtempSync(join(tmpdir(), "poplin-stage-"));
  try {
    await stage(folder);
    await buildPrebuilds(join(folder, "native-shims/prebuilds"));
    const tarball = await pack(folder, out);
    inspect(
      tarball,
      TARGETS.map(({ file }) => file),
    );
    await tryOut(tarball, versionOf(folder));
    say(`${tarball.path}: ${tarball.files.length} files, ${tarball.size} bytes`);
    await publish(tarball.path, dryRun);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parse(argv) {
  const options = { dryRun: false, out: join(ROOT, "release") };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--dry-run") options.dryRun = true;
    else if (argv[i] === "--out" && argv[i + 1] !== undefined) options.out = resolve(argv[++i]);
    else throw new SetupError(`I do not understand "${argv[i]}".`, USAGE);
  }
  return options;
}

/** What is published is to be found again: it is a commit. */
async function refuseChanges() {
  const { ok, output } = await run("git", ["status", "--porcelain"]);
  if (ok && output === "") return;
  throw new SetupError(
    "the tree has changes that are in no commit.",
    "Commit them, or look at it with --dry-run.",
  );
}

async function publish(path, dryRun) {
  const { ok, output } = await npm(["publish", ...(dryRun ? ["--dry-run"] : []), path], ROOT);
  if (!ok) throw new SetupError(`npm publish failed:\n${gist(output)}`, "Are you logged in? `npm whoami`.");
  say(dryRun ? "npm would publish it; with --dry-run it does not" : "published");
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  fail(error);
}
