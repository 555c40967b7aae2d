/** Nodes that meet in Kubernetes: their Node objects on an API server, over HTTPS. */
import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { KernelNode } from "../../../src/lab/kernel-node.ts";
import { planNode } from "../../../src/lab/plan.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, allReach, answers, keyOf } from "./cluster.ts";
import { KubernetesLab } from "./kubernetes.ts";

let cluster: KubernetesLab;
afterEach(() => cluster.end());

async function start(...names: string[]): Promise<FlannelNode[]> {
  const nodes: FlannelNode[] = [];
  for (const [i, name] of names.entries()) nodes.push(await cluster.node(name, [`10.244.${i + 1}.0/24`]));
  await Promise.all(nodes.map((node) => node.start()));
  await allKnown(nodes);
  return nodes;
}

describeWith([lab(), tool("ping"), tool("iptables"), tool("openssl")], "three nodes of Kubernetes", () => {
  it("reach each other; annotations, condition and subnet.env are flannel's", async () => {
    cluster = await KubernetesLab.make();
    const nodes = await start("node-a", "node-b", "node-c");
    await allReach(nodes);
    for (const [i, node] of nodes.entries()) {
      const name = node.host.name;
      const { mac } = (await node.status()).device;
      expect(cluster.annotations(name)).toEqual({
        "backend-data": `{"VNI":1,"VtepMAC":"${mac}"}`,
        "backend-type": "vxlan",
        "kube-subnet-manager": "true",
        "public-ip": node.plan.address,
      });
      expect(cluster.stage.server.objects.nodes.get(name)!.status.conditions).toEqual([
        expect.objectContaining({
          type: "NetworkUnavailable",
          status: "False",
          reason: "FlannelIsUp",
          message: "Flannel is running on this node",
        }),
      ]);
      expect(readFileSync(node.subnetFile, "utf8")).toBe(
        `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.${i + 1}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`,
      );
    }
  });

  it("keep their MACs over a reboot, as the annotation says them", async () => {
    cluster = await KubernetesLab.make();
    const [a] = await start("node-a");
    const { mac } = (await a!.status()).device;
    await a!.stop();
    a!.host.ip("link del flannel.1");
    await a!.start();
    expect((await a!.status()).device.mac).toBe(mac);
  });

  it("follow a node that has nothing but annotations written by hand, as load balancers join", async () => {
    cluster = await KubernetesLab.make();
    const [a] = await start("node-a");
    const plan = planNode("balancer", 28, { pods: 30 });
    const balancer = new KernelNode(cluster.lab, cluster.network, plan, {
      family: 4,
      mtu: 1450,
      ipv6: false,
    });
    const { mac } = (await a!.status()).device;
    await balancer.start([{ ...a!.plan, subnet: "10.244.1.0/24", overlay: "10.244.1.0", vtepMac: mac }]);
    cluster.stage.server.objects.put("balancer", ["10.244.30.0/24"], {
      "flannel.alpha.coreos.com/kube-subnet-manager": "true",
      "flannel.alpha.coreos.com/backend-type": "vxlan",
      "flannel.alpha.coreos.com/backend-data": `{"VtepMAC":"${plan.vtepMac}"}`,
      "flannel.alpha.coreos.com/public-ip": plan.address,
    });
    await until("the peer", async () => (await a!.status()).peers.length === 1);
    expect(await answers(a!, "10.244.30.2")).toBe(true);
    expect((await a!.poplin(["lease", "list"])).stdout).toMatch(/^balancer +10\.244\.30\.0\/24 /m);
  });

  it("start while the API server is down, when it comes; lose nothing when it goes, or forgets the past", async () => {
    cluster = await KubernetesLab.make();
    const [a, b] = await start("node-a", "node-b");
    const { server } = cluster.stage;
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    await server.stop();
    await until("the trouble", async () => (await a!.status()).cluster!.trouble !== null, 30_000);
    const c = await cluster.node("node-c", ["10.244.3.0/24"]);
    c.launch();
    await until("node-c's complaint", () => /it is tried again each second/.test(c.log()));
    await server.start();
    await c.ready();
    await allKnown([a!, b!, c]);
    server.objects.forgotten = server.objects.version;
    server.breakWatches();
    server.objects.delete("node-c");
    await until("the end of node-c", async () => (await a!.status()).peers.length === 1, 30_000);
    expect((await ping.stop()).lost).toEqual([]);
    // Its kubelet registers it again: the agent writes its annotations again.
    server.objects.put("node-c", ["10.244.3.0/24"]);
    await allKnown([a!, b!, c]);
    expect(keyOf(c)).toBe("10.244.3.0-24");
  });

  it("leave out what is no lease, in one line, and the others work: a bad MAC, 1 MB, outside the network", async () => {
    cluster = await KubernetesLab.make();
    const [a, b] = await start("node-a", "node-b");
    const bad = (name: string, cidr: string, data: string): void =>
      cluster.stage.server.objects.put(name, [cidr], {
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data": data,
        "flannel.alpha.coreos.com/public-ip": "172.19.0.99",
      });
    bad("bad-mac", "10.244.40.0/24", '{"VNI":1,"VtepMAC":"nonsense"}');
    bad("large", "10.244.41.0/24", `{"VNI":1,"VtepMAC":"${"x".repeat(1_000_000)}"}`);
    bad("outside", "10.9.0.0/24", '{"VNI":1,"VtepMAC":"02:00:00:00:00:99"}');
    const problems = async () =>
      (await a!.client.leases()).flatMap(({ key, problem }) => (problem === null ? [] : [key]));
    await until("all three", async () => (await problems()).length === 3);
    for (const name of ["bad-mac", "large", "outside"]) {
      const lines = a!
        .log()
        .split("\n")
        .filter((line) => line.includes(` ${name} is left out: `));
      expect(lines).toHaveLength(1);
      expect(lines[0]!.length).toBeLessThan(400);
    }
    expect(await answers(a!, b!.podIp)).toBe(true);
    expect((await a!.poplin(["status"])).stdout).toMatch(/leases that make no peer: 3 of 5/);
  });
});
