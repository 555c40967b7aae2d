/** Backend.DirectRouting: peers on the node's own link are reached past the overlay, those behind a router through it. */
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, allReach, answers, DirectoryLab, subnetsOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

const CONF = { Network: "10.244.0.0/16", Backend: { Type: "vxlan", DirectRouting: true } };

/** Where a node's kernel sends what is for another's pods, and its permanent neighbours on the overlay's device. */
async function wayTo(node: FlannelNode, peer: FlannelNode): Promise<string> {
  const { stdout } = await node.host.exec("ip", ["route", "show", subnetsOf(peer)[0]!]);
  return stdout.trim();
}

async function neighbours(node: FlannelNode): Promise<string[]> {
  const words = ["neigh", "show", "dev", "flannel.1", "nud", "permanent"];
  const { stdout } = await node.host.exec("ip", words);
  return [...stdout.matchAll(/^(\S+) lladdr/gm)].map(([, address]) => `${address}/24`).sort();
}

const direct = (peer: FlannelNode) => `${subnetsOf(peer)[0]} via ${peer.plan.address} dev eth0`;
const overlay = (peer: FlannelNode) => {
  const subnet = subnetsOf(peer)[0]!;
  return `${subnet} via ${subnet.replace("/24", "")} dev flannel.1 onlink`;
};

describeWith([lab(), tool("ping"), tool("iptables")], "nodes with DirectRouting", () => {
  it("reach a peer on their link past the overlay, and one behind a router through it; a peer may change sides", async () => {
    cluster = new DirectoryLab(CONF);
    const { middle } = cluster.network;
    middle.forwarding();
    // The third node is on a link of its own, behind the switch's machine, which routes.
    middle.ip("addr add 172.19.0.1/16 dev br0", "addr add 172.20.0.1/24 dev br0");
    const [a, b, c] = ["node-a", "node-b", "node-c"].map((name) => cluster.node(name));
    const far = "172.20.0.9";
    c!.host.ip(
      "addr flush dev eth0",
      `addr add ${far}/24 dev eth0`,
      "route add default via 172.20.0.1 dev eth0",
    );
    for (const near of [a!, b!]) near.host.ip("route add 172.20.0.0/24 via 172.19.0.1 dev eth0");
    await Promise.all([a!, b!, c!].map((node) => node.start()));
    await allKnown([a!, b!]);
    await until("the way to node-c", async () => (await wayTo(a!, c!)) !== "");
    await until("the ways from node-c", async () => (await wayTo(c!, b!)) !== "");
    expect(await wayTo(a!, b!)).toBe(direct(b!));
    expect(await wayTo(b!, a!)).toBe(direct(a!));
    expect(await wayTo(a!, c!)).toBe(overlay(c!));
    expect(await wayTo(c!, a!)).toBe(overlay(a!));
    expect(await neighbours(a!)).toEqual(subnetsOf(c!));
    await allReach([a!, b!, c!]);

    // The way to node-b changes: it is behind the router now, and then on the link again.
    const ping = new Pinger(a!.pod, b!.podIp, { interval: 0.01 });
    await ping.next();
    for (const [from, to] of [
      [a!, b!],
      [b!, a!],
    ] as const) {
      from.host.ip(`route add ${to.plan.address}/32 via 172.19.0.1 dev eth0`);
    }
    const moved = performance.now();
    await until("the overlay's route", async () => (await wayTo(a!, b!)) === overlay(b!));
    await until("that of the peer", async () => (await wayTo(b!, a!)) === overlay(a!));
    console.log(`a peer changed sides after ${Math.round(performance.now() - moved)} ms`);
    expect(await neighbours(a!)).toEqual([...subnetsOf(b!), ...subnetsOf(c!)].sort());
    expect(await answers(a!, b!.podIp)).toBe(true);
    for (const [from, to] of [
      [a!, b!],
      [b!, a!],
    ] as const) {
      from.host.ip(`route del ${to.plan.address}/32 via 172.19.0.1 dev eth0`);
    }
    await until("the direct route", async () => (await wayTo(a!, b!)) === direct(b!));
    await until("that of the peer", async () => (await wayTo(b!, a!)) === direct(a!));
    await until("no stale neighbour", async () => (await neighbours(a!)).join() === subnetsOf(c!).join());
    expect((await ping.stop()).lost).toEqual([]);
    expect(await answers(a!, c!.podIp)).toBe(true);

    // A peer that goes takes its direct route with it, also while nobody looks.
    await a!.stop();
    await b!.stop();
    for (const cidr of subnetsOf(b!)) cluster.remove(cidr.replace("/", "-"));
    await a!.start();
    await until("the end of the direct route", async () => (await wayTo(a!, b!)) === "");
    expect(await answers(a!, c!.podIp)).toBe(true);
  });

  it("follow a peer's new address with its direct route, and leave none when it is switched off", async () => {
    cluster = new DirectoryLab(CONF);
    const [a, b] = await cluster.start("node-a", "node-b");
    await until("the direct route", async () => (await wayTo(a!, b!)) === direct(b!));
    b!.host.sysctl({ "net/ipv4/conf/eth0/promote_secondaries": 1 });
    b!.host.ip("addr add 172.19.0.77/16 dev eth0", `addr del ${b!.plan.address}/16 dev eth0`);
    const moved = direct(b!).replace(b!.plan.address, "172.19.0.77");
    await until("the route to the new address", async () => (await wayTo(a!, b!)) === moved);
    await until("the pods", () => answers(a!, b!.podIp));
    await a!.stop();
    await b!.stop();
    cluster.setConf(JSON.stringify({ ...CONF, Backend: { Type: "vxlan" } }));
    await Promise.all([a!.start(), b!.start()]);
    await until("the overlay's route", async () => (await wayTo(a!, b!)) === overlay(b!));
    await until("that of the peer", async () => (await wayTo(b!, a!)) === overlay(a!));
    expect(await answers(a!, b!.podIp)).toBe(true);
  });
});
