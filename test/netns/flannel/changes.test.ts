/**
 * What happens to the nodes of a cluster, while two others talk: their traffic never stops, the log says each thing in a
 * line, and the end state is right.
 */
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, answers, DirectoryLab, keyOf, lines } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

/** Two pods ping each other while something is done to a third node. */
async function meanwhile(nodes: readonly FlannelNode[], work: (third: FlannelNode) => Promise<void>) {
  const [a, b, c] = nodes;
  const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
  await ping.next();
  await work(c!);
  expect((await ping.stop()).lost).toEqual([]);
}

describeWith([lab(), tool("ping"), tool("iptables")], "a node of a cluster", () => {
  it("whose lease somebody removes puts it back, and is missed for a moment at most", async () => {
    cluster = new DirectoryLab();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await meanwhile(nodes, async (c) => {
      const before = cluster.read(keyOf(c));
      cluster.remove(keyOf(c));
      await until("the lease", () => cluster.has(keyOf(c)) && cluster.read(keyOf(c)) === before);
      expect(lines(c, /put back/)).toHaveLength(1);
      await allKnown(nodes);
      expect(await answers(c, nodes[0]!.podIp)).toBe(true);
    });
  });

  it("whose subnet another one takes meanwhile ends, and says who has it", async () => {
    cluster = new DirectoryLab();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await meanwhile(nodes, async (c) => {
      const taken = cluster
        .read(keyOf(c))
        .replace(c.plan.address, "172.19.0.77")
        .replace(/..:..:..:..:..:../, "02:00:00:00:00:77");
      cluster.write(keyOf(c), taken);
      expect(await c.end()).toBe(1);
      expect(lines(c, /error .*lease/)).toHaveLength(1);
    });
  });

  it("that goes is forgotten when its lease goes; the one that comes again has its subnet and its MAC", async () => {
    cluster = new DirectoryLab();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await meanwhile(nodes, async (c) => {
      const [key, { mac }] = [keyOf(c), (await c.status()).device];
      await c.stop();
      cluster.remove(key);
      await until("the end of the peer", async () => (await nodes[0]!.status()).peers.length === 1);
      expect(lines(nodes[0]!, new RegExp(`node ${key} is gone`))).toHaveLength(1);
      await c.start();
      expect([keyOf(c), (await c.status()).device.mac]).toEqual([key, mac]);
      await allKnown(nodes);
      expect(await answers(nodes[0]!, c.podIp)).toBe(true);
    });
  });

  it("may be one of two that want the last two subnets: both get one, a third is told why not", async () => {
    const conf = {
      Network: "10.244.0.0/22",
      SubnetLen: 24,
      SubnetMin: "10.244.1.0",
      SubnetMax: "10.244.2.0",
    };
    cluster = new DirectoryLab({ ...conf, Backend: { Type: "vxlan" } });
    const nodes = await cluster.start("node-a", "node-b");
    expect(nodes.map(keyOf).sort()).toEqual(["10.244.1.0-24", "10.244.2.0-24"]);
    const c = cluster.node("node-c");
    c.launch();
    expect(await c.end()).toBe(1);
    expect(lines(c, /all subnets in .* are taken/)).toHaveLength(1);
    expect(c.log()).toMatch(/→ .*SubnetLen/);
  });

  it("gets device, rows and MAC back when somebody deletes the device, or changes its MAC", async () => {
    cluster = new DirectoryLab();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    await meanwhile(nodes, async (c) => {
      const { mac } = (await c.status()).device;
      c.host.ip("link del flannel.1");
      await until("the device", () => lines(c, /forwarding VNI/).length === 2);
      expect((await c.status()).device.mac).toBe(mac);
      await allKnown(nodes);
      expect(await answers(nodes[0]!, c.podIp)).toBe(true);
    });
  });
});

describeWith([lab(), tool("ping"), tool("iptables")], "a cluster's configuration", () => {
  it.each([
    ["is no JSON", '{"Network": ', /it is no JSON/],
    [
      "has an unknown backend",
      '{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard"}}',
      /the backend type "wireguard" is none of ours/,
    ],
    [
      "has bounds outside",
      '{"Network":"10.244.0.0/16","SubnetMin":"10.9.0.0","Backend":{"Type":"vxlan"}}',
      /SubnetMin "10\.9\.0\.0" is not inside/,
    ],
  ])("that %s is said in one line, and the node joins when it is put right", async (_, text, pattern) => {
    cluster = new DirectoryLab();
    cluster.setConf(text);
    const a = cluster.node("node-a");
    a.launch();
    await until("the complaint", () => lines(a, pattern).length > 0);
    cluster.setConf('{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
    await a.ready();
    expect(lines(a, pattern)).toHaveLength(1);
  });

  it("may be missing: the line says what to write and where; a node that is told to end meanwhile does", async () => {
    cluster = new DirectoryLab();
    const a = cluster.node("node-a");
    a.options = { flags: ["--lease-dir", cluster.lab.file("elsewhere")] };
    a.launch();
    await until(
      "the complaint",
      () => lines(a, /no network configuration in .*elsewhere\/config.*echo/).length > 0,
    );
    expect(await a.stop()).toBe(0);
  });
});
