/**
 * The native shim, compiled for those who have no compiler: native-shims/prebuilds/<platform>-<arch>/, under names by which
 * node-gyp-build finds the one for its C library. The shim speaks Node-API, and libuv's part of it that is as stable, so each
 * serves every Node version, and the headers of the Node that runs this do for all. Sources and flags are those of binding.gyp.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gist, headers, ROOT, run, SetupError, say, which } from "../setup/run.mjs";

const SHIM = join(ROOT, "native-shims");

/** Who has an older one than this compiles the shim: it is the C library of RHEL 8, below which Node 20 does not run. */
const OLDEST_GLIBC = [2, 28];

/** With glibc. On musl the shim compiles where Linux' headers are made for it (Alpine), so there it is built on installation. */
export const TARGETS = [
  {
    file: "linux-x64/poplin_shim.glibc.node",
    compiler: "x86_64-linux-gnu-gcc",
    flags: ["-m64"],
    package: "build-essential",
    machine: "X86-64",
  },
  {
    file: "linux-arm64/poplin_shim.glibc.node",
    compiler: "aarch64-linux-gnu-gcc",
    flags: [],
    package: "gcc-aarch64-linux-gnu",
    machine: "AArch64",
  },
];

/** Compiles all of them, and looks at what came out. @param prebuilds the folder @throws SetupError */
export async function buildPrebuilds(prebuilds) {
  const missing = TARGETS.filter(({ compiler }) => which(compiler) === undefined);
  if (which("readelf") === undefined) missing.push({ compiler: "readelf", package: "binutils" });
  if (missing.length > 0) {
    throw new SetupError(
      `missing: ${missing.map(({ compiler }) => compiler).join(", ")}`,
      `Debian's packages: apt-get install ${missing.map((target) => target.package).join(" ")}`,
    );
  }
  for (const target of TARGETS) {
    say(`compiling the shim: ${target.file}`);
    const path = join(prebuilds, target.file);
    mkdirSync(dirname(path), { recursive: true });
    await compile(target, path);
    await check(target, path);
  }
}

async function compile({ compiler, flags }, path) {
  const [target] = JSON.parse(readFileSync(join(SHIM, "binding.gyp"), "utf8")).targets;
  const nodedir = headers();
  if (nodedir === undefined) {
    throw new SetupError(
      "this Node has no headers beside it.",
      "Node as nodejs.org has it does: release with that one.",
    );
  }
  const defines = [
    ...target.defines,
    `NODE_GYP_MODULE_NAME=${target.target_name}`,
    "BUILDING_NODE_EXTENSION",
  ];
  const words = [
    ...["-shared", "-fPIC", "-pthread", "-s", ...flags, ...target.cflags, ...target.cflags_c],
    ...defines.map((define) => `-D${define}`),
    ...["-isystem", join(nodedir, "include/node")],
    ...target.sources.map((source) => join(SHIM, source)),
    ...["-o", path],
  ];
  const { ok, output } = await run(compiler, words);
  if (!ok) throw new SetupError(`${compiler} failed:\n${gist(output, 15)}`);
}

/** Holds a library to what it is to run with, as far as its file says. @throws SetupError */
async function check({ file, machine }, path) {
  const { ok, output } = await run("readelf", ["--wide", "--file-header", "--dynamic", "--dyn-syms", path]);
  const complain = (what) => {
    throw new SetupError(`${file} ${what}`, "See what the compiler made of it: readelf -a.");
  };
  if (!ok) complain("cannot be read");
  if (!/Machine:.*/.exec(output)?.[0].includes(machine)) complain(`is not for ${machine}`);
  const symbols = symbolsOf(output);
  // What Node looks for: without a constructor that registers it, a module is known by this name.
  if (!symbols.some(({ name, defined }) => defined && name.startsWith("napi_register_module_v"))) {
    complain("is no module of Node-API's");
  }
  const libraries = [...output.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  const foreign = libraries.filter((name) => !/^(libc\.so\.6|libpthread\.so\.0|ld-linux.*)$/.test(name));
  if (foreign.length > 0) complain(`needs ${foreign.join(", ")}`);
  const late = symbols.filter(({ glibc }) => glibc !== undefined && isNewer(glibc, OLDEST_GLIBC));
  if (late.length > 0) {
    complain(
      `needs a newer C library than ${OLDEST_GLIBC.join(".")}: ${late.map(({ name }) => name).join(", ")}`,
    );
  }
}

/** @returns {{ name: string, defined: boolean, glibc: number[] | undefined }[]} */
function symbolsOf(output) {
  const rows = [...output.matchAll(/^ *\d+: .* (\S+) ([\w.]+)(?:@+(?:GLIBC_([\d.]+))?\S*)?(?: \(\d+\))?$/gm)];
  return rows.map(([, section, name, glibc]) => ({
    name,
    defined: section !== "UND",
    glibc: glibc?.split(".").map(Number),
  }));
}

function isNewer([major, minor = 0], [oldestMajor, oldestMinor]) {
  return major > oldestMajor || (major === oldestMajor && minor > oldestMinor);
}
