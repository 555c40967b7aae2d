/**
 * `poplin doctor` and `poplin ping` on one healthy node, and on the same with a fault: the short form of what
 * doctor.full.test.ts and peer-ping.full.test.ts do.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { codes, doctor, healthy } from "./examined.ts";

let cluster: Cluster;
let a: PoplinNode;

describeWith([lab(), tool("iptables"), tool("tc")], "doctor and ping", () => {
  beforeAll(async () => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "kernel" },
      ],
    });
    a = cluster.poplin("node-a");
  });
  afterAll(() => cluster?.destroy());

  it("find nothing wrong where nothing is", async () => {
    await healthy(a);
    const { status, stdout } = await a.poplin(["ping", "-c", "1", cluster.node("node-b").plan.address]);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/VXLAN +ok /)]);
  });

  it("name what is wrong", async () => {
    const rule = "-p udp --dport 8472 -j DROP".split(" ");
    await a.host.exec("iptables", ["-A", "INPUT", ...rule]);
    const found = await doctor(a);
    const { status, stdout } = await a.poplin(["ping", "-c", "1", "--no-mtu", "172.19.0.3"], {
      check: false,
    });
    await a.host.exec("iptables", ["-D", "INPUT", ...rule]);
    expect([codes(found), found.status]).toEqual([["udp-in-dropped"], 1]);
    expect(found.findings[0]!.proof).toMatch(/grew by/);
    expect([status, stdout]).toEqual([1, expect.stringMatching(/VXLAN +FAIL /)]);
  });
});
