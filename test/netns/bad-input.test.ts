/**
 * What no VTEP should be sent, sent to one: each kind is counted under its own reason and under no other, and a ping
 * between two pods goes on through all of it without a loss.
 *
 *   pod-a ── node-a (poplin, under test) ── switch ── node-b (kernel VXLAN: a known VTEP) ── pod-b
 *                                             └────── outsider (172.19.0.99: no VTEP)
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DropReason } from "../../src/dataplane/drops.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE, VXLAN_PORT } from "../../src/lab/node.ts";
import { planNode } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { concat, ethernet, udp } from "../wire/frames.ts";
import { dropsSince, reload, sleep, until } from "./agents.ts";
import { macNumber, podPacket, textFrame, vtepFrame, vxlan, type Way } from "./traffic/packets.ts";
import { Pinger } from "./traffic/ping.ts";
import { UdpHelper } from "./traffic/udp.ts";

const PORT = 7000;
const STRANGER_MAC = "02:00:00:00:00:99";
type Drops = Partial<Record<DropReason, number>>;

/** Sizes from..to, both included. */
function sizes(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

for (const underlay of ["batch", "dgram", "raw"] as const) {
  const needs = [lab(), tool("ping"), ...(underlay === "raw" ? [optionalPackage("raw-socket")] : [])];
  describeWith(needs, `bad input on the ${underlay} underlay`, () => {
    let cluster: Cluster;
    let node: PoplinNode;
    let ping: Pinger;
    /** Sockets: on the known VTEP's address, on a stranger's, and in the pod that good packets are for. */
    let vtep: UdpHelper;
    let stranger: UdpHelper;
    let pod: UdpHelper;
    let way: Way;
    const all: { tx: Drops; rx: Drops } = { tx: {}, rx: {} };

    beforeAll(async () => {
      cluster = Cluster.build({
        nodes: [
          { name: "node-a", kind: "poplin", underlay },
          { name: "node-b", kind: "kernel" },
        ],
      });
      node = cluster.poplin("node-a");
      const b = cluster.node("node-b");
      // Without IPv6 the device sends nothing of its own (MLD reports), which would be counted as NO_TX_TARGET.
      node.host.sysctl6({ "conf/default/disable_ipv6": 1 });
      node.setPeers(cluster.peersOf(node));
      await Promise.all([node.startAgent(), b.start(cluster.peersOf(b))]);
      const outside = planNode("outsider", 97);
      const outsider = cluster.lab.addHost("outsider");
      cluster.network.attach(outsider, outside);
      way = { from: b.plan, to: node.plan };
      vtep = new UdpHelper(b.host, b.plan.address);
      stranger = new UdpHelper(outsider, outside.address);
      pod = new UdpHelper(node.pod, "10.244.1.2", PORT);
      await Promise.all([vtep, stranger, pod].map((helper) => helper.report()));
      ping = new Pinger(node.pod, "10.244.2.2");
      await ping.next();
    });

    afterAll(() => cluster?.destroy());

    /** Runs `act`, then holds the drops that came of it against those expected, and the ping against any loss. */
    async function expectDrops(direction: "tx" | "rx", expected: Drops, act: () => Promise<unknown>) {
      const before = await node.client.stats();
      await act();
      const wanted = { tx: {}, rx: {}, [direction]: expected };
      await until(
        "the drops",
        async () => same(dropsSince(before, await node.client.stats()), wanted),
        1000,
      ).catch(() => {});
      await sleep(20);
      expect(dropsSince(before, await node.client.stats())).toEqual(wanted);
      for (const [reason, n] of Object.entries(expected)) {
        all[direction][reason as DropReason] = (all[direction][reason as DropReason] ?? 0) + n;
      }
      await ping.next();
      expect(ping.lost()).toEqual([]);
    }

    function same(a: unknown, b: unknown): boolean {
      return JSON.stringify(a) === JSON.stringify(b);
    }

    /** Sends to the agent's port. */
    function to(node: PoplinNode): readonly [number, string] {
      return [VXLAN_PORT, node.plan.address];
    }

    /** Sends a good packet with this text, and waits until it is in the pod. */
    async function expectDelivered(from: UdpHelper, packet: Uint8Array, text: string): Promise<void> {
      await from.send([packet], to(node));
      await until(`"${text}" in the pod`, async () => (await pod.report()).texts.includes(text), 2000);
    }

    it("a good packet made the same way arrives", async () => {
      await expectDrops("rx", {}, () => expectDelivered(vtep, vxlan(textFrame(way, PORT, "good")), "good"));
    });

    it("shorter than a VXLAN header, the empty datagram included", async () => {
      const short = sizes(0, 7).map((size) => vxlan(new Uint8Array(0)).subarray(0, size));
      await expectDrops("rx", { PKT_TOO_SMALL: 8 }, () => vtep.send(short, to(node)));
    });

    it("I flag clear", async () => {
      const packets = [0x00, 0xf7].map((flags) => {
        const packet = vxlan(textFrame(way, PORT, "no I flag"));
        packet[0] = flags;
        return packet;
      });
      await expectDrops("rx", { VXLAN_INVALID_HDR: 2 }, () => vtep.send(packets, to(node)));
    });

    it("another VNI", async () => {
      const packets = [0, 2, 256, 0xffffff].map((vni) => vxlan(textFrame(way, PORT, "another VNI"), { vni }));
      await expectDrops("rx", { VXLAN_VNI_NOT_FOUND: 4 }, () => vtep.send(packets, to(node)));
    });

    it("an inner frame shorter than an Ethernet header", async () => {
      const packets = sizes(0, 13).map((size) => vxlan(textFrame(way, PORT, "short").subarray(0, size)));
      await expectDrops("rx", { INNER_TOO_SMALL: 14 }, () => vtep.send(packets, to(node)));
    });

    it("our own MAC as the inner source", async () => {
      const source = macNumber(node.plan.vtepMac);
      const packet = vxlan(textFrame(way, PORT, "our own MAC", { source }));
      await expectDrops("rx", { LOCAL_MAC: 1 }, () => vtep.send([packet], to(node)));
    });

    it("a frame that is neither a super-frame nor within the MTU", async () => {
      const data = new Uint8Array(1451 - 28);
      const packets = [
        // One byte more than the MTU, and whole: but nobody can cut a UDP datagram that is no UDP_SEGMENT send, or an ICMP message.
        vtepFrame(way, podPacket(way, 17, udp(data, { destinationPort: PORT }))),
        vtepFrame(way, podPacket(way, 1, new Uint8Array(1451 - 20))),
        // A small packet with something behind it.
        concat(textFrame(way, PORT, "padded"), new Uint8Array(1450)),
        // No IP at all, of the MTU and one byte, and of the most that fits into a datagram.
        ethernet(0x88b5, new Uint8Array(1451), { source: macNumber(way.from.vtepMac) }),
        ethernet(0x88b5, new Uint8Array(65_507 - 8 - 14), { source: macNumber(way.from.vtepMac) }),
      ];
      await expectDrops("rx", { PKT_TOO_BIG: packets.length }, () =>
        vtep.send(
          packets.map((frame) => vxlan(frame)),
          to(node),
        ),
      );
    });

    it("the MTU itself is not too big", async () => {
      const text = "m".repeat(1450 - 28);
      await expectDrops("rx", {}, () => expectDelivered(vtep, vxlan(textFrame(way, PORT, text)), text));
    });

    it("a sender that is no known VTEP", async () => {
      const packet = vxlan(textFrame(way, PORT, "from a stranger"));
      await expectDrops("rx", { UNKNOWN_VTEP: 3 }, () => stranger.send([packet, packet, packet], to(node)));
    });

    it("senderCheck: mac lets the peer's MAC in from anywhere and counts it, and nobody else's", async () => {
      node.config = { ...node.config, senderCheck: "mac" };
      expect((await reload(node)).ok).toBe(true);
      const before = (await node.client.stats()).rxSenderMismatch;
      const good = vxlan(textFrame(way, PORT, "peer elsewhere"));
      const source = macNumber(STRANGER_MAC);
      const bad = vxlan(textFrame(way, PORT, "stranger's MAC", { source }));
      await expectDrops("rx", { UNKNOWN_VTEP: 2 }, async () => {
        await expectDelivered(stranger, good, "peer elsewhere");
        await stranger.send([bad], to(node));
        await vtep.send([bad], to(node));
      });
      expect((await node.client.stats()).rxSenderMismatch - before).toBe(1);
    });

    it("senderCheck: off lets everybody in", async () => {
      node.config = { ...node.config, senderCheck: "off" };
      expect((await reload(node)).ok).toBe(true);
      const source = macNumber(STRANGER_MAC);
      const packet = vxlan(textFrame(way, PORT, "let in", { source }));
      await expectDrops("rx", {}, () => expectDelivered(stranger, packet, "let in"));
      node.config = { ...node.config, senderCheck: "strict" };
      expect((await reload(node)).ok).toBe(true);
    });

    it("reserved bits are ignored, as RFC 7348 says", async () => {
      await expectDrops("rx", {}, async () => {
        for (const [at, text] of RESERVED) {
          await expectDelivered(vtep, withReserved(at, text), text);
        }
      });
    });

    it("reservedBits: linux drops them", async () => {
      node.config = { ...node.config, reservedBits: "linux" };
      expect((await reload(node)).ok).toBe(true);
      const packets = RESERVED.map(([at, text]) => withReserved(at, `${text} again`));
      await expectDrops("rx", { VXLAN_RESERVED_BITS: packets.length }, () => vtep.send(packets, to(node)));
      await expectDrops("rx", {}, () => expectDelivered(vtep, vxlan(textFrame(way, PORT, "none")), "none"));
      expect((await pod.report()).texts.filter((text) => text.endsWith("again"))).toEqual([]);
      node.config = { ...node.config, reservedBits: "rfc" };
      expect((await reload(node)).ok).toBe(true);
    });

    /** A packet with one reserved part of its VXLAN header filled: byte, bits. */
    function withReserved([at, bits]: readonly [number, number], text: string): Uint8Array {
      const packet = vxlan(textFrame(way, PORT, text));
      packet[at]! |= bits;
      return packet;
    }

    it("a destination MAC that is not in the FDB", async () => {
      // In another form than the agent's own rows, which it would take away as stale.
      node.host.ip(
        `neigh replace 10.244.77.5 lladdr ${STRANGER_MAC} dev ${DEVICE} nud reachable`,
        `route replace 10.244.77.0/24 dev ${DEVICE}`,
      );
      await expectDrops("tx", { NO_TX_TARGET: 3 }, () =>
        node.host.exec("ping", ["-c", "3", "-i", "0.05", "-W", "0.2", "10.244.77.5"], { check: false }),
      );
      node.host.ip(`route del 10.244.77.0/24 dev ${DEVICE}`, `neigh del 10.244.77.5 dev ${DEVICE}`);
    });

    it("in the end `poplin stats -j` shows just these drops, and no ping was lost", async () => {
      const { stdout } = await node.poplin(["stats", "-j"]);
      expect(JSON.parse(stdout).drops).toEqual(all);
      expect((await node.status()).state).toBe("running");
      const { lost, received, duplicates } = await ping.stop();
      expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
      expect(received).toBeGreaterThan(100);
    });
  });
}

/** Reserved parts of the VXLAN header (RFC 7348 section 5): byte and bits, with a text for each. */
const RESERVED = [
  [[0, 0x80], "flags, first"],
  [[0, 0x01], "flags, last"],
  [[1, 0x80], "first reserved byte"],
  [[3, 0x01], "third reserved byte"],
  [[7, 0xff], "last byte"],
] as const;
