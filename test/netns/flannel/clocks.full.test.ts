/** Nodes whose clocks disagree by an hour, each in its own direction: nothing that a store decides goes by them. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { faketime, wrongClock } from "../../helpers/faketime.ts";
import { describeFull, describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { allKnown, answers, DirectoryLab, keyOf } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";
import { KubernetesLab } from "./kubernetes.ts";

let clean: () => void | Promise<void>;
afterEach(() => clean());

/** Hours by which the nodes' clocks are wrong. */
const HOURS = [1, -1, 0];

function setClocks(nodes: readonly FlannelNode[], hours: readonly number[] = HOURS): void {
  for (const [i, node] of nodes.entries()) {
    const { options } = node;
    node.options = {
      ...options,
      env: { ...options.env, ...(hours[i] === undefined ? {} : wrongClock(hours[i])) },
    };
  }
}

/** How far the node's clock is from ours, by the first line of its log, in hours. */
function hoursOff(node: FlannelNode): number {
  return Math.round((Date.parse(node.log().slice(0, 24)) - Date.now()) / 3600_000) + 0; // no −0
}

/** All know each other and reach each other, and each has the clock that it was given. */
async function check(nodes: readonly FlannelNode[], hours: readonly number[] = HOURS): Promise<void> {
  await allKnown(nodes);
  expect(nodes.map(hoursOff)).toEqual(hours);
  for (const from of nodes) {
    for (const to of nodes) if (to !== from) expect(await answers(from, to.podIp)).toBe(true);
  }
  for (const node of nodes) {
    expect(node.log()).not.toMatch(/ (warn|error) .*(lease|store)/);
    expect((await node.status()).cluster).toMatchObject({ trouble: null, leases: { count: 3, bad: 0 } });
  }
}

const NEEDS = [lab(), tool("ping"), tool("iptables"), faketime()];

describeWith(NEEDS, "three nodes whose clocks disagree", () => {
  it("meet in a directory, also when they are two days apart; no lease is taken for one that ended", async () => {
    const cluster = new DirectoryLab();
    clean = () => cluster.destroy();
    const nodes = ["node-a", "node-b", "node-c"].map((name) => cluster.node(name));
    setClocks(nodes);
    await Promise.all(nodes.map((node) => node.start()));
    await check(nodes);
    const names = () => readdirSync(join(cluster.directory, "subnets")).sort();
    const before = names();
    expect(before).toEqual(nodes.map(keyOf).sort());
    // A lease ends after a day: whoever went by its own clock would remove the others' as it joins.
    await nodes[0]!.stop();
    setClocks(nodes, [48]);
    await nodes[0]!.start();
    await allKnown(nodes);
    expect(names()).toEqual(before);
    expect(nodes[0]!.log()).toMatch(
      new RegExp(`^${new Date(Date.now() + 172_800_000).toISOString().slice(0, 10)}`, "m"),
    );
  });
});

describeFull([...NEEDS, ...etcdNeeds()], "three nodes over etcd whose clocks disagree", () => {
  it("meet, and keep their leases", async () => {
    const cluster = await EtcdLab.make();
    clean = () => cluster.end();
    const nodes = ["node-a", "node-b", "node-c"].map((name) => cluster.node(name));
    setClocks(nodes);
    await Promise.all(nodes.map((node) => node.start()));
    await check(nodes);
    for (const node of nodes) {
      // A day, by etcd's own clock.
      expect(await cluster.secondsLeft(keyOf(node))).toBeGreaterThan(86_000);
    }
  });
});

describeFull([...NEEDS, tool("openssl")], "three nodes of Kubernetes whose clocks disagree", () => {
  it("meet, and stay", async () => {
    const cluster = await KubernetesLab.make();
    clean = () => cluster.end();
    const nodes: FlannelNode[] = [];
    for (const i of [1, 2, 3]) nodes.push(await cluster.node(`node-${i}`, [`10.244.${i}.0/24`]));
    // Of certificates that were made just now no clock may be behind.
    const hours = [2, 1, 0];
    setClocks(nodes, hours);
    await Promise.all(nodes.map((node) => node.start()));
    await check(nodes, hours);
    await until("the condition", () => {
      const { conditions } = cluster.stage.server.objects.nodes.get("node-1")!.status;
      return conditions?.[0]?.reason === "FlannelIsUp";
    });
  });
});
