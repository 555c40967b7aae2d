/** The package as npm would publish it: made from what git knows and from what was built, looked into, and tried where nothing is. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { gist, ROOT, run, SetupError, say, which } from "../setup/run.mjs";

/** Has to be in it, beside the shims. */
const WANTED = [
  "package.json",
  "LICENSE",
  "README.md",
  "dist/cli/main.js",
  "native-shims/binding.gyp",
  "scripts/install.mjs",
  "deploy/systemd/poplin-agent.service",
  "deploy/kubernetes/kube-poplin.yml",
  "examples/node-a.yaml",
];
/** Has no business in it: tests, benches, captures, results of builds on this machine, the plugin with Node in it. */
const UNWANTED =
  /^(test|bench|node_modules|\.)|\.p?cap(ng)?$|\.log$|^native-shims\/build\/|^dist\/cni\/flannel(\.json)?$/;
/** Bytes of the tarball: twice what it has now. */
const MOST_BYTES = 3_000_000;

/** Copies to an empty folder what npm may pack: files that git knows, and dist/. @throws SetupError */
export async function stage(folder) {
  const listed = await run("git", ["ls-files", "-z"]);
  if (!listed.ok)
    throw new SetupError("git cannot say which files are the project's.", "Release from a clone.");
  for (const file of listed.output.split("\0").filter((name) => name !== "")) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  cpSync(join(ROOT, "dist"), join(folder, "dist"), {
    recursive: true,
    filter: (path) => !path.endsWith("/dist/cni/flannel"),
  });
}

/** @param out where the tarball goes @returns {Promise<{ path: string, files: string[], size: number }>} @throws SetupError */
export async function pack(folder, out) {
  mkdirSync(out, { recursive: true });
  const words = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", out];
  const { ok, output } = await npm(words, folder);
  if (!ok) throw new SetupError(`npm pack failed:\n${gist(output)}`);
  const packed = JSON.parse(output);
  const { filename, files } = Object.values(packed)[0];
  const path = join(out, filename);
  return { path, files: files.map((file) => file.path), size: statSync(path).size };
}

/** @param shims paths below native-shims/prebuilds @throws SetupError with all that is wrong */
export function inspect({ files, size }, shims) {
  const wanted = [...WANTED, ...shims.map((file) => `native-shims/prebuilds/${file}`)];
  const wrong = [
    ...wanted.filter((path) => !files.includes(path)).map((path) => `${path} is missing`),
    ...files.filter((path) => UNWANTED.test(path)).map((path) => `${path} does not belong in it`),
    ...(size > MOST_BYTES ? [`it has ${size} bytes, and ${MOST_BYTES} is the most`] : []),
  ];
  if (wrong.length === 0) return;
  throw new SetupError(
    `the tarball is not as it should be:\n${wrong.map((line) => `        ${line}`).join("\n")}`,
    '"files" in package.json says what is packed, scripts/release/tarball.mjs what is expected.',
  );
}

/** Installs the tarball as somebody without a compiler does, and runs it. @throws SetupError */
export async function tryOut({ path }, version) {
  say("installing the tarball in an empty folder");
  const folder = mkdtempSync(join(tmpdir(), "poplin-release-"));
  try {
    writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}\n');
    const installed = await npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", path], folder);
    if (!installed.ok) throw new SetupError(`the tarball cannot be installed:\n${gist(installed.output)}`);
    // A PATH with Node and nothing else: no compiler could be found.
    const options = { cwd: folder, env: { ...process.env, PATH: dirname(process.execPath) } };
    const said = await run(process.execPath, ["node_modules/.bin/poplin", "--version"], options);
    if (said.output.trim() !== `poplin ${version}`)
      throw new SetupError(`poplin --version says: ${said.output}`);
    // A system call through the shim, which has come with the tarball.
    const script =
      'import { loadShim } from "poplin/io/linux"; const shim = loadShim(); shim.close(shim.eventOpen());';
    const loaded = await run(process.execPath, ["--input-type=module", "--eval", script], options);
    if (!loaded.ok) throw new SetupError(`the shim that came with it does not work:\n${gist(loaded.output)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param words of npm's @param cwd where */
export async function npm(words, cwd) {
  const path = which("npm");
  if (path === undefined)
    throw new SetupError("npm is not in PATH.", "It comes with Node: https://nodejs.org");
  // `npm run release --dry-run` would have npm pass its own configuration on to the npm in here.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_(dry_run|ignore_scripts|json)$/i.test(name)),
  );
  return run(path, words, {
    cwd,
    env: { ...env, PATH: [dirname(process.execPath), env.PATH].join(delimiter) },
  });
}

/** @returns the version that package.json says */
export function versionOf(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}
