/** The lock that all who change the rules of iptables take, in the old variant of the program. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IptablesFirewall } from "../../src/host/firewall/iptables.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { FirewallStage, ONLY4 } from "./firewall-stage.ts";

let stage: FirewallStage;

describeWith([namespaces(), tool("iptables-legacy"), tool("flock")], "the lock of iptables", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-lock-"));
  const lock = join(folder, "xtables.lock");
  beforeAll(() => {
    stage = new FirewallStage("legacy");
    process.env.XTABLES_LOCKFILE = lock;
  });
  afterAll(() => {
    delete process.env.XTABLES_LOCKFILE;
    stage.remove();
    rmSync(folder, { recursive: true });
  });

  it("is waited for, and who holds it for too long is named in words", async () => {
    // Holds the lock until there is a call, and for a while after.
    const until = `until [ -e "$1/called" ]; do sleep 0.05; done; sleep 0.5; touch "$1/released"`;
    const held = `flock "$1/xtables.lock" sh -c '${until}' sh "$1" & exec true`;
    execFileSync("sh", ["-c", held, "sh", folder], { stdio: "ignore" });
    execFileSync("sh", ["-c", `while flock -n ${lock} true; do sleep 0.05; done`], { timeout: 60_000 });
    const real = `ip netns exec ${stage.netns} iptables-legacy`;
    stage.programs.stand("iptables", `touch ${folder}/called; exec ${real} "$@"`);
    expect(await new IptablesFirewall(ONLY4).ensure()).toHaveLength(1);

    stage.programs.stand("iptables", `shift 2; flock ${lock} ${real} --wait 1 "$@"`);
    await expect(new IptablesFirewall(ONLY4).ensure()).rejects.toMatchObject({
      code: "HOST_FIREWALL",
      message: expect.stringContaining("another program holds the lock of iptables"),
      remedy: "`fuser -v /run/xtables.lock` shows which one",
    });
  });
});
