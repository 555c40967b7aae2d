import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeCniConf } from "../../../src/agent/flannel/cni-conf.ts";
import type { FamilyNode } from "../../../src/agent/flannel/config.ts";
import { HostSetup } from "../../../src/agent/flannel/host-setup.ts";
import { Log } from "../../../src/agent/log.ts";
import { until } from "../../helpers/until.ts";

const FAMILY: FamilyNode = {
  ...{ family: 4, network: "10.244.0.0/16", subnet: "10.244.1.0/24" },
  ...{ local: "192.0.2.1", vtepMac: "02:00:00:00:00:01" },
};
const TEXT =
  "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

let folder: string;
let setup: HostSetup;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poplin-host-"));
});
afterEach(async () => {
  setup.close();
  await rm(folder, { recursive: true, force: true });
});

/** @param resync seconds */
function make(subnetFile: string, { resync = 0.02, cniConf = "" } = {}): { lines: string[] } {
  const lines: string[] = [];
  const log = new Log("info", (line) => lines.push(line.replace(/^\S+ /, "").trimEnd()));
  const flags = { masquerade: true, randomFully: true, forwardRules: true, blackhole: false };
  const former = { subnets: null, networks: [] };
  setup = new HostSetup({ subnetFile, cniConf, resync, ...flags }, [FAMILY], "iptables", former, log);
  return { lines };
}

describe("subnet.env", () => {
  it("is there before the node is ready, and comes back where somebody removes it", async () => {
    const path = join(folder, "subnet.env");
    const { lines } = make(path);
    expect(setup.subnetFileTrouble).toMatch(/when the node forwards/);
    await setup.keepSubnetFile(1450);
    expect([await readFile(path, "utf8"), setup.subnetFileTrouble]).toEqual([TEXT, null]);
    await rm(path);
    await until("it is back", async () => (await readFile(path, "utf8").catch(() => "")) === TEXT);
    await until("that is told", () => lines.includes(`warn  ${path} written`));
  });

  it("that cannot be written keeps the node from being ready, until it can be", async () => {
    await writeFile(join(folder, "file"), "");
    const { lines } = make(join(folder, "file", "subnet.env"));
    await setup.keepSubnetFile(1450);
    expect(setup.subnetFileTrouble).toMatch(/cannot be written/);
    expect(lines[0]).toMatch(/^error subnet\.env, .*not in place: .*cannot be written/);
    await rm(join(folder, "file"));
    await until("it is ready", () => setup.subnetFileTrouble === null);
  });
});

describe("the container runtimes' configuration", () => {
  let cniConf: string;
  let lines: string[];
  beforeEach(async () => {
    cniConf = join(folder, "net.d", "10-poplin.conflist");
    ({ lines } = make(join(folder, "subnet.env"), { cniConf }));
    await setup.keepSubnetFile(1450);
  });
  const text = () => readFile(cniConf, "utf8").catch(() => "");
  const errors = () => lines.filter((line) => line.startsWith("error"));

  it("is written beside subnet.env, readable for all, and says what flannel's plugin would delegate", async () => {
    expect(JSON.parse(await text())).toMatchObject({
      name: "cbr0",
      plugins: [
        {
          type: "bridge",
          mtu: 1450,
          ipMasq: false,
          ipam: { ranges: [[{ subnet: "10.244.1.0/24" }]], routes: [{ dst: "10.244.0.0/16" }] },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    });
    expect(((await stat(cniConf)).mode & 0o777).toString(8)).toBe("644");
    expect(lines).toContain(`info  ${cniConf} written`);
  });

  it("is another one where the MTU is another; and comes back where somebody removes or changes it", async () => {
    const before = await text();
    setup.close();
    ({ lines } = make(join(folder, "subnet.env"), { cniConf }));
    await setup.keepSubnetFile(1430);
    const after = await text();
    expect(after).toBe(before.replace('"mtu": 1450', '"mtu": 1430'));
    await rm(cniConf);
    await until("it is back", async () => (await text()) === after);
    await writeFile(cniConf, after.replace("1430", "9000"));
    await until("it is right again", async () => (await text()) === after);
  });

  it("is left alone where it is somebody else's, which is said once; and written once that one is gone", async () => {
    const theirs = (await text()).replace(/^ {2}"poplin".*\n/m, "");
    await writeFile(cniConf, theirs);
    await until("the complaint", () => errors().length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(errors()).toEqual([
      expect.stringMatching(
        /10-poplin\.conflist is not poplin's, and is left as it is; remove it, or choose/,
      ),
    ]);
    expect(await text()).toBe(theirs);
    expect(await removeCniConf(cniConf)).toBe(false);
    await rm(cniConf);
    await until("it is ours", async () => /"poplin"/.test(await text()));
    setup.close();
    expect([await removeCniConf(cniConf), await text(), await removeCniConf(cniConf)]).toEqual([
      true,
      "",
      false,
    ]);
  });
});
