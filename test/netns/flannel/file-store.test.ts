/** Nodes that meet in a directory: what they do, and what they leave for others to read. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { allReach, DirectoryLab, keyOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

describeWith([lab(), tool("ping"), tool("iptables")], "three nodes over a directory", () => {
  it("find each other; every pod reaches every other one; leases and subnet.env are flannel's", async () => {
    cluster = new DirectoryLab();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await allReach(nodes);
    expect(readdirSync(join(cluster.directory, "subnets")).sort()).toEqual(nodes.map(keyOf).sort());
    for (const node of nodes) {
      const { device, cluster: member } = await node.status();
      const subnet = keyOf(node).replace("-", "/");
      expect(cluster.read(keyOf(node))).toBe(
        `{"PublicIP":"${node.plan.address}","PublicIPv6":null,"BackendType":"vxlan",` +
          `"BackendData":{"VNI":1,"VtepMAC":"${device.mac}"}}`,
      );
      expect(readFileSync(node.subnetFile, "utf8")).toBe(
        "FLANNEL_NETWORK=10.244.0.0/16\n" +
          `FLANNEL_SUBNET=${subnet.replace("0/24", "1/24")}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`,
      );
      expect(device).toMatchObject({
        name: "flannel.1",
        addresses: [subnet.replace("/24", "/32")],
        mtu: 1450,
      });
      expect(member).toMatchObject({
        ...{ trouble: null, lease: keyOf(node), networks: ["10.244.0.0/16"], subnets: [subnet] },
        ...{ publicIps: [node.plan.address], firewall: { kind: "iptables", trouble: null } },
        leases: { count: 3, bad: 0 },
      });
    }
  });

  it("`poplin lease list` and `poplin status` show them", async () => {
    cluster = new DirectoryLab();
    const [a, b] = await cluster.start("node-a", "node-b");
    cluster.write("10.244.0.0-24", { PublicIP: "172.19.0.99", BackendType: "host-gw" });
    const list = async () => (await a!.poplin(["lease", "list"])).stdout;
    while (!(await list()).includes("host-gw"));
    const text = await list();
    expect(text).toMatch(new RegExp(`^${keyOf(b!).replace("-", "/")} +172\\.19\\.0\\.3 `, "m"));
    expect(text).toMatch(new RegExp(`^${keyOf(a!).replace("-", "/")} .*\n +this node's`, "m"));
    expect(text).toMatch(/^10\.244\.0\.0\/24 .*\n +left out: .*host-gw/m);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    const status = await a!.poplin(["status"]);
    expect(status.stdout).toMatch(/leases that make no peer: 1 of 3/);
    expect(JSON.parse((await a!.poplin(["lease", "-j"])).stdout)).toHaveLength(3);
  });
});
