/** scripts/release/: what a tarball may have in it. The release itself is tried in release.full.test.ts. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";

const RIGHT = [
  ...["package.json", "LICENSE", "README.md", "dist/cli/main.js", "native-shims/binding.gyp"],
  ...["scripts/install.mjs", "deploy/systemd/poplin-agent.service", "deploy/kubernetes/kube-poplin.yml"],
  ...["examples/node-a.yaml", "native-shims/prebuilds/linux-x64/poplin_shim.glibc.node"],
];

async function inspect(files: readonly string[], size = 1000): Promise<string> {
  // By a path that TypeScript does not follow: the scripts have no types.
  const { inspect } = await import(join(ROOT, "scripts/release/tarball.mjs"));
  try {
    inspect({ files, size }, ["linux-x64/poplin_shim.glibc.node"]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

it("takes a tarball with what has to be in it", async () => {
  expect(await inspect(RIGHT)).toBe("");
});

it.each([
  "test/cli/main.test.ts",
  "docs/study.pcapng",
  "examples/a.pcap",
  "native-shims/build/Release/poplin_shim.node",
  "dist/cni/flannel",
  ".git/config",
])("refuses one with %s", async (path) => {
  expect(await inspect([...RIGHT, path])).toContain(`${path} does not belong in it`);
});

it("refuses one without a shim, and one that is too large, and says both", async () => {
  const said = await inspect(RIGHT.slice(0, -1), 1e9);
  expect(said).toContain("native-shims/prebuilds/linux-x64/poplin_shim.glibc.node is missing");
  expect(said).toContain("1000000000 bytes");
});

it("says what it understands", () => {
  const script = join(ROOT, "scripts/release.mjs");
  const { status, stderr } = spawnSync(process.execPath, [script, "--dry"], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain("npm run release -- [--dry-run] [--out FOLDER]");
});
