/** A cluster of which one node is the kernel's VXLAN, programmed as flannel programs it, from a lease written by hand. */
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { KernelNode } from "../../../src/lab/kernel-node.ts";
import { type NodePlan, planNode } from "../../../src/lab/plan.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { datagrams, serve, stream } from "../pods.ts";
import { Pinger } from "../traffic/ping.ts";
import { answers, DirectoryLab, keyOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

const KEY = "10.244.30.0-24";

/** What a kernel node has to know of a poplin node. */
async function planOf(node: FlannelNode): Promise<NodePlan> {
  const subnet = keyOf(node).replace("-", "/");
  const { mac } = (await node.status()).device;
  return { ...node.plan, subnet, overlay: subnet.replace("/24", ""), vtepMac: mac };
}

function kernelNode(): KernelNode {
  const plan = planNode("node-k", 28, { pods: 30 });
  const node = new KernelNode(cluster.lab, cluster.network, plan, { family: 4, mtu: 1450, ipv6: false });
  // As a Go flanneld writes it, without the VNI that older ones leave out.
  cluster.write(
    KEY,
    `{"PublicIP":"${plan.address}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VtepMAC":"${plan.vtepMac}"}}`,
  );
  return node;
}

describeWith([lab(), tool("ping"), tool("iptables")], "a node that is the kernel's VXLAN", () => {
  it("is a peer like any other, both ways, with ping, TCP and UDP", async () => {
    cluster = new DirectoryLab();
    const k = kernelNode();
    const [a, b] = await cluster.start("node-a", "node-b");
    await k.start([await planOf(a!), await planOf(b!)]);
    const podIp = "10.244.30.2";
    await Promise.all([a!.pod, b!.pod, k.pod].map(serve));
    for (const node of [a!, b!]) {
      await until("the peer", async () => (await node.status()).peers.length === 2);
      expect(await answers(node, podIp)).toBe(true);
      expect(await stream(node.pod, podIp, 300_000)).toEqual({ sent: true, received: true });
      expect(await stream(k.pod, node.podIp, 300_000)).toEqual({ sent: true, received: true });
      const { sent, received } = await datagrams(k.pod, node.podIp, [{ bytes: 100 }, { bytes: 1400 }]);
      expect(received).toEqual(sent);
    }
  });

  it("whose MAC changes is followed, and the row of the old one goes", async () => {
    cluster = new DirectoryLab();
    const k = kernelNode();
    const [a] = await cluster.start("node-a");
    await k.start([await planOf(a!)]);
    expect(await answers(a!, "10.244.30.2")).toBe(true);
    const mac = "02:00:00:00:00:30";
    k.host.ip(`link set flannel.1 address ${mac}`);
    cluster.write(KEY, cluster.read(KEY).replace(k.plan.vtepMac, mac));
    await until("the new row", async () => (await a!.client.fdb()).some((row) => row.mac === mac));
    expect((await a!.client.fdb()).map((row) => row.mac)).toEqual([mac]);
    const neighbours = (await a!.host.exec("ip", ["neigh", "show", "dev", "flannel.1", "nud", "permanent"]))
      .stdout;
    expect(neighbours).toMatch(new RegExp(`^10\\.244\\.30\\.0 lladdr ${mac} PERMANENT\\s*$`));
    // The change has cost the kernel's device its neighbours, as it costs flannel's.
    k.host.ip(
      `neigh replace ${keyOf(a!).replace("-24", "")} lladdr ${(await planOf(a!)).vtepMac} dev flannel.1 nud permanent`,
    );
    expect(await answers(a!, "10.244.30.2")).toBe(true);
  });

  it("does not notice that the poplin node is started anew: no TCP connection between pods breaks", async () => {
    cluster = new DirectoryLab();
    const k = kernelNode();
    const [a] = await cluster.start("node-a");
    await k.start([await planOf(a!)]);
    await serve(k.pod);
    const ping = new Pinger(a!.pod, "10.244.30.2", { interval: 0.01 });
    await ping.next();
    const transfer = stream(a!.pod, "10.244.30.2", 400_000_000);
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const before = (await a!.client.stats()).txFrames;
      await until("traffic", async () => (await a!.client.stats()).txFrames > before + 1000);
      await a!.stop(signal);
      await a!.start();
    }
    expect(await transfer).toEqual({ sent: true, received: true });
    await ping.next();
    const outages = ping.replies.slice(1).map(({ at }, i) => at - ping.replies[i]!.at);
    console.log(
      `the longest pauses of a ping: ${outages
        .sort((x, y) => y - x)
        .slice(0, 2)
        .map(Math.round)
        .join(" and ")} ms`,
    );
    await ping.kill();
  });
});
