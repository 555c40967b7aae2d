/**
 * dist/ from src/: the modules by rolldown, their declarations by TypeScript. Made beside the old one and swapped in, so
 * nothing stale survives. The page (`src/web/`) is built by vite.
 *
 * Module by module, as they are, with one change that TypeScript does not make: the value of an imported constant stands
 * where its name did. V8 looks the value of an import up at every use, for it might not be there yet; in the hot path,
 * which names every offset and word, that was a quarter of its time (`bench/NOTES.md`).
 */
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

const SRC = join(ROOT, "src");
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
    await declarations();
    await modules();
    await page();
    chmodSync(join(FRESH, "cli/main.js"), 0o755);
    writeFileSync(join(FRESH, STAMP), `${JSON.stringify({ sources })}\n`);
    if (existsSync(DIST)) renameSync(DIST, OLD);
    renameSync(FRESH, DIST);
    rmSync(OLD, { recursive: true, force: true });
  },
};

async function modules() {
  const problems = [];
  try {
    // Imported only now: it may have been installed a moment ago.
    const { rolldown } = await import("rolldown");
    const bundle = await rolldown({
      cwd: ROOT,
      input: sourceFiles().map((name) => join(SRC, name)),
      platform: "neutral",
      external: (id) => !/^[./]/.test(id),
      optimization: { inlineConst: { mode: "all", pass: 3 } },
      treeshake: { moduleSideEffects: true },
      preserveEntrySignatures: "strict",
      onLog: (_level, { message }) => problems.push(message),
    });
    const layout = { preserveModules: true, preserveModulesRoot: SRC, entryFileNames: "[name].js" };
    await bundle.write({ dir: FRESH, format: "esm", minify: false, sourcemap: true, ...layout });
    await bundle.close();
  } catch (error) {
    problems.push(error.message);
  }
  if (problems.length > 0) throw new SetupError(`src/ does not compile:\n${problems.join("\n")}`);
}

/** The page of `src/web/`, one file that needs nothing else. In its own folder, which nothing of `dist/` imports. */
async function page() {
  try {
    const { build } = await import("vite");
    const outDir = join(FRESH, "web");
    await build({ configFile: join(SRC, "web/vite.config.ts"), logLevel: "silent", build: { outDir } });
  } catch (error) {
    throw new SetupError(`the page does not compile:\n${error.message}`);
  }
}

async function declarations() {
  // Without the type check: whether the types fit is for `npm run check` to say, and keeps nobody from running it.
  const words = ["-p", "tsconfig.json", "--noCheck", "--emitDeclarationOnly", "--outDir", FRESH];
  const result = await run(process.execPath, [TSC, ...words]);
  if (!result.ok) throw new SetupError(`TypeScript does not compile:\n${result.output.trim()}`);
}

function sourceFiles() {
  return readdirSync(SRC, { recursive: true }).filter(
    (name) => name.endsWith(".ts") && !name.startsWith("web/"),
  );
}

function stamped() {
  try {
    return JSON.parse(readFileSync(join(DIST, STAMP), "utf8")).sources;
  } catch {
    return undefined;
  }
}

/** Names, sizes and times of everything the compilers read of ours: an added, changed or deleted file changes it. */
function fingerprint() {
  const hash = createHash("sha256");
  const add = (path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const file of ["tsconfig.json", "package.json", "scripts/setup/build.mjs"]) add(file);
  const page = readdirSync(join(SRC, "web")).map((name) => `web/${name}`);
  for (const file of [...sourceFiles(), ...page].sort()) add(join("src", file));
  return hash.digest("hex");
}
