/** Offloads: what the probes find here, and what an agent makes of it and says about it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OFFLOAD_NAMES } from "../../src/dataplane/offloads.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { canMakeNamespaces, Inside } from "./inside.ts";
import type * as scenarios from "./probe-scenarios.ts";

/** Hairpin transmit is tried by the agent, and only where it is asked for. */
const PROBED = OFFLOAD_NAMES.filter((name) => name !== "hairpin");

/** Milliseconds that the probes may add to a start. */
const QUICK = 40;

describe.runIf(canMakeNamespaces)("the probes", () => {
  let inside: Inside;
  beforeEach(() => {
    inside = new Inside(new URL("./probe-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  type Returned<S extends keyof typeof scenarios> = Awaited<ReturnType<(typeof scenarios)[S]>>;

  it("find that this kernel can do everything, quickly, and leave no device behind", async () => {
    const { found, best, left } = await inside.run<Returned<"plain">>("plain");
    expect(found).toEqual(Object.fromEntries(PROBED.map((name) => [name, null])));
    expect(left).toEqual(["lo"]);
    console.log(`all probes: ${best.toFixed(1)} ms`);
    expect(best).toBeLessThan(QUICK);
  });

  it("hold nothing against UDP where loopback is down", async () => {
    expect(await inside.run("noLoopback")).toEqual({ "udp-gso": null, "udp-gro": null });
  });

  it("never throw: what could not be tried is off, and says why", async () => {
    const found = await inside.run<Record<string, string>>("noDevice");
    expect(Object.keys(found).sort()).toEqual([...PROBED].sort());
    for (const [name, why] of Object.entries(found)) {
      expect(why, name).toMatch(/^it could not be tried: .*(\/dev\/net\/tun|EADDRNOTAVAIL)/);
    }
  });
});

describeWith([lab(), tool("tc"), tool("ethtool")], "an agent", () => {
  let cluster: Cluster | undefined;
  afterEach(() => cluster?.destroy());

  async function start(underlay: "batch" | "dgram" | "raw", config: Record<string, unknown> = {}) {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin", underlay, config },
        { name: "node-b", kind: "kernel" },
      ],
    });
    const a = cluster.poplin("node-a");
    const { offloads } = await a.status();
    expect(offloads.hairpin.why).toBe("switched off");
    const off = PROBED.map((name) => [name, offloads[name]] as const).filter(([, { on }]) => !on);
    return { a, off: Object.fromEntries(off.map(([name, { why }]) => [name, why])) };
  }

  it("uses them all, on a TAP without a queueing discipline, also on one that it takes over", async () => {
    const { a, off } = await start("batch");
    expect(off).toEqual({});
    expect((await a.poplin(["status"])).stdout).toMatch(/^ {2}offloads {3}all on$/m);
    const qdisc = async () => (await a.host.exec("tc", ["qdisc", "show", "dev", DEVICE])).stdout;
    expect(await qdisc()).toMatch(/^qdisc noqueue /);
    const { stdout } = await a.host.exec("ethtool", ["-k", DEVICE]);
    for (const feature of ["tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation"]) {
      expect(stdout).toMatch(new RegExp(`${feature}: on`));
    }
    await a.stop();
    await a.host.exec("tc", ["qdisc", "replace", "dev", DEVICE, "root", "pfifo_fast"]);
    await a.startAgent();
    expect(await qdisc()).toMatch(/^qdisc noqueue /);
    const again = (await a.status()).offloads;
    expect(PROBED.every((name) => again[name].on)).toBe(true);
  });

  it("does without those that are switched off, and says so", async () => {
    const { a, off } = await start("batch", { offload: { "tap-csum": "off", "udp-gro": "off" } });
    expect(off).toEqual({
      "tap-csum": "switched off",
      "tap-tso": "it needs tap-csum",
      "tap-uso": "it needs tap-csum",
      "udp-gro": "switched off",
    });
    const { stdout } = await a.poplin(["status"]);
    expect(stdout).toMatch(/^ {2}offloads {3}udp-gso, tcp-coalesce, udp-coalesce$/m);
    expect(stdout).toMatch(/^ {4}off {6}tap-tso: it needs tap-csum$/m);
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    const features = (await a.host.exec("ethtool", ["-k", DEVICE])).stdout;
    expect(features).toMatch(/tx-checksum-ip-generic: off/);
    expect(features).toMatch(/tx-tcp-segmentation: off/);
    expect((await a.status()).underlay.capabilities).toMatchObject({ gro: false, gso: true });
  });

  it("with all of them off tries none", async () => {
    const { a, off } = await start("batch", { offload: "all=off" });
    expect(Object.keys(off)).toEqual(PROBED);
    expect((await a.poplin(["status"])).stdout).toMatch(/^ {2}offloads {3}none$/m);
  });

  it("knows that a zero checksum excludes UDP_SEGMENT", async () => {
    const { off } = await start("batch", { udpChecksum: "zero" });
    expect(off).toEqual({ "udp-gso": "impossible with `udpChecksum: zero`" });
  });

  it("with dgram, does what can be done without the socket", async () => {
    const { off } = await start("dgram");
    expect(off).toEqual({
      "udp-gso": "the dgram underlay sends datagrams one by one",
      "udp-gro": "the dgram underlay receives datagrams one by one",
    });
  });

  it("sends super-frames whole where it is asked to and the host lets it, and says why not where it does not", async () => {
    cluster = Cluster.build({
      nodes: ["node-a", "node-b"].map((name) => ({
        name,
        kind: "poplin",
        config: { offload: "hairpin=on" },
      })),
    });
    // The stricter of this and the device's own setting counts.
    cluster.node("node-b").host.sysctl({ "net/ipv4/conf/all/rp_filter": 1 });
    await cluster.startAll();
    const [a, b] = ["node-a", "node-b"].map((name) => cluster!.poplin(name)) as [PoplinNode, PoplinNode];
    expect((await a.status()).offloads.hairpin).toEqual({ on: true, why: null });
    expect((await a.poplin(["status"])).stdout).toMatch(/^ {2}offloads {3}all on, hairpin too$/m);
    const { on, why } = (await b.status()).offloads.hairpin;
    expect([on, why]).toEqual([false, expect.stringMatching(/all\.rp_filter is 1/)]);
    const listed = async (node: PoplinNode) => (await node.host.exec("ip", ["-br", "link"])).stdout;
    expect(await listed(a)).toMatch(/^poplin-hp0 /m);
    expect(await listed(b)).not.toMatch(/poplin-hp/);
    await a.stop();
    expect(await listed(a)).not.toMatch(/poplin-hp/);
  });

  describeWith([optionalPackage("raw-socket")], "with raw", () => {
    it("receives by UDP_GRO and sends one by one", async () => {
      const { off } = await start("raw");
      expect(off).toEqual({ "udp-gso": "the raw underlay sends datagrams one by one" });
    });
  });
});
