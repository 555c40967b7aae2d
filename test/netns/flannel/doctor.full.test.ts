/** `poplin doctor` on nodes of a flannel cluster: healthy ones are silent, what is wrong with the cluster's part is named. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { codes, doctor, healthy } from "../examined.ts";
import { ipv6 } from "../pods.ts";
import { allKnown, DirectoryLab, DUAL, keyOf, NET_CONF, subnetsOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

/** A folder that no machine has: what this one's runtime is told does not matter. */
const NO_CNI = ["--cni-dir", "/nowhere"];

async function found(node: FlannelNode, ...args: string[]): Promise<[string[], string, number | null]> {
  const examined = await doctor(node, ...(args.length > 0 ? args : NO_CNI));
  const seen = examined.findings.map((finding) => finding.seen).join("\n");
  return [codes(examined), seen, examined.status];
}

describeWith(
  [lab(), tool("iptables"), tool("nsenter")],
  "poplin doctor on a node of a flannel cluster",
  () => {
    let a: FlannelNode;
    let b: FlannelNode;

    beforeEach(async () => {
      cluster = new DirectoryLab();
      [a, b] = (await cluster.start("node-a", "node-b")) as [FlannelNode, FlannelNode];
      await healthy(a, ...NO_CNI);
    });

    it("finds a lease with another node's MAC, and one with a part of its subnet", async () => {
      const { mac } = (await b.status()).device;
      const [subnet] = subnetsOf(b);
      const lease = (VtepMAC: string) => ({
        PublicIP: "172.19.0.77",
        BackendType: "vxlan",
        BackendData: { VNI: 1, VtepMAC },
      });
      const part = subnet!.replace("/24", "-25");
      for (const [key, text] of [
        ["10.244.199.0-24", lease(mac)],
        [part, lease("02:00:00:00:00:77")],
      ] as const) {
        cluster.write(key, text);
        await until("the lease", async () => (await a.client.leases()).some((one) => one.key === key));
        expect([key, await found(a)]).toEqual([key, [["lease-bad"], expect.stringContaining(key), 0]]);
        cluster.remove(key);
        await healthy(a, ...NO_CNI);
      }
    });

    it("finds a subnet.env that says something else, or is gone, where it is not written again", async () => {
      const text = readFileSync(a.subnetFile, "utf8");
      const folder = dirname(a.subnetFile);
      // For the agent alone: it has a mount namespace of its own (`ip netns exec`).
      const mounted = (script: string) =>
        a.host.exec("nsenter", ["-t", String(a.pid), "-m", "sh", "-ec", script]);
      await mounted(`mount --bind ${folder} ${folder}; mount -o remount,ro,bind ${folder}`);
      writeFileSync(a.subnetFile, text.replace(/FLANNEL_MTU=.*/, "FLANNEL_MTU=1500"));
      expect(await found(a)).toEqual([["subnet-env-stale"], expect.stringMatching(/FLANNEL_MTU=1500/), 1]);
      writeFileSync(a.subnetFile, text.replace(/FLANNEL_SUBNET=.*/, "FLANNEL_SUBNET=10.244.222.1/24"));
      expect(await found(a)).toEqual([["subnet-env-stale"], expect.stringMatching(/10\.244\.222\.1/), 1]);
      rmSync(a.subnetFile);
      expect(await found(a)).toEqual([["subnet-env-stale"], expect.stringMatching(/no such file/), 1]);
      await mounted(`umount ${folder}`);
      await healthy(a, ...NO_CNI);
    });

    it("does not take for stale what is written again meanwhile", async () => {
      rmSync(a.subnetFile);
      expect(await found(a)).toEqual([[], "", 0]);
    });

    it("finds another flanneld", async () => {
      // The kernel calls a process by its file's name.
      const program = cluster.lab.file("flanneld");
      copyFileSync("/bin/sleep", program);
      await a.host.exec("chmod", ["755", program]);
      const other = a.host.spawn(program, ["60"], { stdio: "ignore" });
      await until("it", async () => (await found(a))[0].length > 0);
      expect(await found(a)).toEqual([
        ["flanneld-running"],
        expect.stringMatching(new RegExp(`pid ${other.pid}`)),
        1,
      ]);
      other.kill("SIGKILL");
      await healthy(a, ...NO_CNI);
    });

    it("finds a container runtime that is told of another network", async () => {
      const folder = cluster.lab.file("net.d");
      mkdirSync(folder);
      writeFileSync(join(folder, "10-bridge.conf"), '{"name": "x", "type": "bridge"}');
      expect(await found(a, "--cni-dir", folder)).toEqual([
        ["cni-conf-missing"],
        expect.stringMatching(/only 10-bridge.conf/),
        0,
      ]);
      writeFileSync(join(folder, "05-flannel.conflist"), '{"name": "x", "plugins": [{"type": "flannel"}]}');
      await healthy(a, "--cni-dir", folder);
    });

    it("knows of flannel's rules in FORWARD: a policy of DROP is none of a fault where they are", async () => {
      await a.host.exec("iptables", ["-P", "FORWARD", "DROP"]);
      await healthy(a, ...NO_CNI);
      await a.stop();
      a.options = { ...a.options, flags: [...a.options.flags, "--iptables-forward-rules=false"] };
      await a.start();
      await allKnown([a, b]);
      expect(await found(a)).toEqual([["forward-dropped"], expect.stringMatching(/FORWARD DROP/), 1]);
    });
  },
);

describeWith([lab(), ipv6(), tool("iptables")], "poplin doctor on a node of both families", () => {
  it("is silent", async () => {
    cluster = new DirectoryLab(DUAL);
    const [a] = await cluster.start("node-a", "node-b");
    await healthy(a!, ...NO_CNI);
  });
});

describeWith([lab(), tool("iptables")], "poplin ping from a node of a flannel cluster", () => {
  it("knows peers by their leases", async () => {
    cluster = new DirectoryLab();
    const [a, b] = await cluster.start("node-a", "node-b");
    const { status, stdout } = await a!.poplin(["ping", keyOf(b!)], { check: false });
    expect([status, stdout]).toEqual([0, expect.stringContaining(`peer ${keyOf(b!)}, ${b!.plan.address}, `)]);
  });

  it("says that a peer is reached past the overlay, which is none of a fault", async () => {
    cluster = new DirectoryLab({ ...NET_CONF, Backend: { Type: "vxlan", DirectRouting: true } });
    const [a, b] = await cluster.start("node-a", "node-b");
    await healthy(a!, ...NO_CNI);
    const { status, stdout } = await a!.poplin(["ping", b!.plan.address], { check: false });
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/VXLAN +- +its pods are reached past the overlay/),
    ]);
    expect(stdout).toMatch(/inner +ok /);
  });
});
