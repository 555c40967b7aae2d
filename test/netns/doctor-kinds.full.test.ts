/** `poplin doctor` is silent on healthy nodes of every kind: other underlays, IPv6 below, several overlays, a port of a bridge. */
import { afterEach, expect, it } from "vitest";
import { AgentProcess } from "../../src/lab/agent-process.ts";
import { Cluster, type ClusterOptions } from "../../src/lab/cluster.ts";
import { Lab } from "../../src/lab/lab.ts";
import { switchNetwork } from "../../src/lab/network.ts";
import { planNode } from "../../src/lab/plan.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { codes, doctor, healthy } from "./examined.ts";
import { ipv6 } from "./pods.ts";

let cluster: Cluster | undefined;
let alone: Lab | undefined;
afterEach(() => {
  cluster?.destroy();
  alone?.destroy();
});

async function silent(options: Omit<ClusterOptions, "nodes">, node: object): Promise<void> {
  cluster = await Cluster.start({
    ...options,
    nodes: [
      { name: "node-a", kind: "poplin", ...node },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const a = cluster.poplin("node-a");
  await healthy(a);
  const { status, stdout } = await a.poplin(["ping", cluster.node("node-b").vtepAddress()], { check: false });
  expect(stdout).not.toMatch(/FAIL/);
  expect(status).toBe(0);
}

describeWith(
  [lab(), ipv6(), tool("ethtool"), optionalPackage("raw-socket")],
  "poplin doctor is silent",
  () => {
    it("with the underlay dgram, through a router", () => silent({ router: true }, { underlay: "dgram" }));
    it("with the underlay raw", () => silent({}, { underlay: "raw" }));
    it("over IPv6, with both families inside", () => silent({ family: 6, ipv6: true }, {}));
    it("with two queues and every offload off", () =>
      silent({}, { args: ["--queues", "2", "--offload", "all=off"] }));

    it("with two overlays, one of which nobody else has", () =>
      silent({}, { config: { overlays: [{ vni: 7, device: "vx7", address: "10.77.0.1/32" }] } }));

    it("with a device that learns and is a port of a bridge", async () => {
      alone = Lab.create();
      const network = switchNetwork(alone);
      const nodes = ["node-a", "node-b"].map((name, i) => {
        const host = alone!.addHost(name);
        network.attach(host, planNode(name, i));
        const files = { socket: alone!.file(`${name}.sock`), log: alone!.file(`${name}.log`) };
        const remote = planNode("other", 1 - i).address;
        const agent = new AgentProcess(host, files);
        agent.spawn([
          "vtep",
          "--vni",
          "100",
          "--device",
          "vx100",
          "--remote",
          remote,
          "--socket",
          files.socket,
        ]);
        return agent;
      });
      await Promise.all(nodes.map((node) => node.ready()));
      nodes[0]!.host.ip("link add br0 type bridge", "link set vx100 master br0", "link set br0 up");
      await healthy(nodes[0]!);
      const { status, stdout } = await nodes[0]!.poplin(["ping", planNode("node-b", 1).address], {
        check: false,
      });
      expect([status, stdout]).toEqual([0, expect.stringMatching(/VXLAN +- +no address inside is known/)]);
      expect(codes(await doctor(nodes[0]!))).toEqual([]);
    });
  },
);
