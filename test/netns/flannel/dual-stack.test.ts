/** Networks of both families, and of IPv6 alone, in each store: two devices, two leases in one, pods that talk both. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeFull, describeWith, lab, tool } from "../../helpers/needs.ts";
import { ipv6 } from "../pods.ts";
import { allKnown, allReach, DirectoryLab, DUAL, keyOf, subnetsOf } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";
import { KubernetesLab } from "./kubernetes.ts";

const SIX = {
  EnableIPv4: false,
  EnableIPv6: true,
  IPv6Network: "fd00:10:244::/48",
  Backend: { Type: "vxlan" },
};

let clean: () => void | Promise<void>;
afterEach(() => clean());

const NEEDS = [lab(), ipv6(), tool("ping"), tool("iptables"), tool("ip6tables")];

/** Checks the node's devices and subnet.env. @returns the MACs, IPv4 first */
async function devicesOf(node: FlannelNode): Promise<[string, string]> {
  const { overlays } = await node.status();
  const [subnet, subnet6] = subnetsOf(node);
  const devices = overlays.map(({ device }) => device);
  expect(devices).toMatchObject([
    { name: "flannel.1", mtu: 1450, addresses: [subnet!.replace(/\d+$/, "32")] },
    { name: "flannel-v6.1", mtu: 1430, addresses: [subnet6!.replace(/\d+$/, "128")] },
  ]);
  const [mac, mac6] = devices.map((device) => device.mac);
  expect(mac).not.toBe(mac6);
  expect(readFileSync(node.subnetFile, "utf8")).toBe(
    `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${subnet!.replace("0/", "1/")}\n` +
      `FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=${subnet6!.replace("/", "1/")}\n` +
      "FLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n",
  );
  return [mac!, mac6!];
}

/** The value of a lease in etcd and in a file, byte for byte. */
function leaseText({ plan }: FlannelNode, [mac, mac6]: readonly string[]): string {
  return (
    `{"PublicIP":"${plan.address}","PublicIPv6":"${plan.address6}","BackendType":"vxlan",` +
    `"BackendData":{"VNI":1,"VtepMAC":"${mac}"},"BackendV6Data":{"VNI":1,"VtepMAC":"${mac6}"}}`
  );
}

const KEY = /^10\.244\.\d+\.0-24&fd00:10:244:[\da-f]+::-64$/;

describeWith(NEEDS, "three nodes of both families over a directory", () => {
  it("reach each other over both; the lease's name and text hold both; a node that comes again keeps both", async () => {
    const cluster = new DirectoryLab(DUAL);
    clean = () => cluster.destroy();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await allReach(nodes);
    for (const node of nodes) {
      expect(keyOf(node)).toMatch(KEY);
      expect(cluster.read(keyOf(node))).toBe(leaseText(node, await devicesOf(node)));
    }
    expect(readdirSync(join(cluster.directory, "subnets"))).toHaveLength(3);
    const [a] = nodes;
    const before = cluster.read(keyOf(a!));
    const key = keyOf(a!);
    await a!.stop();
    await a!.start();
    expect([keyOf(a!), cluster.read(key)]).toEqual([key, before]);
  });
});

describeFull([...NEEDS, ...etcdNeeds()], "three nodes of both families over etcd", () => {
  it("reach each other over both; keys and values are what a Go flanneld writes", async () => {
    const cluster = await EtcdLab.make(DUAL);
    clean = () => cluster.end();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await allReach(nodes);
    for (const node of nodes) {
      expect(keyOf(node)).toMatch(KEY);
      expect(await cluster.read(keyOf(node))).toBe(leaseText(node, await devicesOf(node)));
    }
  });
});

/** Starts a node for each list of podCIDRs. */
async function kubernetes(conf: object, ...podCidrs: string[][]) {
  const cluster = await KubernetesLab.make(conf);
  clean = () => cluster.end();
  const nodes: FlannelNode[] = [];
  for (const [i, cidrs] of podCidrs.entries()) nodes.push(await cluster.node(`node-${i + 1}`, cidrs));
  await Promise.all(nodes.map((node) => node.start()));
  await allKnown(nodes);
  await allReach(nodes);
  return { cluster, nodes };
}

describeFull([...NEEDS, tool("openssl")], "three nodes of both families in Kubernetes", () => {
  it("reach each other over both; annotations are flannel's", async () => {
    const { cluster, nodes } = await kubernetes(
      DUAL,
      ["10.244.1.0/24", "fd00:10:244:1::/64"],
      ["fd00:10:244:2::/64", "10.244.2.0/24"], // in whatever order
      ["10.244.3.0/24", "fd00:10:244:3::/64"],
    );
    for (const node of nodes) {
      const [mac, mac6] = await devicesOf(node);
      expect(cluster.annotations(node.host.name)).toEqual({
        "backend-data": `{"VNI":1,"VtepMAC":"${mac}"}`,
        "backend-type": "vxlan",
        "backend-v6-data": `{"VNI":1,"VtepMAC":"${mac6}"}`,
        "kube-subnet-manager": "true",
        "public-ip": node.plan.address,
        "public-ipv6": node.plan.address6,
      });
    }
  });
});

describeFull([...NEEDS, tool("openssl")], "a network of IPv6 alone", () => {
  const envOf = (n: string) =>
    `FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=${n}\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n`;

  it("works over a directory: one device, keys without an IPv4 part", async () => {
    const cluster = new DirectoryLab(SIX);
    clean = () => cluster.destroy();
    const nodes = await cluster.start("node-a", "node-b");
    await allReach(nodes);
    for (const node of nodes) {
      const { overlays, device } = await node.status();
      expect(overlays.map((overlay) => overlay.device.name)).toEqual(["flannel-v6.1"]);
      expect(keyOf(node)).toMatch(/^fd00:10:244:[\da-f]+::-64$/);
      expect(JSON.parse(cluster.read(keyOf(node)))).toEqual({
        ...{ PublicIP: "0.0.0.0", PublicIPv6: node.plan.address6, BackendType: "vxlan" },
        BackendV6Data: { VNI: 1, VtepMAC: device.mac },
      });
      expect(readFileSync(node.subnetFile, "utf8")).toBe(envOf(subnetsOf(node)[0]!.replace("/", "1/")));
    }
  });

  it("works in Kubernetes: the annotations of IPv6 and no others", async () => {
    const { cluster, nodes } = await kubernetes(SIX, ["fd00:10:244:1::/64"], ["fd00:10:244:2::/64"]);
    for (const node of nodes) {
      const { device } = await node.status();
      expect(cluster.annotations(node.host.name)).toEqual({
        "backend-type": "vxlan",
        "backend-v6-data": `{"VNI":1,"VtepMAC":"${device.mac}"}`,
        "kube-subnet-manager": "true",
        "public-ipv6": node.plan.address6,
      });
      expect(readFileSync(node.subnetFile, "utf8")).toBe(envOf(subnetsOf(node)[0]!.replace("/", "1/")));
    }
  });
});
