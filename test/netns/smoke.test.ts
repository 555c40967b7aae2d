/** The shortest proof that it works on this Node: poplin and the kernel's VXLAN, every pair, ping and TCP. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { roundTrip, transfer } from "../../src/lab/demo/measure.ts";
import { podAddress } from "../../src/lab/plan.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";

describeWith([lab(), tool("ping"), tool("iperf3")], `on Node ${process.version}`, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "poplin", underlay: "dgram" },
        { name: "node-c", kind: "poplin", underlay: "raw" },
        { name: "node-k", kind: "kernel" },
      ],
    });
  });
  afterAll(() => cluster?.destroy());

  const measured = { ok: true, value: expect.any(Number) };
  const names = ["node-a", "node-b", "node-c", "node-k"];
  for (const from of names) {
    for (const to of names.filter((name) => name !== from)) {
      it(`${from} to ${to}`, async () => {
        const [source, target] = [cluster.node(from), cluster.node(to)];
        const { v4 } = podAddress(target.plan);
        expect(await roundTrip(source.pod, v4)).toEqual(measured);
        expect(await transfer(source.pod, target.pod, v4, 1)).toEqual(measured);
      });
    }
  }

  it("the agents run on this Node, and say that all is well", async () => {
    for (const name of ["node-a", "node-b", "node-c"]) {
      const node = cluster.poplin(name);
      const { status, stdout } = await node.poplin(["status", "-j"]);
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ pid: node.pid, state: "running" });
    }
  });
});
