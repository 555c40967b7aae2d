/** `poplin top` and `poplin report` over an agent that carries packets, in a network namespace of its own. */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { podAddress } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { CommandLine } from "../cli/command.ts";
import { textsIn } from "../helpers/archive.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";

describeWith([lab(), tool("iperf3"), tool("nsenter"), tool("ethtool")], "a node at work", () => {
  let cluster: Cluster;
  let node: PoplinNode;
  const cli = new CommandLine();
  beforeAll(async () => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-k", kind: "kernel" },
      ],
    });
    node = cluster.poplin("node-a");
  });
  afterAll(async () => {
    await cli.close();
    await cluster?.destroy();
  });

  it("top: what the agent counts is what is shown, per second", async () => {
    const peer = cluster.node("node-k");
    const before = await node.client.stats();
    // From here, not from the node: pids are those of the machine.
    const top = cli.start(["top", "-j", "-d", "0.3", "--socket", node.socket]);
    const lines: string[] = [];
    const reader = createInterface(top.stdout!).on("line", (line) => lines.push(line));
    await once(reader, "line");
    await iperf(node.pod, peer.pod, podAddress(peer.plan).v4, ["-t", "1"]);
    await once(reader, "line");
    top.kill();
    const turns = lines.map((line) => JSON.parse(line));
    const sent = turns.reduce((sum, { rates }) => sum + rates.total.tx.bits * rates.seconds, 0) / 8;
    const all = (await node.client.stats()).txBytes - before.txBytes;
    expect(sent).toBeGreaterThan(all / 2);
    expect(sent).toBeLessThanOrEqual(all + 1);
    const busiest = turns.find(({ rates }) => rates.total.tx.packets > 1000)!;
    expect(busiest.rates.devices).toMatchObject([{ dev: "flannel.1", vni: 1, fdb: 1 }]);
    expect(busiest.rates.total.tx.batch).toBeGreaterThan(1);
    expect(turns.some(({ agent }) => agent.cpu > 0 && agent.threads.length > 0)).toBe(true);
    expect(busiest.agent).toMatchObject({ pid: node.pid, state: "running" });
  });

  it("report: the agent's network, not that of who asks", async () => {
    const file = `${cli.folder}/report.tar.gz`;
    const read = async (words: string): Promise<Map<string, string>> => {
      expect((await cli.poplin(`report -o ${file} --socket ${node.socket} ${words}`)).code).toBe(0);
      const texts = textsIn(file);
      rmSync(file);
      return texts;
    };
    const texts = await read("");
    expect(texts.get("index.md")).not.toMatch(/^- (status|fdb|process|ip-|ethtool|sysctl|config)/m);
    expect(texts.get("ip-link.txt")).toContain("flannel.1");
    expect(texts.get("ip-link.txt")).toContain("tun type tap");
    expect(texts.get("ip-route.txt")).toContain("dev flannel.1");
    expect(texts.get("sysctl.txt")).toContain("net/ipv4/conf/flannel.1/rp_filter:");
    expect(texts.get("ethtool.txt")).toContain("tcp-segmentation-offload:");
    expect(texts.get("sockets.txt")).toContain(":8472");
    expect(texts.get("config.yaml")).toMatch(/^vni: 1 +# \S+node-a\.yaml:\d+:\d+$/m);
    expect(texts.get("process.txt")).toContain("CAP_NET_ADMIN");
    expect(texts.get("log.txt")).toContain("forwarding VNI 1");

    // A peer's subnet is in the kernel's table and in the agent's status: still the same in both.
    const [peer] = (await node.client.status()).peers;
    const other = await read("--anonymize");
    const all = [...other.values()].join("\n");
    for (const word of [peer!.publicIp, peer!.vtepMac, peer!.subnets[0]!])
      expect(all.includes(word), word).toBe(false);
    const [subnet] = JSON.parse(other.get("status.json")!).peers[0].subnets;
    expect(other.get("ip-route.txt")).toContain(`${subnet} via `);
    expect(other.get("config-file.yaml")).toContain(subnet);
  });
});
