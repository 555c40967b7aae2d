/** Nodes that meet in a real etcd, which runs on a machine of its own in their network. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { UNDERLAY } from "../../../src/lab/plan.ts";
import { describeFull, describeWith, lab, optionalPackage, tool } from "../../helpers/needs.ts";
import { EtcdServer } from "../../stores/etcd/server.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, allReach, answers, FlannelLab, keyOf, NET_CONF } from "./cluster.ts";

const PREFIX = "/coreos.com/network";

let cluster: FlannelLab;
let etcd: EtcdServer;

beforeEach(async () => {
  cluster = new FlannelLab();
  const { middle } = cluster.network;
  middle.ip(`addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`);
  etcd = await EtcdServer.start({
    address: UNDERLAY.gateway,
    wrapper: ["ip", "netns", "exec", middle.namespace],
  });
  await etcd.etcdctl("put", `${PREFIX}/config`, JSON.stringify(NET_CONF));
});
afterEach(async () => {
  await etcd.close();
  cluster.destroy();
});

async function start(...names: string[]): Promise<FlannelNode[]> {
  const nodes = names.map((name) =>
    cluster.add(name, { flags: ["--etcd-endpoints", etcd.url, "--ip-masq"] }),
  );
  await Promise.all(nodes.map((node) => node.start()));
  await allKnown(nodes);
  return nodes;
}

const NEEDS = [
  lab(),
  tool("ping"),
  tool("iptables"),
  tool("etcd"),
  tool("etcdctl"),
  optionalPackage("etcd3"),
];

describeWith(NEEDS, "three nodes over etcd", () => {
  it("reach each other; keys and values are what a Go flanneld writes", async () => {
    const nodes = await start("node-a", "node-b", "node-c");
    await allReach(nodes);
    for (const node of nodes) {
      const { mac } = (await node.status()).device;
      const text = await etcd.etcdctl("get", `${PREFIX}/subnets/${keyOf(node)}`, "--print-value-only");
      expect(text.trimEnd()).toBe(
        `{"PublicIP":"${node.plan.address}","PublicIPv6":null,"BackendType":"vxlan",` +
          `"BackendData":{"VNI":1,"VtepMAC":"${mac}"}}`,
      );
    }
  });

  it("lose nothing when etcd dies and comes back with other leases, and say each in a line", async () => {
    const [a, b, c] = await start("node-a", "node-b", "node-c");
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    await etcd.kill();
    await until("the trouble", async () => (await a!.status()).cluster!.trouble !== null, 30_000);
    expect((await a!.status()).peers).toHaveLength(2);
    expect(await answers(a!, c!.podIp)).toBe(true);
    await etcd.run();
    await etcd.etcdctl("del", `${PREFIX}/subnets/${keyOf(c!)}`);
    await until("the end of the trouble", async () => (await a!.status()).cluster!.trouble === null, 30_000);
    // node-c puts its lease back, as nobody has taken its subnet.
    await until("node-c again", () => /put back/.test(c!.log()), 30_000);
    await allKnown([a!, b!, c!]);
    expect((await ping.stop()).lost).toEqual([]);
    const said = a!
      .log()
      .split("\n")
      .filter((line) => /the store is/.test(line));
    expect(said.map((line) => line.replace(/^\S+ /, "").slice(0, 40))).toEqual([
      expect.stringMatching(/^warn {2}the store is not heard/),
      "info  the store is heard again",
    ]);
  });
});

describeFull(NEEDS, "etcd that is away for a minute", () => {
  it("costs no packet between pods, and the end state is right", async () => {
    const [a, b] = await start("node-a", "node-b");
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    etcd.hang();
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    etcd.goOn();
    await until("the end of the trouble", async () => (await a!.status()).cluster!.trouble === null, 30_000);
    expect((await ping.stop()).lost).toEqual([]);
    await allKnown([a!, b!]);
  }, 150_000);
});
