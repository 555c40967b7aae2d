/**
 * The units of systemd as far as they can be checked without one that runs: its own analysers, and what agents really do.
 * One that runs is in `test/netns/systemd/`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { describeWith, tool } from "../helpers/needs.ts";

const UNITS = fileURLToPath(new URL("../../deploy/systemd/", import.meta.url));
const SERVICES = readdirSync(UNITS).filter((name) => name.endsWith(".service"));

/** Tenths: what `systemd-analyze security` may call the exposure at most. The kernel's network is what these are for. */
const EXPOSURE = 25;

/** A unit's settings, "Name=value". */
function settings(unit: string): string[] {
  const lines = readFileSync(join(UNITS, unit), "utf8").split("\n");
  return lines.filter((line) => /^[A-Z]\w*=/.test(line));
}

describe("the units of agent and flannel node", () => {
  it("are sandboxed in the same way", () => {
    const [agent, node] = ["poplin-agent.service", "poplin-flanneld.service"].map((unit) => {
      const all = settings(unit);
      return all.slice(all.findIndex((line) => line.startsWith("AmbientCapabilities=")));
    });
    expect(agent!.length).toBeGreaterThan(20);
    expect(node).toEqual(agent);
  });

  it("start it again however often it fails", () => {
    for (const unit of ["poplin-agent.service", "poplin-flanneld.service"])
      expect(settings(unit)).toEqual(expect.arrayContaining(["Restart=always", "StartLimitIntervalSec=0"]));
  });

  it("leave on what V8 and the TAP need", () => {
    for (const unit of ["poplin-agent.service", "poplin-flanneld.service"]) {
      const all = settings(unit).join("\n");
      expect(all).not.toMatch(/MemoryDenyWriteExecute|PrivateDevices|PrivateNetwork|PrivateUsers/);
      expect(all).toContain("DeviceAllow=/dev/net/tun rw");
    }
  });
});

describeWith([tool("systemd-analyze")], "systemd", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-units-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  for (const unit of SERVICES) {
    it(`finds no mistake in ${unit}`, () => {
      // It looks whether what is started is there.
      for (const name of SERVICES) {
        const text = readFileSync(join(UNITS, name), "utf8");
        writeFileSync(join(folder, name), text.replaceAll("/usr/local/bin/poplin", "/bin/true"));
      }
      const verify = ["verify", "--man=no", "--recursive-errors=yes", join(folder, unit)];
      const { status, stderr } = spawnSync("systemd-analyze", verify, { encoding: "utf8" });
      expect(stderr.split("\n").filter((line) => line.includes("poplin"))).toEqual([]);
      expect(status).toBe(0);
    });

    it(`calls the exposure of ${unit} ${EXPOSURE / 10} of 10 at most`, () => {
      const words = [
        "security",
        "--offline=true",
        `--threshold=${EXPOSURE}`,
        "--no-pager",
        join(UNITS, unit),
      ];
      const said = execFileSync("systemd-analyze", words, { encoding: "utf8" });
      expect(said).toMatch(/Overall exposure level for .*: \d\.\d OK/);
    });
  }
});
