/**
 * Path MTU: what is too long for a link in the middle of the underlay, and who hears of it.
 *
 *   pod-a ── node-a eth0 1500 ── router ── 1400 eth0 node-b ── pod-b
 *
 * The overlay's MTU is what the first link leaves of 1500, so a full packet from node-a does not fit the second one.
 */
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { DEVICE, overhead } from "../../src/lab/node.ts";
import { describeFull, describeWith, lab, tool } from "../helpers/needs.ts";
import { GOOD, tshark } from "../helpers/tshark.ts";
import { reload, until } from "./agents.ts";
import { type Family, ipv6, podOf, serve, stream } from "./pods.ts";

const UPLINK = 1500;
const NARROW = 1400;
/** Bytes of IP and ICMP headers. */
const HEADERS = { 4: 28, 6: 48 } as const;
const FAMILIES = [4, 6] as const;
const NEEDS = [lab(), ipv6(), ...["ethtool", "ping", "tshark", "tcpdump"].map(tool)];

interface Scenario {
  readonly outer: Family;
  readonly peer?: "poplin" | "kernel";
  readonly underlay?: "batch" | "dgram" | "raw";
  readonly config?: Readonly<Record<string, unknown>>;
}

async function narrow({
  outer,
  peer = "poplin",
  underlay = "batch",
  config = {},
}: Scenario): Promise<Cluster> {
  const poplin = { kind: "poplin", underlay, config } as const;
  const cluster = Cluster.build({
    nodes: [
      { name: "node-a", ...poplin },
      { name: "node-b", ...(peer === "kernel" ? { kind: peer } : poplin) },
    ],
    router: true,
    family: outer,
    ipv6: true,
  });
  try {
    cluster.network.middle.ip(`link set node-b mtu ${NARROW}`);
    cluster.node("node-b").host.ip(`link set eth0 mtu ${NARROW}`);
    await cluster.startAll();
    await serve(cluster.node("node-b").pod);
    return cluster;
  } catch (error) {
    cluster.destroy();
    throw error;
  }
}

/** One ping. @returns what ping said, and whether an answer came */
async function ping(
  from: Host,
  to: string,
  size: number,
  df = "do",
): Promise<{ passed: boolean; said: string }> {
  const args = ["-n", "-c", "1", "-W", "1", "-M", df, "-s", String(size), to];
  const { status, stdout, stderr } = await from.exec("ping", args, { check: false });
  return { passed: status === 0, said: stdout + stderr };
}

/** How ping writes what fits: "(mtu = 1350)" or "mtu=1350". */
function tells(said: string, mtu: number): boolean {
  return new RegExp(`\\bmtu ?= ?${mtu}\\b`).test(said);
}

/** Forgets what ICMP has taught a host. */
async function forget(host: Host): Promise<void> {
  for (const family of ["-4", "-6"]) await host.exec("ip", [family, "route", "flush", "cache"]);
}

async function pathFrom(cluster: Cluster, name = "node-a") {
  return (await cluster.poplin(name).status()).peers[0]!.pathMtu;
}

const found = (cluster: Cluster) =>
  until("the probe", async () => (await pathFrom(cluster))?.how === "probe", 20_000);

for (const outer of FAMILIES) {
  const fits = NARROW - overhead(outer);
  for (const peer of ["poplin", "kernel"] as const) {
    describeWith(NEEDS, `over IPv${outer}, to ${peer}, by the probe alone`, () => {
      let cluster: Cluster;
      beforeAll(async () => {
        cluster = await narrow({ outer, peer });
      });
      afterAll(() => cluster?.destroy());

      it("is found without any traffic, and status says what to do", async () => {
        await found(cluster);
        expect(await pathFrom(cluster)).toMatchObject({ bytes: NARROW, needed: UPLINK });
        const { health, state, device } = await cluster.poplin("node-a").status();
        expect(state).toBe("running");
        const address = cluster.poplin("node-a").vtepAddress(cluster.node("node-b").plan);
        const message = `the path to ${address} carries ${NARROW} bytes, the overlay's MTU of ${device.mtu} needs ${UPLINK}: pods are told to send less`;
        expect(health).toEqual([{ level: "warning", message, remedy: `set \`mtu: ${fits}\` to avoid it` }]);
        const { stdout } = await cluster.poplin("node-a").poplin(["status"]);
        expect(stdout).toContain(`path MTU ${NARROW} (probe), ${UPLINK} needed`);
      });

      for (const inner of FAMILIES) {
        it(`a pod is told what fits of IPv${inner}, and that passes`, async () => {
          const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), inner)];
          const refused = await ping(pod, to, fits - HEADERS[inner] + 1);
          expect(refused.passed).toBe(false);
          expect(refused.said).toContain(`From ${to}`);
          expect(tells(refused.said, fits), refused.said).toBe(true);
          await forget(pod);
          expect((await ping(pod, to, fits - HEADERS[inner])).passed).toBe(true);
        });

        it(`TCP over IPv${inner} arrives whole, both ways`, async () => {
          const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), inner)];
          await forget(pod);
          expect(await stream(pod, to, 4 << 20)).toEqual({ sent: true, received: true });
        });
      }
    });
  }

  describeWith(NEEDS, `over IPv${outer}, DF set, by ICMP alone`, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await narrow({ outer, config: { df: "set", pmtuProbe: "off" } });
    });
    afterAll(() => cluster?.destroy());

    it("TCP at full size goes on after the first packets are lost", async () => {
      expect(await pathFrom(cluster)).toMatchObject({ bytes: UPLINK, how: "assumed" });
      const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), 4)];
      expect(await stream(pod, to, 4 << 20)).toEqual({ sent: true, received: true });
      expect(await pathFrom(cluster)).toMatchObject({ bytes: NARROW, how: "kernel" });
    });

    it("a pod hears of it within moments, and full packets of others are not sent in vain", async () => {
      const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), 6)];
      expect(tells((await ping(pod, to, UPLINK - overhead(outer) - HEADERS[6])).said, fits)).toBe(true);
    });
  });
}

describeWith(NEEDS, "what else is sent on a narrow path", () => {
  const fits = NARROW - overhead(4);
  const full = UPLINK - overhead(4);
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await narrow({ outer: 4 });
    await found(cluster);
  });
  afterAll(() => cluster?.destroy());

  it("the answers are what tshark calls right, to ping and TCP", async () => {
    const { pod } = cluster.node("node-a");
    await forget(pod);
    const file = cluster.lab.file("answers.pcap");
    const what = "icmp[0] == 3 or icmp6[0] == 2";
    const tcpdump = pod.spawn("tcpdump", [
      "-i",
      "eth0",
      "-Q",
      "in",
      "--immediate-mode",
      "-U",
      "-w",
      file,
      what,
    ]);
    await new Promise((resolve) => tcpdump.stderr!.on("data", resolve));
    const read = () => tshark(file, ["ip.src", "icmp.mtu", "icmpv6.mtu", "ip.proto", "ipv6.nxt"]);
    for (const inner of FAMILIES) {
      const to = podOf(cluster.node("node-b"), inner);
      await ping(pod, to, full - HEADERS[inner]);
      await forget(pod);
      await stream(pod, to, 1 << 20);
    }
    const seen = (): string[] =>
      read().map(
        (row) =>
          `${row["ip.proto"]!.at(-1) ?? row["ipv6.nxt"]!.at(-1)}: ${row["icmp.mtu"]}${row["icmpv6.mtu"]}`,
      );
    const wanted = [`1: ${fits}`, `6: ${fits}`, `58: ${fits}`];
    await until("all answers", () => wanted.every((one) => seen().includes(one)));
    const closed = once(tcpdump, "close");
    tcpdump.kill("SIGINT");
    await closed;
    const statuses = ["ip.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status"];
    for (const row of tshark(file, statuses)) {
      // Of what is quoted only the IP header is there whole; of two ICMP headers the first is the answer's own.
      const [ip, icmp, icmpv6] = statuses.map((name) => row[name]!) as [string[], string[], string[]];
      const own = [...ip, ...icmp.slice(0, 1), ...icmpv6.slice(0, 1)];
      expect(own).toEqual(icmpv6.length > 0 ? [GOOD] : [GOOD, GOOD, GOOD]);
    }
    expect(tshark(file, ["frame.number"], "_ws.malformed or _ws.short")).toEqual([]);
    expect(new Set(seen())).toEqual(new Set(wanted));
  });

  it("a packet without DF passes: the underlay fragments it", async () => {
    const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), 4)];
    await forget(pod);
    expect((await ping(pod, to, full - HEADERS[4], "dont")).passed).toBe(true);
  });

  it("with `pmtu: off` everything does, from the next reload on", async () => {
    const node = cluster.poplin("node-a");
    const [{ pod }, to] = [node, podOf(cluster.node("node-b"), 4)];
    node.config.pmtu = "off";
    expect(await reload(node)).toMatchObject({ ok: true });
    await forget(pod);
    const far = cluster.poplin("node-b").client;
    const had = (await far.stats()).rxBytes;
    const before = (await node.client.stats()).drops.tx.PKT_TOO_BIG;
    await ping(pod, to, full - HEADERS[4]);
    expect((await node.client.stats()).drops.tx.PKT_TOO_BIG).toBe(before);
    // The answer is as long, and more than node-b's own link takes: that is for node-b to tell.
    await until("the full packet", async () => (await far.stats()).rxBytes - had > full);
    node.config.pmtu = "icmp";
    expect(await reload(node)).toMatchObject({ ok: true });
    expect(tells((await ping(pod, to, full - HEADERS[4])).said, fits)).toBe(true);
  });

  it("a sender behind a bridge, whom only the MAC finds, is told, too", async () => {
    const { host } = cluster.node("node-a");
    const { plan } = cluster.node("node-b");
    const far = cluster.lab.addHost("far");
    host.ip("link add br-far mtu 1450 type bridge", "link set br-far up");
    cluster.lab.cable({ host, name: "to-far" }, { host: far, name: "eth0" }, full);
    host.ip("link set to-far master br-far", `link set ${DEVICE} master br-far`);
    far.ip(
      "addr add 10.9.9.9/24 dev eth0",
      `route add ${plan.overlay}/32 dev eth0`,
      `neigh replace ${plan.overlay} lladdr ${plan.vtepMac} dev eth0 nud permanent`,
    );
    const { said } = await ping(far, plan.overlay, full - HEADERS[4]);
    expect(tells(said, fits), said).toBe(true);
  });
});

for (const underlay of ["dgram", "raw"] as const) {
  describeWith(NEEDS, `with the ${underlay} underlay`, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await narrow({ outer: 4, underlay });
    });
    afterAll(() => cluster?.destroy());

    it("the path is found, and a pod told", async () => {
      await found(cluster);
      const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), 4)];
      const fits = NARROW - overhead(4);
      expect(tells((await ping(pod, to, fits - HEADERS[4] + 1)).said, fits)).toBe(true);
      await forget(pod);
      expect((await ping(pod, to, fits - HEADERS[4])).passed).toBe(true);
    });
  });
}

describeWith([...NEEDS, tool("setpriv")], "a process without CAP_NET_RAW", () => {
  const SCRIPT = `
    const { EchoSocket } = await import(process.argv[1]);
    const loopback = { 4: [127, 0, 0, 1], 6: [...new Array(15).fill(0), 1] };
    for (const family of [4, 6]) {
      const address = Uint8Array.from(loopback[family]);
      const socket = new EchoSocket(address, (...reply) => {
        console.log(family, ...reply);
        socket.close();
      });
      socket.send(address, 7, 9000);
    }`;
  let here: Lab;
  beforeAll(() => {
    here = Lab.create();
  });
  afterAll(() => here?.destroy());

  it("pings through a ping socket, where its group may", async () => {
    const host = here.addHost("pinger");
    host.ip("link set lo up");
    const echo = new URL("../../dist/io/linux/echo.js", import.meta.url).href;
    const args = ["--bounding-set", "-net_raw", "--inh-caps", "-net_raw", process.execPath];
    const ping = () =>
      host.exec("setpriv", [...args, "--input-type=module", "-e", SCRIPT, echo], { check: false });
    expect((await ping()).stderr).toContain("EACCES");
    host.sysctl({ "net/ipv4/ping_group_range": "0 2147483647" });
    const { stdout } = await ping();
    expect(stdout.trim().split("\n").sort()).toEqual(["4 7 9000", "6 7 9000"]);
  });
});

describeFull(NEEDS, "a black hole, of which no router tells", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    // The router's end of node-b's link takes no long frame from it, without a word.
    cluster = Cluster.build({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "poplin" },
      ],
      router: true,
    });
    cluster.network.middle.ip(`link set node-b mtu ${NARROW}`);
    await cluster.startAll();
  });
  afterAll(() => cluster?.destroy());

  it("is found by the probe", async () => {
    await until("the probe", async () => (await pathFrom(cluster, "node-b"))?.how === "probe", 60_000);
    // A veth lets pass what a VLAN tag would add (is_skb_forwardable).
    expect(await pathFrom(cluster, "node-b")).toMatchObject({ bytes: NARROW + 4, needed: UPLINK });
  });
});
