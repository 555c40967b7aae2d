/**
 * The poplin of another commit, beside this one: a git worktree of it in a temporary folder, built there, and gone in
 * every outcome. After a `kill -9` the next comparison removes what is left.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { ROOT } from "./beds/poplin.mjs";
import { undoing } from "./cli/cleanup.mjs";
import { UsageError } from "./cli/options.mjs";

const FOLDER = /^poplin-compare-(\d+)-/;

/** @param work called with the other poplin's configuration, `{ name, root, args, lenient, commit }`; null without */
export async function withOther({ compare, poplinArgs }, progress, work) {
  if (compare === null) return work(null);
  const commit = resolve(compare);
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `poplin-compare-${process.pid}-`));
  const root = join(folder, "tree");
  const builder = { child: null };
  const undo = () => {
    builder.child?.kill("SIGTERM");
    remove(root);
  };
  return undoing(undo, async () => {
    progress.begin(`checking out ${compare}`);
    git("worktree", "add", "--detach", root, commit);
    progress.begin(`building ${compare}`);
    await build(root, builder);
    return work({ name: `poplin@${compare}`, root, args: poplinArgs, lenient: true, commit });
  });
}

function resolve(ref) {
  try {
    return git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`).trim();
  } catch {
    throw new UsageError(`--compare: git knows no commit "${ref}" here`);
  }
}

/** Set-up as that commit has it, with our dependencies where it wants the same. */
async function build(root, builder) {
  if (!existsSync(join(root, "scripts/setup.mjs")))
    throw new UsageError("--compare: that commit has no set-up");
  const lock = (tree) => readFileSync(join(tree, "package-lock.json"), "utf8");
  // A copy, and no link: its set-up may install into it.
  if (lock(root) === lock(ROOT)) cpSync(join(ROOT, "node_modules"), join(root, "node_modules"), COPY);
  const child = spawn(process.execPath, ["scripts/setup.mjs"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  builder.child = child;
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (said += text));
  const code = await new Promise((done) => child.on("close", done));
  builder.child = null;
  if (code !== 0) throw new Error(`set-up of the other commit failed\n${said.trim()}`);
}

const COPY = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true };

function remove(root) {
  try {
    git("worktree", "remove", "--force", root);
  } catch {
    // it was not made, or only in part
  }
  rmSync(dirname(root), { recursive: true, force: true });
  git("worktree", "prune");
}

/** Worktrees of comparisons whose process has ended. */
function sweep() {
  for (const line of git("worktree", "list", "--porcelain").split("\n")) {
    const root = line.startsWith("worktree ") ? line.slice("worktree ".length) : "";
    const [, pid] = FOLDER.exec(basename(dirname(root))) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) remove(root);
  }
}

function git(...args) {
  return execFileSync("git", ["-C", ROOT, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
