/** The firewall's rules of a node, rule by rule, and what they do: pods are masqueraded towards the outside alone. */
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import type { Host } from "../../../src/lab/host.ts";
import { UNDERLAY } from "../../../src/lab/plan.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { ipv6 } from "../pods.ts";
import { allKnown, DirectoryLab, DUAL, lines, NET_CONF, subnetsOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

const FLAGS = ["--ip-masq", "--iptables-resync=1"];

const LISTEN = `require("net").createServer((s) => { console.log(s.remoteAddress); process.exit(); })
  .listen(7000, "0.0.0.0", () => console.log("listening"))`;

/** Connects to a host. @returns from which address it saw that come */
async function sourceSeen(from: Host, at: Host, address: string): Promise<string> {
  const server = at.spawn(process.execPath, ["-e", LISTEN], { stdio: ["ignore", "pipe", "inherit"] });
  const said = (async () => String((await once(server.stdout!, "data"))[0]).trim())();
  expect(await said).toBe("listening");
  const seen = once(server.stdout!, "data");
  await from.exec(process.execPath, [
    ...["-e", `require("net").connect(7000, "${address}").on("error", () => {}).resume()`],
  ]);
  return String((await seen)[0]).trim();
}

/** From the pod to the outside, to the other node's pod, and from the node itself to that pod. */
async function checkSources(a: FlannelNode, b: FlannelNode): Promise<void> {
  const outside = cluster.network.middle;
  expect(await sourceSeen(a.pod, outside, UNDERLAY.gateway)).toBe(a.plan.address);
  expect(await sourceSeen(a.pod, b.pod, b.podIp)).toBe(a.podIp);
  expect(await sourceSeen(a.host, b.pod, b.podIp)).toBe(subnetsOf(a)[0]!.replace("/24", ""));
}

async function start(names: readonly string[], conf: object): Promise<FlannelNode[]> {
  cluster = new DirectoryLab(conf);
  cluster.network.middle.ip(`addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`);
  const nodes = names.map((name) => cluster.node(name, FLAGS));
  await Promise.all(nodes.map((node) => node.start()));
  await allKnown(nodes);
  return nodes;
}

async function iptables(node: FlannelNode, table: string): Promise<string> {
  return (await node.host.exec("iptables", ["-t", table, "-S"])).stdout;
}

/** As on a node of a real cluster, as `iptables -t nat -S` shows it; `own` is the node's subnet. */
const natRules = (own: string) => `-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-N FLANNEL-POSTRTG
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s ${own} -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d ${own} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d ${own} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
`;

const FILTER_RULES = `-P INPUT ACCEPT
-P FORWARD ACCEPT
-P OUTPUT ACCEPT
-N FLANNEL-FWD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
`;

/** As `nft list table` shows it. */
const nftTable = (own: string) => `table ip flannel-ipv4 {
	chain postrtg {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		ip saddr ${own} ip daddr 10.244.0.0/16 return
		ip saddr 10.244.0.0/16 ip daddr ${own} return
		ip saddr != 10.244.0.0/16 ip daddr ${own} return
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr 10.244.0.0/16 accept
		ip daddr 10.244.0.0/16 accept
	}
}
`;

const NEEDS = [lab(), tool("iptables"), tool("nft")];

describeWith(NEEDS, "the rules of iptables", () => {
  it("are flannel's, rule by rule; masquerade what leaves the network; come back when they are flushed", async () => {
    const [a, b] = await start(["node-a", "node-b"], NET_CONF);
    for (const node of [a!, b!]) {
      expect(await iptables(node, "nat")).toBe(natRules(subnetsOf(node)[0]!));
      expect(await iptables(node, "filter")).toBe(FILTER_RULES);
    }
    await checkSources(a!, b!);
    const flushed = performance.now();
    await a!.host.exec("iptables", ["-t", "nat", "-F"]);
    await a!.host.exec("iptables", ["-F", "FLANNEL-FWD"]);
    const back = async () =>
      (await iptables(a!, "nat")) === natRules(subnetsOf(a!)[0]!) &&
      (await iptables(a!, "filter")) === FILTER_RULES;
    await until("the rules", back);
    console.log(`rules back after ${Math.round(performance.now() - flushed)} ms, looked after each second`);
    expect(lines(a!, /rules/).filter((line) => / warn /.test(line))).not.toEqual([]);
    await checkSources(a!, b!);
  });
});

describeWith(NEEDS, "the rules of nftables", () => {
  it("take the place of those of iptables, masquerade what leaves, and come back when they are flushed or deleted", async () => {
    const [a, b] = await start(["node-a", "node-b"], NET_CONF);
    for (const node of [a!, b!]) await node.stop();
    cluster.setConf(JSON.stringify({ ...NET_CONF, EnableNFTables: true }));
    await Promise.all([a!, b!].map((node) => node.start()));
    await allKnown([a!, b!]);
    for (const table of ["nat", "filter"]) expect(await iptables(a!, table)).not.toMatch(/FLANNEL/);
    const table = async () => {
      const words = ["list", "table", "ip", "flannel-ipv4"];
      return (await a!.host.exec("nft", words, { check: false })).stdout;
    };
    const wanted = nftTable(subnetsOf(a!)[0]!);
    expect(await table()).toBe(wanted);
    await checkSources(a!, b!);
    for (const word of ["flush", "delete"]) {
      await a!.host.exec("nft", [word, "table", "ip", "flannel-ipv4"]);
      await until(`the rules after ${word}`, async () => (await table()) === wanted);
    }
    await checkSources(a!, b!);
    // And back.
    await a!.stop();
    cluster.setConf(JSON.stringify(NET_CONF));
    await a!.start();
    expect((await a!.host.exec("nft", ["list", "tables"])).stdout).not.toMatch(/flannel-ipv/);
    expect(await iptables(a!, "nat")).toBe(natRules(subnetsOf(a!)[0]!));
  });
});

describeWith([...NEEDS, ipv6(), tool("ip6tables")], "the rules of a node of both families", () => {
  it("are the same for IPv6, with its groups, by iptables and by nftables", async () => {
    const [a] = await start(["node-a"], DUAL);
    const [own, own6] = subnetsOf(a!);
    const list = async (...words: string[]) => (await a!.host.exec(words[0]!, words.slice(1))).stdout;
    const six = (text: string) =>
      text
        .replaceAll("10.244.0.0/16", "fd00:10:244::/48")
        .replaceAll(own!, own6!)
        .replace("224.0.0.0/4", "ff00::/8");
    expect(await iptables(a!, "nat")).toBe(natRules(own!));
    expect(await list("ip6tables", "-t", "nat", "-S")).toBe(six(natRules(own!)));
    expect(await list("ip6tables", "-S")).toBe(six(FILTER_RULES));
    await a!.stop();
    cluster.setConf(JSON.stringify({ ...DUAL, EnableNFTables: true }));
    await a!.start();
    expect(await list("ip6tables", "-t", "nat", "-S")).not.toMatch(/FLANNEL/);
    expect(await list("nft", "list", "table", "ip", "flannel-ipv4")).toBe(nftTable(own!));
    const table6 = six(nftTable(own!))
      .replace("table ip flannel-ipv4", "table ip6 flannel-ipv6")
      .replaceAll("ip saddr", "ip6 saddr")
      .replaceAll("ip daddr", "ip6 daddr");
    expect(await list("nft", "list", "table", "ip6", "flannel-ipv6")).toBe(table6);
  });
});
