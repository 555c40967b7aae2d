/**
 * `poplin doctor` on a node in a network: each fault that is planted is found and named, it and no other, and is gone
 * when it is taken away; a healthy node is silent.
 *
 *   node-a (poplin, examined), node-b (kernel VXLAN), node-c (poplin)
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { FAULTS } from "./doctor-faults.ts";
import { codes, doctor, healthy } from "./examined.ts";
import { threeNodes } from "./three-nodes.ts";

let cluster: Cluster;
let a: PoplinNode;
let b: LabNode;
let c: PoplinNode;

describeWith(
  [lab(), tool("iptables"), tool("nft"), tool("tc"), tool("nsenter"), tool("setpriv"), tool("unshare")],
  "poplin doctor",
  () => {
    beforeAll(async () => {
      ({ cluster, a, b, c } = await threeNodes());
    });
    afterAll(() => cluster?.destroy());

    it("says nothing of a healthy node but how much was looked at", async () => {
      for (const node of [a, c]) {
        await healthy(node);
        const { stdout } = await node.poplin(["doctor"]);
        expect(stdout).toMatch(/^\d\d checks, all fine\n$/);
      }
    });

    it("changes nothing on the host, nor does ping", async () => {
      const commands = [
        "ip addr; ip neigh show nud permanent; ip rule; ip route show table all",
        "iptables-save; ip6tables-save; nft list ruleset; tc qdisc show",
        "cd /proc/sys/net && grep -r . ipv4/conf ipv4/ip_forward ipv6/conf core 2>/dev/null | sort",
      ];
      const look = async () =>
        (await a.host.exec("sh", ["-c", commands.join("; ")])).stdout.replace(/^#.*\n/gm, "");
      const rows = async () => JSON.stringify([await a.client.fdb(), await a.client.plan()]);
      const before = [await look(), await rows()];
      expect(before[0]).toMatch(/flannel\.1/);
      for (const args of [["doctor"], ["doctor", "--pre"], ["ping", b.plan.address]]) {
        await a.poplin(args, { check: false });
        // The TAP that was tried goes with its process, and the kernel takes its time.
        await until("its end", async () => (await look()) === before[0], 2000).catch(() => {});
        expect([args, await look(), await rows()]).toEqual([args, ...before]);
      }
    });

    for (const [name, planted] of Object.entries(FAULTS)) {
      it(`finds ${name}`, async () => {
        const { code, plant, remove, seen, status = 1 } = planted({ cluster, a, b, c });
        await plant();
        try {
          const found = await doctor(a);
          expect(codes(found), found.text).toEqual([code]);
          expect(found.findings[0]!.seen).toMatch(seen);
          for (const part of ["why", "remedy", "proof"] as const)
            expect(found.findings[0]![part]).not.toBe("");
          expect(found.status).toBe(status);
        } finally {
          await remove();
        }
        await healthy(a);
      });
    }
  },
);
