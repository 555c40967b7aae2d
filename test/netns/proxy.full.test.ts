/**
 * ARP and neighbour discovery answered on the way into the overlay, beside the kernel's VXLAN with the option `proxy`.
 *
 *   guest-a ── br1 ── flannel.1 (poplin, node-a) ┄┄ switch ┄┄ (kernel, node-k) flannel.1 ── br1 ── guest-k
 *
 * The guests share a subnet that is none of the nodes' pods': what they ask each other goes into the overlay's device.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ToldEvent } from "../../src/agent/api/agent-view.ts";
import { EventHub } from "../../src/agent/events.ts";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import { fromHex, hex, parseMac } from "../../src/wire/bytes.ts";
import { IP_OWNER, IP6_OWNER, OWNER, OWNER_MAC } from "../dataplane/questions.ts";
import { Stages } from "../dataplane/stages.ts";
import { describeWith, lab, namespaces, shim, tool, tun } from "../helpers/needs.ts";
import { tshark, WRONG } from "../helpers/tshark.ts";
import { reload, until } from "./agents.ts";
import { Inside } from "./inside.ts";
import { ipv6 } from "./pods.ts";
import { OTHERS, PROBE, QUESTIONS } from "./proxy-questions.ts";
import { Sniffer } from "./sniff.ts";

/** Nobody's: behind no forwarding row, so that nothing but questions could leave. */
const OWNER_V4 = "10.99.0.5";
const OWNER_V6 = "fd99::5";

describeWith([namespaces(), tun(), shim(), ipv6()], "the kernel's proxy", () => {
  let inside: Inside;
  let kernel: Record<string, string | null> = {};
  let told = "";
  const stages = new Stages({ proxy: { on: true, unknown: "drop", l2miss: true, l3miss: true } });
  const { hi, lo } = parseMac(OWNER_MAC);
  for (const address of [IP_OWNER, IP6_OWNER]) stages.neighbours.replace(1, fromHex(address), hi, lo);

  beforeAll(async () => {
    inside = new Inside(new URL("./proxy-scenarios.ts", import.meta.url));
    kernel = await inside.run("answers");
    inside.remove();
    inside = new Inside(new URL("./proxy-scenarios.ts", import.meta.url));
    told = await inside.run("misses");
  });
  afterAll(() => inside.remove());

  /** Our answer to the same frame. */
  function ours(bytes: Uint8Array): string | null {
    stages.transmit({ bytes });
    const [answer] = stages.answered();
    return answer === undefined ? null : hex(answer.body);
  }

  it.each(Object.keys(QUESTIONS))("answers %s as we do, byte for byte, or both do not", (name) => {
    expect(ours(QUESTIONS[name]!)).toBe(kernel[name]);
  });

  it("options l2miss and l3miss: tells of the misses that we tell of", async () => {
    const ours: ToldEvent[] = [];
    const end = new EventHub([stages.events], new Map(), () => new Map(), {
      address: "192.0.2.1",
      port: 8472,
    }).listen((event) => ours.push(event), ["misses"]);
    for (const bytes of [...Object.values(QUESTIONS), ...OTHERS]) stages.transmit({ bytes });
    stages.answered();
    await until("our misses", () => ours.length >= 3);
    end();
    const [addresses, macs] = [/^miss (\S+) dev /gm, /^miss dev \S+ lladdr (\S+)/gm].map((pattern) =>
      [...told.matchAll(pattern)].map(([, what]) => what!),
    );
    const ofType = (type: string) =>
      ours.flatMap((event) =>
        event.type === type ? ["mac" in event ? event.mac : "address" in event && event.address] : [],
      );
    expect(new Set(ofType("l3miss"))).toEqual(new Set(addresses));
    expect(new Set(ofType("l2miss"))).toEqual(new Set(macs));
    expect([addresses!.length, macs!.length]).toEqual([2, 1]);
  });

  it("answers at all, and answers a probe for a duplicate to nobody, where we tell all nodes", () => {
    expect(Object.values(kernel).filter((answer) => answer !== null).length).toBeGreaterThanOrEqual(9);
    expect(kernel.probe!.slice(14 * 2 + 48, 14 * 2 + 80)).toBe("0".repeat(32));
    expect(ours(PROBE)!.slice(14 * 2 + 48, 14 * 2 + 80)).toBe(
      hex(fromHex("ff02 00000000 00000000 00000000 0001")),
    );
  });
});

const GUESTS = {
  "node-a": { name: "guest-a", n: 2, mac: "0a:99:00:00:00:02" },
  "node-k": { name: "guest-k", n: 3, mac: "0a:99:00:00:00:03" },
} as const;

/** Bridges a guest with a node's overlay device. */
function addGuest(cluster: Cluster, node: LabNode): Host {
  const { name, n, mac } = GUESTS[node.plan.name as keyof typeof GUESTS];
  const guest = cluster.lab.addHost(name);
  const { mtu } = node.options;
  cluster.lab.cable({ host: node.host, name: "guest" }, { host: guest, name: "eth0" }, mtu);
  node.host.ip(
    "link add br1 type bridge mcast_snooping 0",
    "link set br1 addrgenmode none",
    "link set guest master br1",
    `link set ${DEVICE} master br1`,
    "link set br1 up",
  );
  guest.ip(
    `link set eth0 address ${mac}`,
    `addr add 10.99.0.${n}/24 dev eth0`,
    `addr add fd99::${n}/64 dev eth0 nodad`,
  );
  return guest;
}

/** Pings once. @returns whether it was answered */
async function pings(from: Host, to: string): Promise<boolean> {
  return (await from.exec("ping", ["-n", "-c", "1", "-W", "1", to], { check: false })).status === 0;
}

/** The MAC that a host has found for an address; "" for none. */
async function macOf(host: Host, address: string): Promise<string> {
  const { stdout } = await host.exec("ip", ["-j", "neigh", "show", address]);
  const [row] = JSON.parse(stdout) as { lladdr?: string; state: string[] }[];
  return row?.lladdr ?? "";
}

const tools = ["tshark", "tcpdump", "ping", "bridge"].map(tool);

describeWith([lab(), ipv6(), ...tools], "a bridge over the overlay", () => {
  let cluster: Cluster;
  let guest: Host;

  beforeAll(async () => {
    const neighbours = [OWNER_V4, OWNER_V6].map((address) => `${address} lladdr ${OWNER_MAC}`);
    cluster = await Cluster.start({
      ipv6: true,
      nodes: [
        { name: "node-a", kind: "poplin", config: { proxy: true, l2miss: true, l3miss: true, neighbours } },
        { name: "node-k", kind: "kernel", vxlan: "proxy" },
      ],
    });
    guest = addGuest(cluster, cluster.node("node-a"));
    addGuest(cluster, cluster.node("node-k"));
  });
  afterAll(() => cluster?.destroy());

  const drops = async () => (await cluster.poplin("node-a").client.stats()).drops.tx;

  it("option proxy: questions are answered, checksums good, and nothing of them crosses the underlay", async () => {
    const { middle } = cluster.network;
    const [here, underlay] = await Promise.all([
      Sniffer.start(cluster.lab, guest, "eth0", "arp or icmp6"),
      Sniffer.start(cluster.lab, middle, "node-a", "udp port 8472 or icmp"),
    ]);
    const before = (await cluster.poplin("node-a").client.stats()).txProxied;
    for (const address of [OWNER_V4, OWNER_V6]) {
      expect(await pings(guest, address)).toBe(false); // nobody is there
      expect(await macOf(guest, address)).toBe(OWNER_MAC);
    }
    const answers = await until("both answers", () => {
      const frames = here.frames().filter((frame) => frame.slice(12, 24) === OWNER);
      return frames.length >= 2 && frames;
    });
    expect(new Set(answers.map((frame) => frame.slice(24, 28)))).toEqual(new Set(["0806", "86dd"]));
    // A mark behind all that has left so far.
    await cluster
      .node("node-a")
      .host.exec("ping", ["-c", "1", "-p", "abad1deaabad1dea", cluster.node("node-k").plan.address]);
    await until("the mark", () => underlay.frames().some((frame) => frame.includes("abad1deaabad1dea")));
    await Promise.all([here.stop(), underlay.stop()]);
    expect(tshark(underlay.file, ["frame.number"], "udp.port == 8472")).toEqual([]);
    expect(tshark(here.file, ["frame.number"], WRONG)).toEqual([]);
    expect(tshark(here.file, ["icmpv6.checksum.status"], "icmpv6.type == 136").length).toBeGreaterThan(0);
    const { txProxied } = await cluster.poplin("node-a").client.stats();
    expect(txProxied - before).toBeGreaterThanOrEqual(2);
  });

  it("an address that somebody else has is found to be a duplicate", async () => {
    guest.sysctl({ "net/ipv6/conf/eth0/accept_dad": 1, "net/ipv6/conf/eth0/dad_transmits": 1 });
    guest.ip(`addr add ${OWNER_V6}/64 dev eth0`);
    await until("the duplicate", async () => {
      const { stdout } = await guest.exec("ip", ["-6", "addr", "show", "dev", "eth0"]);
      return new RegExp(`${OWNER_V6}/64.*dadfailed`).test(stdout);
    });
    guest.ip(`addr del ${OWNER_V6}/64 dev eth0`);
  });

  it("a table changes by hand and with the configuration", async () => {
    const node = cluster.poplin("node-a");
    await node.poplin(["neigh", "add", "10.99.0.9", "lladdr", "02:00:00:00:00:09"]);
    await pings(guest, "10.99.0.9");
    expect(await macOf(guest, "10.99.0.9")).toBe("02:00:00:00:00:09");
    const again = await node.poplin(["neigh", "add", "10.99.0.9", "lladdr", OWNER_MAC], { check: false });
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("poplin neigh replace")]);
    node.config.neighbours = [`10.99.0.10 lladdr ${OWNER_MAC}`];
    expect((await reload(node)).ok).toBe(true);
    const { plan } = cluster.node("node-k");
    const { stdout } = await node.poplin(["neigh"]);
    expect(stdout.trim().split("\n")).toEqual([
      "10.99.0.9 lladdr 02:00:00:00:00:09 PERMANENT",
      `10.99.0.10 lladdr ${OWNER_MAC} PERMANENT`,
      `${plan.overlay} lladdr ${plan.vtepMac} PERMANENT`,
      `${plan.overlay6} lladdr ${plan.vtepMac} PERMANENT`,
    ]);
    const [row] = JSON.parse((await node.poplin(["neigh", "show", "-j"])).stdout);
    expect(row).toEqual({
      dst: "10.99.0.9",
      dev: DEVICE,
      lladdr: "02:00:00:00:00:09",
      state: ["PERMANENT"],
    });
    await node.poplin(["neigh", "del", "10.99.0.9"]);
  });

  it("without `proxy` the table has what somebody names, and nothing of the peers'", async () => {
    const node = cluster.poplin("node-a");
    const rows = async () => (await node.poplin(["neigh"])).stdout.trim().split("\n");
    node.config.proxy = false;
    node.config.l3miss = false;
    expect((await reload(node)).ok).toBe(true);
    expect(await rows()).toEqual([`10.99.0.10 lladdr ${OWNER_MAC} PERMANENT`]);
    node.config.proxy = true;
    node.config.l3miss = true;
    expect((await reload(node)).ok).toBe(true);
    expect(await rows()).toHaveLength(3);
  });

  describe("for an unknown address", () => {
    it("questions end here, and are counted", async () => {
      const before = await drops();
      await pings(guest, "10.99.0.77");
      await pings(guest, "fd99::77");
      const after = await drops();
      expect(after.NEIGH_MISS! - (before.NEIGH_MISS ?? 0)).toBeGreaterThanOrEqual(2);
    });

    it("go their way where the setting says so: there is no row for broadcasts", async () => {
      const node = cluster.poplin("node-a");
      node.config.proxyUnknown = "forward";
      expect((await reload(node)).ok).toBe(true);
      const before = await drops();
      await pings(guest, "10.99.0.78");
      const after = await drops();
      expect(after.NEIGH_MISS).toBe(before.NEIGH_MISS);
      expect(after.NO_TX_TARGET!).toBeGreaterThan(before.NO_TX_TARGET ?? 0);
      node.config.proxyUnknown = "drop";
      expect((await reload(node)).ok).toBe(true);
    });
  });

  it("a script that hears of misses and adds rows makes a flow start, as flannel's first versions did", async () => {
    const [node, kernel] = [cluster.poplin("node-a"), cluster.node("node-k")];
    const { "node-a": near, "node-k": far } = GUESTS;
    // The kernel's side knows us from the start.
    kernel.host.ip(
      `neigh replace 10.99.0.${near.n} lladdr ${near.mac} dev ${DEVICE} nud permanent`,
      `neigh replace fd99::${near.n} lladdr ${near.mac} dev ${DEVICE} nud permanent`,
    );
    const fdb = ["fdb", "replace", near.mac, "dev", DEVICE, "dst", node.vtepAddress(), "self", "permanent"];
    await kernel.host.exec("bridge", fdb);
    for (const to of ["10.99.0.3", "fd99::3"]) expect(await pings(guest, to)).toBe(false);
    const script = `
      poplin() { "${process.execPath}" "${POPLIN}" "$@"; }
      poplin events | while read -r type what mac rest; do
        echo "$type $what"
        case "$type $what" in
          "l3miss 10.99.0.3" | "l3miss fd99::3") poplin neigh replace "$what" lladdr ${far.mac} ;;
          "l2miss lladdr") [ "$mac" = ${far.mac} ] && poplin fdb replace "$mac" dst ${kernel.vtepAddress()} ;;
        esac
      done`;
    const env = { ...process.env, POPLIN_SOCKET: node.socket };
    const listener = node.host.spawn("bash", ["-c", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    let heard = "";
    listener.stdout!.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
    });
    for (const to of ["10.99.0.3", "fd99::3"]) {
      await until(`a ping to ${to}`, () => pings(guest, to), 60_000);
    }
    expect(heard).toContain("l3miss 10.99.0.3");
    expect(heard).toContain("l3miss fd99::3");
    expect(heard).toContain("l2miss lladdr");
    listener.kill();
  });
});
