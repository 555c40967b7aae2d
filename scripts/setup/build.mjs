/** dist/ from src/, by the project's own TypeScript. Made beside the old one and swapped in, so nothing stale survives. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT, run, SetupError, say } from "./run.mjs";

const DIST = join(ROOT, "dist");
const FRESH = join(ROOT, ".dist-new");
const OLD = join(ROOT, ".dist-old");
const STAMP = "poplin-setup.json";
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

export const buildStep = {
  due: () => stamped() !== fingerprint(),
  async run() {
    say("compiling TypeScript (src/ to dist/)");
    for (const left of [FRESH, OLD]) rmSync(left, { recursive: true, force: true });
    // Taken before the compiler reads: a file edited meanwhile makes the next run compile again.
    const sources = fingerprint();
    // Without the type check: whether the types fit is for `npm run check` to say, and keeps nobody from running it.
    const result = await run(process.execPath, [TSC, "-p", "tsconfig.json", "--noCheck", "--outDir", FRESH]);
    if (!result.ok) throw new SetupError(`TypeScript does not compile:\n${result.output.trim()}`);
    chmodSync(join(FRESH, "cli/main.js"), 0o755);
    writeFileSync(join(FRESH, STAMP), `${JSON.stringify({ sources })}\n`);
    if (existsSync(DIST)) renameSync(DIST, OLD);
    renameSync(FRESH, DIST);
    rmSync(OLD, { recursive: true, force: true });
  },
};

function stamped() {
  try {
    return JSON.parse(readFileSync(join(DIST, STAMP), "utf8")).sources;
  } catch {
    return undefined;
  }
}

/** Names, sizes and times of everything the compiler reads of ours: an added, changed or deleted file changes it. */
function fingerprint() {
  const hash = createHash("sha256");
  const add = (path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const file of ["tsconfig.json", "package.json"]) add(file);
  const files = readdirSync(join(ROOT, "src"), { recursive: true }).filter((name) => name.endsWith(".ts"));
  for (const file of files.sort()) add(join("src", file));
  return hash.digest("hex");
}
