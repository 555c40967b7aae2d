/**
 * `poplin ping`: names the layer that fails, against a node with the kernel's VXLAN and one with poplin, over a switch
 * and through a router whose way on is narrower.
 *
 *   node-a (poplin, asks), node-b (kernel VXLAN), node-c (poplin)
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { MtuEvidence } from "../../src/doctor/ping/evidence.ts";
import type { Layer } from "../../src/doctor/ping/layers.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { ping as pingOnce } from "../../src/lab/ping.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { threeNodes } from "./three-nodes.ts";

interface Answer {
  readonly status: number | null;
  readonly failing: string | null;
  readonly mtu: MtuEvidence | null;
  readonly states: Readonly<Record<string, string>>;
  readonly texts: Readonly<Record<string, string>>;
  readonly all: string;
}

async function ask(node: PoplinNode, ...args: string[]): Promise<Answer> {
  const { status, stdout, stderr } = await node.poplin(["ping", "-j", ...args], { check: false });
  const { failing, mtu, layers } = JSON.parse(stdout || "{}") as {
    failing: string;
    mtu: MtuEvidence;
    layers?: Layer[];
  };
  const by = (field: "state" | "text") =>
    Object.fromEntries((layers ?? []).map((layer) => [layer.name, layer[field]]));
  return { status, failing, mtu, states: by("state"), texts: by("text"), all: stdout + stderr };
}

const sh = (node: LabNode, script: string) => node.host.exec("sh", ["-ec", script]);
/** Asks while a node has a rule of iptables. */
async function withRule(host: LabNode, rule: string, work: () => Promise<Answer>): Promise<Answer> {
  await sh(host, `iptables -A ${rule}`);
  try {
    return await work();
  } finally {
    await sh(host, `iptables -D ${rule}`);
  }
}

const FINE = { underlay: "ok", udp: "ok", vxlan: "ok", inner: "ok" };
/** As little as shows what does not answer. */
const SHORT = ["-c", "2", "-i", "0.05", "--no-mtu"];

describeWith([lab(), tool("iptables")], "poplin ping over a switch", () => {
  let cluster: Cluster;
  let a: PoplinNode;
  let b: LabNode;
  let c: PoplinNode;

  beforeAll(async () => {
    ({ cluster, a, b, c } = await threeNodes());
  });
  afterAll(() => cluster?.destroy());

  it("finds every layer fine, by whatever name a peer has, and the whole path MTU", async () => {
    for (const word of [b.plan.address, b.plan.vtepMac.toUpperCase(), b.plan.subnet, "10.244.2.2"]) {
      const { status, states, mtu, all } = await ask(a, word);
      expect([word, status, states], all).toEqual([word, 0, { ...FINE, mtu: "ok" }]);
      expect(mtu).toEqual({ underlay: 1500, inner: 1450, device: 1450, needed: 1500 });
    }
    expect((await ask(a, c.plan.address)).states).toEqual({ ...FINE, mtu: "ok" });
  });

  it("prints a line for each layer, in 80 columns", async () => {
    const { stdout } = await a.poplin(["ping", b.plan.address]);
    const lines = stdout.trimEnd().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const title of ["underlay", "UDP 8472", "VXLAN", "inner", "MTU"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${title} +ok `, "m"));
    }
  });

  it("names the underlay where the peer is cut off", async () => {
    b.host.ip("link set eth0 down");
    const { status, failing, texts } = await ask(a, b.plan.address, ...SHORT);
    b.host.ip("link set eth0 up");
    expect([status, failing]).toEqual([1, "underlay"]);
    expect(texts.underlay).toMatch(/none of 2 echo requests answered/);
  });

  it("does not take dropped pings for a host that is off", async () => {
    const { status, states } = await withRule(b, "INPUT -i eth0 -p icmp -j DROP", () =>
      ask(a, b.plan.address, ...SHORT),
    );
    expect([status, states]).toEqual([0, { ...FINE, underlay: "unknown" }]);
  });

  it("names VXLAN where the peer's firewall drops the port, and claims no more of the port than is known", async () => {
    const { status, failing, states, texts } = await withRule(b, "INPUT -p udp --dport 8472 -j DROP", () =>
      ask(a, b.plan.address, ...SHORT),
    );
    expect([status, failing, states.underlay, states.udp]).toEqual([1, "vxlan", "ok", "unknown"]);
    expect(texts.udp).toMatch(/no refusal/);
    expect(texts.vxlan).toMatch(/\d frames left, nothing came back: a firewall there drops UDP 8472/);
  });

  it("names the UDP port where the peer's agent has ended", async () => {
    await c.stop();
    const { status, failing, states, texts } = await ask(a, c.plan.address, ...SHORT);
    await c.startAgent();
    expect([status, failing, states.underlay]).toEqual([1, "udp", "ok"]);
    expect(texts.udp).toMatch(/port 8472 refused .*no agent runs there/);
  });

  it("names our own firewall", async () => {
    const { status, failing, texts } = await withRule(a, "OUTPUT -p udp --dport 8472 -j DROP", () =>
      ask(a, b.plan.address, ...SHORT),
    );
    expect([status, failing]).toEqual([1, "udp"]);
    expect(texts.udp).toMatch(/EPERM.*a firewall of this node/);
    expect(texts.vxlan).toMatch(/UNDERLAY_REFUSED/);
  });

  it("names VXLAN where our own row is missing", async () => {
    await a.poplin(["fdb", "del", b.plan.vtepMac]);
    const { failing, texts } = await ask(a, b.plan.address, ...SHORT);
    await a.poplin(["reconcile"]);
    expect([failing, texts.vxlan]).toEqual(["vxlan", expect.stringMatching(/NO_TX_TARGET/)]);
  });

  it("names what is inside where the peer's firewall drops pings there", async () => {
    const { status, failing, states, texts } = await withRule(b, "INPUT -i flannel.1 -p icmp -j DROP", () =>
      ask(a, b.plan.address, ...SHORT),
    );
    expect([status, failing, states.vxlan]).toEqual([1, "inner", "ok"]);
    expect(texts.inner).toMatch(/VXLAN works, and 10\.244\.2\.0 does not answer pings/);
  });

  it("names the VNI where the peer has another one and sends with it", async () => {
    await c.stop();
    c.config = { ...c.config, vni: 2 };
    c.writeConfig();
    await c.startAgent();
    const silent = await ask(a, c.plan.address, ...SHORT);
    const busy = pingOnce(c.host, a.plan.overlay, { count: 40 });
    const { failing, texts } = await ask(a, c.plan.address, ...SHORT);
    await busy;
    await c.stop();
    c.config = { ...c.config, vni: 1 };
    c.writeConfig();
    await c.startAgent();
    expect([silent.failing, silent.texts.vxlan]).toEqual([
      "vxlan",
      expect.stringMatching(/its VNI is not 1/),
    ]);
    expect([failing, texts.vxlan]).toEqual(["vxlan", expect.stringMatching(/VXLAN_VNI_NOT_FOUND/)]);
  });

  it("exits with 2 for a peer that there is not, 3 without an agent, 4 without the right, 5 when it hangs", async () => {
    const unknown = await ask(a, "10.9.9.9");
    expect([unknown.status, unknown.all]).toEqual([2, expect.stringMatching(/172\.19\.0\.3, 172\.19\.0\.4/)]);
    expect((await ask(a, b.plan.address, "-c", "0")).status).toBe(2);
    expect((await ask(a, b.plan.address, "--socket", "/nowhere")).status).toBe(3);
    const { status, stderr } = await a.host.exec(
      "setpriv",
      ["--bounding-set", "-net_raw", process.execPath, "dist/cli/main.js", "ping", b.plan.address],
      { check: false, env: { ...process.env, POPLIN_SOCKET: a.socket } },
    );
    expect([status, stderr]).toEqual([4, expect.stringMatching(/CAP_NET_RAW/)]);
    a.signal("SIGSTOP");
    const hung = await ask(a, b.plan.address).finally(() => a.signal("SIGCONT"));
    expect(hung.status).toBe(5);
  });
});

describeWith([lab(), tool("ethtool"), tool("iptables")], "poplin ping through a router", () => {
  it("finds the path MTU, told or not told by ICMP", async () => {
    const cluster = await Cluster.start({
      router: true,
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "kernel" },
      ],
    });
    try {
      const [a, b] = [cluster.poplin("node-a"), cluster.node("node-b")];
      const { middle } = cluster.network;
      expect((await ask(a, b.plan.address)).mtu).toMatchObject({ underlay: 1500, inner: 1450 });
      middle.ip("link set node-b mtu 1337");
      for (const told of [true, false]) {
        if (!told) await middle.exec("iptables", "-A OUTPUT -p icmp --icmp-type 3 -j DROP".split(" "));
        const { status, states, mtu, all } = await ask(a, b.plan.address);
        expect([told, status, states.mtu, mtu?.underlay], all).toEqual([told, 0, "narrow", 1337]);
      }
      // An agent that knows the path tells who sends too much inside, instead of having it fragmented.
      await a.stop();
      await a.startAgent();
      await until("the agent's own probe", async () => (await a.status()).peers[0]?.pathMtu?.bytes === 1337);
      expect((await ask(a, b.plan.address)).mtu).toMatchObject({ underlay: 1337, inner: 1287 });
    } finally {
      cluster.destroy();
    }
  });
});
