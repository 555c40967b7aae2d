/** Pods made by Debian's CNI plugins, both ways: they have what they should, reach each other, and leave nothing. */
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { CniPluginError } from "../../../src/lab/cni.ts";
import type { Host } from "../../../src/lab/host.ts";
import { IPV6 } from "../../../src/lab/plan.ts";
import {
  cniExecutable,
  cniPlugins,
  describeFull,
  describeWith,
  namespaces,
  tool,
} from "../../helpers/needs.ts";
import {
  type CniStage,
  ENV,
  expectState,
  mapped,
  type StageOptions,
  settledStage,
  WAYS,
  type Way,
} from "./stage.ts";

let stage: CniStage | undefined;
afterEach(() => stage?.destroy());

async function settled(way: Way, options: StageOptions = {}): Promise<CniStage> {
  stage = await settledStage(way, options);
  return stage;
}

/** Starts a server on port 80 of a pod, which answers who asks. */
async function serve(pod: Host): Promise<void> {
  const script = `require("http").createServer((q, s) => s.end(q.socket.remoteAddress)).listen(80, "::", () => console.log())`;
  const server = pod.spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout!, "data");
}

/** What it answers; "" where nobody does. */
async function ask(from: Host, url: string): Promise<string> {
  const script = `fetch("${url}", { signal: AbortSignal.timeout(3000) }).then(async (r) => console.log(await r.text()), () => {})`;
  const { stdout } = await from.exec(process.execPath, ["-e", script]);
  return stdout.trim().replace("::ffff:", "");
}

async function reaches(from: Host, address: string): Promise<boolean> {
  // The longest packet that fits.
  const size = String(ENV.mtu - (address.includes(":") ? 48 : 28));
  const words = ["-n", "-c", "2", "-i", "0.1", "-W", "2", "-M", "do", "-s", size, address];
  return (await from.exec("ping", words, { check: false })).status === 0;
}

const NEEDS = [namespaces(), cniPlugins(), tool("ping"), tool("iptables"), tool("nft"), cniExecutable()];

describeWith(NEEDS, "pods made by CNI plugins", () => {
  describe.each(WAYS)("by way of the %s", (way) => {
    it("have an address of each family, the overlay's MTU, and reach each other and the node; DEL leaves nothing", async () => {
      const { cni, node, state, addPods, client } = bound(await settled(way));
      const before = await state();
      const [a, b] = addPods(2) as [Host, Host];
      const [{ ips = [] }, { ips: others = [] }] = [await cni.add(a), await cni.add(b)];
      expect(ips).toEqual([
        expect.objectContaining({
          address: expect.stringMatching(/^10\.244\.1\.\d+\/24$/),
          gateway: "10.244.1.1",
        }),
        ...(IPV6
          ? [
              expect.objectContaining({
                address: expect.stringMatching(/^fd00:10:244:1::\w+\/64$/),
                gateway: "fd00:10:244:1::1",
              }),
            ]
          : []),
      ]);
      const addresses = others.map(({ address }) => address.split("/")[0]!);
      for (const address of addresses) {
        expect([address, await reaches(a, address)]).toEqual([address, true]);
        expect([address, await reaches(node, address)]).toEqual([address, true]);
      }
      expect(await reaches(a, "192.0.2.2")).toBe(true);
      expect(await reaches(client, addresses[0]!)).toBe(true);
      expect((await a.exec("ip", ["link", "show", "eth0"])).stdout).toContain("mtu 1430");
      expect((await a.exec("ip", ["route"])).stdout).toMatch(/^default via 10\.244\.1\.1 /m);
      expect((await node.exec("bridge", ["-d", "link"])).stdout).toMatch(/hairpin on/);
      await cni.del(a);
      await cni.del(b);
      expect((await a.exec("ip", ["-br", "link"])).stdout).not.toContain("eth0");
      await expectState(stage!, before);
      // A second time it is nothing to complain about.
      await cni.del(a);
    });
  });

  it("the plugin finds them healthy at CHECK, until somebody breaks them", async () => {
    const { cni, addPods } = bound(await settled("plugin"));
    const [a] = addPods(1) as [Host];
    await cni.add(a);
    await cni.check(a);
    a.ip("route del 10.244.0.0/16");
    const broken = await cni.check(a).catch((error) => error);
    expect(broken).toBeInstanceOf(CniPluginError);
    expect([broken.plugin, broken.cni.msg]).toEqual([
      "flannel",
      expect.stringMatching(/10\.244\.0\.0.*not found/),
    ]);
  });

  it("the plugin works with kube-flannel's version of CNI, which has no CHECK", async () => {
    const { cni, state, addPods } = bound(await settled("plugin", { cniVersion: "0.3.1" }));
    const before = await state();
    const [a, b] = addPods(2) as [Host, Host];
    const { ips = [] } = await cni.add(a);
    await cni.add(b);
    expect(await reaches(b, ips[0]!.address.split("/")[0]!)).toBe(true);
    await expect(cni.check(a)).rejects.toThrow(/allows no CHECK/);
    for (const pod of [a, b]) await cni.del(pod);
    await expectState(stage!, before);
  });
});

describeFull(NEEDS, "pods made by CNI plugins, in full", () => {
  describe.each(WAYS)("by way of the %s", (way) => {
    it("are reached by a port of the node's, from outside and by way of the node from the pod itself", async () => {
      const { cni, state, addPods, client } = bound(await settled(way));
      const before = await state();
      const [a, b] = addPods(2) as [Host, Host];
      await cni.add(a, { capabilities: mapped(8080) });
      await cni.add(b);
      await serve(a);
      const url = "http://192.0.2.1:8080/";
      expect(await ask(client, url)).toBe("192.0.2.2");
      expect(await ask(b, url)).toMatch(/^10\.244\.1\./);
      // Hairpin: out of the bridge's port by which it came in.
      expect(await ask(a, url)).not.toBe("");
      await cni.del(a);
      expect(await ask(client, url)).toBe("");
      await cni.del(b);
      await expectState(stage!, before);
    });

    it("are masqueraded by the plugins where the node does not", async () => {
      const { cni, state, addPods, client } = bound(await settled(way, { env: { ...ENV, ipMasq: false } }));
      const before = await state();
      await serve(client);
      const [a] = addPods(1) as [Host];
      await cni.add(a);
      expect(await ask(a, "http://192.0.2.2/")).toBe("192.0.2.1");
      await cni.del(a);
      await expectState(stage!, before);
    });

    it("one whose namespace is gone leaves nothing", async () => {
      const { cni, state, addPods } = bound(await settled(way));
      const before = await state();
      const [a] = addPods(1) as [Host];
      await cni.add(a, { capabilities: mapped(8081) });
      await a.exec("ip", ["link", "del", "eth0"]);
      await cni.del(a, { netns: "" });
      await expectState(stage!, before);
    });

    it("one that cannot be had, since all addresses are taken, is refused in host-local's words and leaves nothing", async () => {
      const env = { ...ENV, ipv4: { network: "10.244.0.0/16", subnet: "10.244.1.1/30" }, ipv6: null };
      const { cni, state, addPods } = bound(await settled(way, { env }));
      const [a, b] = addPods(2) as [Host, Host];
      await cni.add(a);
      const before = await state();
      const refused = await cni.add(b).catch((error) => error);
      expect(refused.message).toMatch(/^ADD by (flannel|bridge): .*no IP addresses available in range set/);
      await expectState(stage!, before);
      await cni.del(a);
      await cni.add(b);
    });
  });
});

/** The stage's parts, to be named alone. */
function bound(on: CniStage) {
  const { cni, node, client } = on;
  return { cni, node, client, state: () => on.state(), addPods: (count: number) => on.addPods(count) };
}
