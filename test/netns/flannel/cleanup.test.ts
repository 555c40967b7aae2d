/** What is left of a node of a flannel cluster when it has stopped, and after `poplin cleanup`. */
import { existsSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { DirectoryLab, keyOf, NET_CONF } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

const DIRECT = { ...NET_CONF, Backend: { Type: "vxlan", DirectRouting: true } };

async function rules(node: FlannelNode): Promise<string[]> {
  const tables = await Promise.all(
    ["nat", "filter"].map((table) => node.host.exec("iptables-save", ["-t", table])),
  );
  return tables.flatMap(({ stdout }) => stdout.split("\n").filter((line) => /FLANNEL|flanneld/.test(line)));
}

async function routes(node: FlannelNode): Promise<string> {
  return (await node.host.exec("ip", ["route", "show"])).stdout;
}

describeWith([lab(), tool("ping"), tool("iptables")], "poplin cleanup after a flannel node", () => {
  it("takes away device, rules, routes past the overlay, blackhole and subnet.env, and says so; once", async () => {
    cluster = new DirectoryLab(DIRECT);
    const nodes = ["node-a", "node-b"].map((name) =>
      cluster.node(name, ["--ip-masq", "--ip-blackhole-route"]),
    );
    await Promise.all(nodes.map((node) => node.start()));
    const [a, b] = nodes as [FlannelNode, FlannelNode];
    const subnet = keyOf(b).replace("-", "/");
    const direct = new RegExp(`^${subnet} via ${b.plan.address} dev eth0`, "m");
    await until("the direct route", async () => direct.test(await routes(a)));

    await a.stop();
    // As with flanneld, everything stays.
    expect(await rules(a)).not.toEqual([]);
    expect(await routes(a)).toMatch(direct);
    expect(await routes(a)).toMatch(/^blackhole 10\.244\./m);

    const words = ["cleanup", "--subnet-file", a.subnetFile];
    const { stdout } = await a.poplin(words);
    for (const said of [
      /^removed flannel\.1 /m,
      /FLANNEL-POSTRTG|iptables/,
      new RegExp(`${subnet} dev eth0`),
      /blackhole/,
      /\.env$/m,
    ])
      expect(stdout).toMatch(said);
    expect(await rules(a)).toEqual([]);
    expect(await routes(a)).not.toMatch(/10\.244\.[0-9.]+\/24 via|blackhole/);
    expect(existsSync(a.subnetFile)).toBe(false);
    expect((await a.poplin(words)).stdout).toBe("there is no device flannel.1: nothing to remove\n");
  });

  it("leaves rules and subnet.env to a flannel that is still there", async () => {
    cluster = new DirectoryLab();
    const [a] = await cluster.start("node-a");
    await a!.stop();
    a!.host.ip("link add flannel.2 type vxlan id 2 dstport 8473");
    const { stdout } = await a!.poplin(["cleanup", "--subnet-file", a!.subnetFile]);
    expect(stdout).toMatch(/flannel\.2 is there, another node's: .* stay/);
    expect(await rules(a!)).not.toEqual([]);
    expect(existsSync(a!.subnetFile)).toBe(true);
  });
});
