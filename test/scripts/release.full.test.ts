/** The release as it is made, up to the moment when npm would publish it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";
import { describeWith, tool } from "../helpers/needs.ts";

const NEEDS = ["git", "npm", "readelf", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"].map(tool);

describeWith(NEEDS, "npm run release -- --dry-run", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-released-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("makes a tarball that is installed and run without a compiler", { timeout: 300_000 }, () => {
    const words = [join(ROOT, "scripts/release.mjs"), "--dry-run", "--out", folder];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(stderr).toContain("npm would publish it");
    expect(status).toBe(0);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^poplin-[\d.]+\.tgz$/)]);
  });

  it("has shims for two processors, with nothing in them but what a Node there has", () => {
    const [name] = readdirSync(folder);
    execFileSync("tar", ["-xzf", join(folder, name!), "-C", folder]);
    const prebuilds = join(folder, "package/native-shims/prebuilds");
    expect(readdirSync(prebuilds).sort()).toEqual(["linux-arm64", "linux-x64"]);
    for (const [platform, machine] of [
      ["linux-arm64", "AArch64"],
      ["linux-x64", "Advanced Micro Devices X86-64"],
    ] as const) {
      const file = join(prebuilds, platform, "poplin_shim.glibc.node");
      const said = execFileSync("readelf", ["-W", "-h", "--dyn-syms", file], { encoding: "utf8" });
      expect(said).toMatch(new RegExp(`Machine: +${machine}`));
      // The C library's symbols have versions; what else it needs is Node's.
      const needed = [...said.matchAll(/ UND (\w+)(?: |$)/gm)].map(([, symbol]) => symbol!);
      expect(needed.length).toBeGreaterThan(10);
      const strange = needed.filter(
        (symbol) => !/^(napi_|uv_|_ITM_|__gmon_start__|__cxa_finalize)/.test(symbol),
      );
      expect(strange).toEqual([]);
    }
  });
});
