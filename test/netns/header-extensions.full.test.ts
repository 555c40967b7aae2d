/**
 * What two ends have to agree on, against the kernel's VXLAN with the same options, both ways: group policies, VLAN tags,
 * UDP checksums of zero over IPv6.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import { DEVICE, type LabNode, VNI, VXLAN_PORT } from "../../src/lab/node.ts";
import { frame, vxlan } from "../dataplane/frames.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { tshark } from "../helpers/tshark.ts";
import { dropsSince, reload, until } from "./agents.ts";
import { captured } from "./capture.ts";
import { inject, ipv6, serve, stream } from "./pods.ts";
import { ready } from "./stress/traffic.ts";

const TAGGER = fileURLToPath(new URL("./stress/tagger.mjs", import.meta.url));

const NEEDS = [lab(), ...["tshark", "tcpdump", "ethtool", "ping"].map(tool)];

/** Two pings. @returns whether both were answered */
async function reaches(from: LabNode, to: string, ...options: string[]): Promise<boolean> {
  const args = ["-n", "-c", "2", "-i", "0.1", "-W", "1", ...options, to];
  return (await from.host.exec("ping", args, { check: false })).status === 0;
}

describeWith(NEEDS, "group policies", () => {
  let cluster: Cluster;
  /** node-b names a group; node-k understands them; node-x does not. */
  beforeAll(async () => {
    const config = { gbp: "4660,dontLearn,applied", reservedBits: "linux" };
    const nodes: NodeSpec[] = [
      { name: "node-b", kind: "poplin", config },
      { name: "node-k", kind: "kernel", vxlan: "gbp" },
      { name: "node-x", kind: "kernel" },
    ];
    cluster = await Cluster.start({ nodes, router: true });
    // The kernel's answer to a ping has the mark of the question, and so names the same group.
    await cluster.node("node-k").host.exec("sysctl", ["-qw", "net.ipv4.fwmark_reflect=1"]);
  });
  afterAll(() => cluster?.destroy());

  it("option gbp: ours is the kernel's mark, and the kernel's mark is ours", async () => {
    const b = cluster.poplin("node-b");
    expect((await b.status()).dataplane.lastGroup).toBeNull();
    const k = cluster.node("node-k").plan.overlay;
    const file = await captured(cluster, ["node-k", "node-b"], async () => {
      expect(await reaches(b, k)).toBe(true);
    });
    const names = ["ip.src", "vxlan.flags", "vxlan.gbp", "vxlan.vni"];
    const headers = tshark(file, names, "vxlan and icmp");
    expect(headers).toHaveLength(4);
    const said = headers.map((row) => names.slice(1).map((name) => row[name]![0]));
    for (const one of said) expect(one).toEqual(said[0]); // two of ours, two of the kernel's
    expect(said[0]!.map(Number)).toEqual([0x8848, 4660, 1]);
    const group = { group: 4660, dontLearn: true, applied: true };
    const { policy, dataplane } = await b.status();
    expect([policy.gbp, dataplane.lastGroup]).toEqual([group, group]);
    const { rxGbp, rxFrames } = await b.client.stats();
    expect([rxGbp, rxFrames]).toEqual([2, 2]);
  });

  it("a mark on the kernel's side is shown; without one the G bit is clear, and nothing is counted", async () => {
    const b = cluster.poplin("node-b");
    const k = cluster.node("node-k");
    const before = (await b.client.stats()).rxGbp;
    expect(await reaches(k, b.plan.overlay, "-m", "77")).toBe(true);
    expect((await b.status()).dataplane.lastGroup).toEqual({ group: 77, dontLearn: false, applied: false });
    expect((await b.client.stats()).rxGbp).toBe(before + 2);
    expect(await reaches(k, b.plan.overlay)).toBe(true);
    expect((await b.client.stats()).rxGbp).toBe(before + 2);
  });

  it("a kernel without gbp refuses what names a group, and so do we under reservedBits linux", async () => {
    const b = cluster.poplin("node-b");
    const [k, x] = [cluster.node("node-k"), cluster.node("node-x")];
    expect(await reaches(b, x.plan.overlay)).toBe(false);
    b.config.gbp = "off";
    expect(await reload(b)).toMatchObject({ ok: true });
    expect(await reaches(b, x.plan.overlay)).toBe(true);
    const before = await b.client.stats();
    expect(await reaches(k, b.plan.overlay, "-m", "77")).toBe(false);
    expect(dropsSince(before, await b.client.stats())).toEqual({ tx: {}, rx: { VXLAN_RESERVED_BITS: 2 } });
    b.config.gbp = "on"; // it understands groups, and names none
    expect(await reload(b)).toMatchObject({ ok: true });
    expect(await reaches(k, b.plan.overlay, "-m", "78")).toBe(true);
    expect(await reaches(b, x.plan.overlay)).toBe(true);
    expect((await b.status()).dataplane.lastGroup?.group).toBe(78);
  });
});

const TAG = 100;
const THERE = "10.100.0.2";
const BRIDGE_MAC = "02:00:00:00:01:01";

/** Gives a node a VLAN device, as a program that puts tags on (not every kernel has those), bridged with the overlay's. */
async function addVlan({ host }: LabNode, to: LabNode): Promise<void> {
  const options = JSON.stringify({ inner: "tagged0", trunk: "trunk0", tag: TAG });
  const stdio = ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"];
  await ready(host.spawn(process.execPath, [TAGGER, options], { stdio }), host);
  host.ip(
    `link add br-vlan address ${BRIDGE_MAC} type bridge`,
    ...["trunk0", DEVICE].map((port) => `link set ${port} master br-vlan`),
    "link set tagged0 mtu 1400",
    ...["tagged0", "trunk0", "br-vlan"].map((device) => `link set ${device} up`),
    "addr add 10.100.0.1/24 dev tagged0",
    `neigh add ${THERE} lladdr ${to.plan.vtepMac} dev tagged0 nud permanent`,
  );
}

/**
 * The VLAN device on node-b, and on node-k none, so it answers to what has lost its tag:
 *
 *   tagged0 10.100.0.1 ── tagger ── trunk0 ── br-vlan ── flannel.1 ── VXLAN ── flannel.1 10.100.0.2
 *
 * Its answers have no tag, and go to the bridge's own MAC.
 */
describeWith(NEEDS, "VLAN tags", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({
      nodes: [
        { name: "node-b", kind: "poplin" },
        { name: "node-k", kind: "kernel" },
      ],
      router: true,
    });
    const [b, k] = [cluster.node("node-b"), cluster.node("node-k")];
    await addVlan(b, k);
    k.host.ip(
      `addr add ${THERE}/24 dev ${DEVICE}`,
      `neigh add 10.100.0.1 lladdr ${BRIDGE_MAC} dev ${DEVICE} nud permanent`,
    );
    const row = ["fdb", "add", BRIDGE_MAC, "dev", DEVICE, "dst", b.vtepAddress(), "self", "permanent"];
    await k.host.exec("bridge", row);
  });
  afterAll(() => cluster?.destroy());

  /** VLAN ids of what goes to node-k while b pings it. */
  async function seen(): Promise<{ answered: boolean; tags: (string | undefined)[] }> {
    let answered = false;
    const file = await captured(cluster, ["node-k"], async () => {
      answered = await reaches(cluster.node("node-b"), THERE);
    });
    const rows = tshark(file, ["vlan.id", "icmp.seq"], "vxlan and icmp.type == 8");
    return { answered, tags: rows.map((row) => row["vlan.id"]![0]) };
  }

  /** What becomes of a frame with a tag that a VTEP sends to node-b. */
  async function tagged() {
    const b = cluster.poplin("node-b");
    const { host, plan } = cluster.node("node-k");
    const before = await b.client.stats();
    const bytes = vxlan(frame({ vlan: TAG, dst: b.plan.vtepMac, src: plan.vtepMac }), VNI);
    await inject(host, { address: b.vtepAddress(), port: VXLAN_PORT }, [{ bytes, tos: 0 }]);
    return until("the frame's arrival", async () => {
      const now = await b.client.stats();
      const found = { frames: now.rxFrames - before.rxFrames, drops: dropsSince(before, now).rx };
      return (found.frames > 0 || Object.keys(found.drops).length > 0) && found;
    });
  }

  it("pass, as the kernel passes them", async () => {
    expect(await seen()).toEqual({ answered: false, tags: ["100", "100"] });
    expect(await tagged()).toEqual({ frames: 1, drops: {} });
  });

  it("with `vlan: rfc` are stripped, and what comes in with one is discarded and counted", async () => {
    const b = cluster.poplin("node-b");
    b.config.vlan = "rfc";
    expect(await reload(b)).toMatchObject({ ok: true });
    expect(await seen()).toEqual({ answered: true, tags: [undefined, undefined] });
    expect(await tagged()).toEqual({ frames: 0, drops: { INNER_VLAN: 1 } });
  });

  it("are stripped from super-frames and from what has a partial checksum, too", async () => {
    const b = cluster.poplin("node-b");
    await serve(cluster.node("node-k").host);
    const before = (await b.client.stats()).txSuperFrames;
    expect(await stream(b.host, THERE, 4 << 20)).toEqual({ sent: true, received: true });
    expect((await b.client.stats()).txSuperFrames).toBeGreaterThan(before);
  });
});

describeWith(NEEDS, "what is inherited from behind a VLAN tag", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    const vxlan = "ttl inherit df inherit tos inherit";
    const config = { ttl: "inherit", df: "inherit", tos: "inherit" };
    const nodes: NodeSpec[] = [
      { name: "node-b", kind: "poplin", config },
      { name: "node-k", kind: "kernel", vxlan },
      { name: "node-x", kind: "kernel" },
    ];
    cluster = await Cluster.start({ nodes, router: true });
    const [b, k, x] = ["node-b", "node-k", "node-x"].map((name) => cluster.node(name));
    await Promise.all([b!, k!].map((node) => addVlan(node, x!)));
  });
  afterAll(() => cluster?.destroy());

  it("is what the kernel's VXLAN inherits", async () => {
    const names = ["node-b", "node-k"];
    const file = await captured(cluster, ["node-x"], async () => {
      for (const name of names) {
        for (const df of ["do", "dont"]) {
          await reaches(cluster.node(name), THERE, "-t", "9", "-Q", "0x48", "-M", df); // nobody answers
        }
      }
    });
    const fields = ["ip.ttl", "ip.dsfield", "ip.flags.df"];
    const rows = tshark(file, ["ip.src", ...fields], `vxlan and vlan.id == ${TAG} and icmp`);
    const [ours, kernel] = names.map((name) => {
      const source = cluster.node(name).vtepAddress();
      const own = rows.filter((row) => row["ip.src"]![0] === source);
      return own.map((row) => fields.map((field) => row[field]![0]));
    });
    expect(kernel).toHaveLength(4);
    expect(ours).toEqual(kernel);
  });
});

describeWith([...NEEDS, ipv6()], "UDP checksums of zero over IPv6", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    const nodes: NodeSpec[] = [
      { name: "send-b", kind: "poplin", config: { udpChecksum: "zero" } },
      { name: "take-b", kind: "poplin", config: { udp6zerocsumrx: true } },
      { name: "take-d", kind: "poplin", underlay: "dgram", config: { udp6zerocsumrx: true } },
      { name: "send-k", kind: "kernel", vxlan: "udp6zerocsumtx" },
      { name: "take-k", kind: "kernel", vxlan: "udp6zerocsumrx" },
    ];
    cluster = await Cluster.start({ nodes, family: 6, router: true });
  });
  afterAll(() => cluster?.destroy());

  /** Datagrams that a node's kernel refused for their checksum. */
  async function refused({ host }: LabNode): Promise<number> {
    const { stdout } = await host.exec("cat", ["/proc/net/snmp6"]);
    return Number(/^Udp6InCsumErrors\s+(\d+)$/m.exec(stdout)![1]);
  }

  it("option udp6zerocsumrx: are accepted by who is told to, and by nobody else: to send them is not to accept them", async () => {
    const answered: Record<string, boolean> = {};
    for (const from of ["send-b", "send-k"]) {
      for (const to of ["take-b", "take-d", "take-k", "send-b", "send-k"]) {
        if (from === to) continue;
        const before = await refused(cluster.node(to));
        const ok = await reaches(cluster.node(from), cluster.node(to).plan.overlay);
        answered[`${from} to ${to}`] = ok;
        expect(await refused(cluster.node(to))).toBe(before + (ok ? 0 : 2));
      }
    }
    const verdict = { "take-b": true, "take-d": false, "take-k": true };
    expect(answered).toEqual({
      ...prefixed("send-b to ", { ...verdict, "send-k": false }),
      ...prefixed("send-k to ", { ...verdict, "send-b": false }),
    });
    const { underlay } = await cluster.poplin("take-d").status();
    expect(underlay.warnings.join()).toContain("`udp6zerocsumrx: true` has no effect");
  });
});

function prefixed(prefix: string, of: Readonly<Record<string, boolean>>): Record<string, boolean> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [prefix + name, value]));
}
