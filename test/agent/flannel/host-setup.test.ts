import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FamilyNode } from "../../../src/agent/flannel/config.ts";
import { HostSetup } from "../../../src/agent/flannel/host-setup.ts";
import { Log } from "../../../src/agent/log.ts";
import { until } from "../../contract/heard.ts";

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
function make(subnetFile: string, resync = 0.02): { lines: string[] } {
  const lines: string[] = [];
  const log = new Log("info", (line) => lines.push(line.replace(/^\S+ /, "").trimEnd()));
  const flags = { masquerade: true, randomFully: true, forwardRules: true, blackhole: false };
  const former = { subnets: null, networks: [] };
  setup = new HostSetup({ subnetFile, resync, ...flags }, [FAMILY], "iptables", former, log);
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
