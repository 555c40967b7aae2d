/** Nodes that poplin runs and pods that CNI plugins make, both ways: they reach each other through the overlay. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { CniRuntime } from "../../../src/lab/cni.ts";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import type { Host } from "../../../src/lab/host.ts";
import { ROOT } from "../../helpers/imports.ts";
import { cniExecutable, cniPlugins, describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { allKnown, DirectoryLab, DUAL } from "../flannel/cluster.ts";
import { PLUGINS } from "./stage.ts";

let cluster: DirectoryLab | undefined;
afterEach(() => cluster?.destroy());

/** A runtime for pods of a node, which keeps what it keeps in the lab's directory. */
function runtimeOf(node: FlannelNode, list: { plugins: Record<string, unknown>[] }): CniRuntime {
  const file = (name: string): string => cluster!.lab.file(`${node.host.name}-${name}`);
  const [first] = list.plugins;
  first!.ipam = { ...(first!.ipam as object), dataDir: file("host-local") };
  writeFileSync(file("run.conflist"), JSON.stringify(list));
  mkdirSync(file("bin"));
  symlinkSync(join(ROOT, "dist/cni/flannel"), join(file("bin"), "flannel"));
  return new CniRuntime(node.host, {
    conf: file("run.conflist"),
    bin: [file("bin"), PLUGINS],
    cache: file("results"),
  });
}

/** kube-flannel's, with directories of the lab's. */
function flannelConflist(node: FlannelNode) {
  const dataDir = cluster!.lab.file(`${node.host.name}-flannel`);
  const delegate = { hairpinMode: true, isDefaultGateway: true };
  const flannel = { type: "flannel", subnetFile: node.subnetFile, dataDir, delegate };
  return { name: "cbr0", cniVersion: "0.3.1", plugins: [flannel] };
}

async function ping(from: Host, address: string): Promise<boolean> {
  const words = ["-n", "-c", "3", "-i", "0.1", "-W", "2", address];
  return (await from.exec("ping", words, { check: false })).status === 0;
}

const NEEDS = [lab(), cniPlugins(), cniExecutable(), tool("ping"), tool("iptables")];

describeWith(NEEDS, "poplin flanneld --write-cni-conf", () => {
  it("sets up pods by its file on one node, by flannel's plugin on the other; cleanup removes the file", async () => {
    cluster = new DirectoryLab(DUAL);
    const conf = cluster.lab.file("net.d/10-poplin.conflist");
    const a = cluster.node("node-a", ["--ip-masq", "--write-cni-conf", conf]);
    const b = cluster.node("node-b");
    for (const node of [a, b]) node.launch();
    await Promise.all([a.ready(), b.ready()]);
    await until("both are set up", () => existsSync(conf) && existsSync(b.subnetFile), 20_000);
    await allKnown([a, b]);

    const [first, second] = [cluster.lab.addHost("first"), cluster.lab.addHost("second")];
    const runtimes = [runtimeOf(a, JSON.parse(readFileSync(conf, "utf8"))), runtimeOf(b, flannelConflist(b))];
    const [one, other] = [await runtimes[0]!.add(first), await runtimes[1]!.add(second)];
    expect(one.ips).toHaveLength(2);
    for (const { address } of other.ips!) {
      expect([address, await ping(first, address.split("/")[0]!)]).toEqual([address, true]);
    }
    for (const { address } of one.ips!) {
      expect([address, await ping(second, address.split("/")[0]!)]).toEqual([address, true]);
    }
    await runtimes[0]!.del(first);
    await runtimes[1]!.del(second);

    await a.stop();
    expect(existsSync(conf)).toBe(true);
    const text = readFileSync(conf, "utf8");
    const cleanUp = async (): Promise<string> =>
      (await a.poplin(["cleanup", "--subnet-file", a.subnetFile, "--cni-conf", conf])).stdout;
    expect(await cleanUp()).toContain(conf);
    expect([existsSync(conf), existsSync(a.subnetFile)]).toEqual([false, false]);
    // Also where an earlier cleanup, which was not told of it, has left nothing else.
    writeFileSync(conf, text);
    expect(await cleanUp()).toContain(`removed ${conf}`);
    expect(existsSync(conf)).toBe(false);
  });
});
