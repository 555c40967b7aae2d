/** Nodes that meet in a real etcd, which runs on a machine of its own in their network. */
import { afterEach, expect, it } from "vitest";
import { describeFull, describeWith } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, allReach, answers, keyOf } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";

const NEEDS = etcdNeeds();

let cluster: EtcdLab;
afterEach(() => cluster.end());

describeWith(NEEDS, "three nodes over etcd", () => {
  it("reach each other; keys and values are what a Go flanneld writes", async () => {
    cluster = await EtcdLab.make();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await allReach(nodes);
    for (const node of nodes) {
      const { mac } = (await node.status()).device;
      expect(await cluster.read(keyOf(node))).toBe(
        `{"PublicIP":"${node.plan.address}","PublicIPv6":null,"BackendType":"vxlan",` +
          `"BackendData":{"VNI":1,"VtepMAC":"${mac}"}}`,
      );
    }
  });

  it("lose nothing when etcd dies and comes back with other leases, and say each in a line", async () => {
    cluster = await EtcdLab.make();
    const { etcd } = cluster;
    const [a, b, c] = await cluster.start("node-a", "node-b", "node-c");
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    await etcd.kill();
    await until("the trouble", async () => (await a!.status()).cluster!.trouble !== null, 30_000);
    expect((await a!.status()).peers).toHaveLength(2);
    expect(await answers(a!, c!.podIp)).toBe(true);
    await etcd.run();
    await cluster.remove(keyOf(c!));
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
    cluster = await EtcdLab.make();
    const { etcd } = cluster;
    const [a, b] = await cluster.start("node-a", "node-b");
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
