/** A node that is reached in another way while it runs: another address, an uplink that goes down and comes back. */
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { describeTimed, onIdleMachine, timed, until } from "../agents.ts";
import { ipv6 } from "../pods.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, allReach, answers, DirectoryLab, DUAL, keyOf, lines } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";
import { KubernetesLab } from "./kubernetes.ts";

let cluster: DirectoryLab;
let clean: () => void | Promise<void>;
afterEach(() => clean());

describeWith([lab(), tool("ping"), tool("iptables")], "a node whose public IP changes while it runs", () => {
  it("says so in its lease, keeps its subnet, and is followed; the others' traffic never stops; a line on each", async () => {
    cluster = new DirectoryLab();
    clean = () => cluster.destroy();
    const nodes = await cluster.start("node-a", "node-b", "node-c");
    const [a, b, c] = nodes;
    const key = keyOf(c!);
    const [before, said] = [cluster.read(key), nodes.map((node) => node.log().length)];
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    // Else the kernel takes all addresses of a network with the first one.
    c!.host.sysctl({ "net/ipv4/conf/eth0/promote_secondaries": 1 });
    const changed = performance.now();
    c!.host.ip("addr add 172.19.0.77/16 dev eth0", `addr del ${c!.plan.address}/16 dev eth0`);
    await until("the lease", () => cluster.read(key).includes("172.19.0.77"));
    expect(cluster.read(key)).toBe(before.replace(c!.plan.address, "172.19.0.77"));
    for (const node of [a!, b!]) {
      await until(`${node.host.name} follows`, async () => await answers(node, c!.podIp));
      const { peers } = await node.status();
      expect(peers.map(({ publicIp }) => publicIp)).toContain("172.19.0.77");
    }
    console.log(
      `another public IP: followed by all after ${Math.round(performance.now() - changed)} ms at most`,
    );
    expect((await ping.stop()).lost).toEqual([]);
    expect(await answers(c!, a!.podIp)).toBe(true);
    expect([keyOf(c!), (await c!.status()).underlay.local]).toEqual([key, "172.19.0.77"]);
    const news = nodes.map((node, i) => node.log().slice(said[i]));
    for (const text of news.slice(0, 2)) {
      expect(text.trimEnd().split("\n")).toEqual([expect.stringContaining(`node ${key} changed: `)]);
    }
    const own = lines(c!, /this node is reached in another way/);
    expect(own).toEqual([expect.stringContaining(`${c!.plan.address} on eth0 → 172.19.0.77 on eth0`)]);
    expect(news[2]!.match(/ (warn|error) /g)).toHaveLength(1);
  });
});

describeWith(
  [lab(), tool("ping"), tool("iptables")],
  "a node whose uplink goes down, or has no address",
  () => {
    it("is there again when it is up, with all rows and its lease; each trouble and its end are a line", async () => {
      cluster = new DirectoryLab();
      clean = () => cluster.destroy();
      const nodes = await cluster.start("node-a", "node-b");
      const [a, b] = nodes;
      const lease = cluster.read(keyOf(b!));
      b!.host.ip("link set eth0 down");
      await until("nobody reaches it", async () => !(await answers(a!, b!.podIp)), 20_000);
      b!.host.ip("link set eth0 up");
      await until("the pods", async () => await answers(a!, b!.podIp), 20_000);

      const said = b!.log().length;
      const since = (pattern: RegExp) => b!.log().slice(said).match(pattern) ?? [];
      b!.host.ip("addr flush dev eth0");
      await until("the trouble", () => since(/is not known: .*eth0 has no IPv4 address/g).length > 0);
      b!.host.ip("addr add 172.19.0.3/16 dev eth0");
      await until("its end", () => since(/is known again/g).length > 0);
      await until("the pods", async () => await answers(a!, b!.podIp), 20_000);
      expect(since(/is not known/g)).toHaveLength(1);
      await allKnown(nodes);
      await allReach(nodes);
      expect(cluster.read(keyOf(b!))).toBe(lease);
      expect(lines(a!, /node .* (changed|gone)/)).toEqual([]);
    });
  },
);

describeWith(
  [lab(), ipv6(), tool("ping"), tool("iptables")],
  "a node whose public IPv6 address changes",
  () => {
    it("says so in its lease and is followed, and IPv4 between its pods and the others' does not stop", async () => {
      cluster = new DirectoryLab(DUAL);
      clean = () => cluster.destroy();
      const [a, b] = await cluster.start("node-a", "node-b");
      const key = keyOf(b!);
      const before = cluster.read(key);
      const ping = new Pinger(a!.pod, b!.podIps[0]!, { interval: 0.01 });
      await ping.next();
      b!.host.ip("addr add fd00:172:19::77/64 dev eth0 nodad", `addr del ${b!.plan.address6}/64 dev eth0`);
      await until("the lease", () => cluster.read(key).includes("fd00:172:19::77"));
      expect(cluster.read(key)).toBe(before.replace(b!.plan.address6, "fd00:172:19::77"));
      await until("the pods", () => answers(a!, b!.podIps[1]!));
      expect((await ping.stop()).lost).toEqual([]);
      expect(lines(b!, /this node is reached in another way/)).toHaveLength(1);
    });
  },
);

/** Gives a node another address, and waits until the other one's pod reaches its pod again. */
async function move(a: FlannelNode, b: FlannelNode): Promise<void> {
  b.host.sysctl({ "net/ipv4/conf/eth0/promote_secondaries": 1 });
  b.host.ip("addr add 172.19.0.77/16 dev eth0", `addr del ${b.plan.address}/16 dev eth0`);
  await until("the lease", () => lines(b, /this node is reached in another way/).length > 0);
  await until("the pods", () => answers(a, b.podIp));
  expect(lines(b, /this node is reached in another way/)).toHaveLength(1);
}

/** Milliseconds: sooner than a call over the connection from the address that is gone gives up. */
const LATEST_NEWS = 4000;

describeWith(etcdNeeds(), "a node over etcd whose public IP changes", () => {
  it("has the same key with another value soon, and no second lease; it goes on to hear of the others", async () => {
    const etcd = await EtcdLab.make();
    clean = () => etcd.end();
    const [a, b] = await etcd.start("node-a", "node-b");
    const [before, said] = [await etcd.read(keyOf(b!)), b!.log().length];
    const followed = await timed(async () => {
      const since = performance.now();
      const moving = move(a!, b!);
      await until("the other one follows", () => lines(a!, /node .* changed: .*172\.19\.0\.77/).length > 0);
      const ms = performance.now() - since;
      await moving;
      return ms;
    });
    console.log(`another public IP over etcd: the others know it after ${describeTimed(followed)}`);
    expect(onIdleMachine(followed)).toBeLessThan(LATEST_NEWS);
    expect(await etcd.read(keyOf(b!))).toBe(before.replace(b!.plan.address, "172.19.0.77"));
    expect((await a!.client.leases()).map(({ key }) => key).sort()).toEqual([a!, b!].map(keyOf).sort());
    const [c] = await etcd.start("node-c");
    await until("it hears of a new one", () => answers(b!, c!.podIp));
    expect(
      b!
        .log()
        .slice(said)
        .match(/ (warn|error) .*/g),
    ).toEqual([expect.stringContaining("this node is reached in another way")]);
  });
});

const KUBERNETES = [lab(), tool("ping"), tool("iptables"), tool("openssl")];

describeWith(KUBERNETES, "a node of Kubernetes whose public IP changes", () => {
  it("has another annotation public-ip, and all others as they were", async () => {
    const kubernetes = await KubernetesLab.make();
    clean = () => kubernetes.end();
    const a = await kubernetes.node("node-a", ["10.244.1.0/24"]);
    const b = await kubernetes.node("node-b", ["10.244.2.0/24"]);
    await Promise.all([a.start(), b.start()]);
    await allKnown([a, b]);
    const before = kubernetes.annotations("node-b");
    await move(a, b);
    expect(kubernetes.annotations("node-b")).toEqual({ ...before, "public-ip": "172.19.0.77" });
  });
});
