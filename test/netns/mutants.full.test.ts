/**
 * A million random and damaged packets from a peer that is let in: each is forwarded or counted under a reason, and a
 * ping through the same node loses nothing.
 *
 *   pod-a ── node-a (poplin, under test) ── switch ── node-b (kernel VXLAN, and the source of the damage) ── pod-b
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CounterSnapshot } from "../../src/dataplane/counters.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { VXLAN_PORT } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { concat, ethernet, ipv6, udp, withL4Checksum } from "../wire/frames.ts";
import { dropsSince, memoryOf, until } from "./agents.ts";
import { Helper } from "./traffic/helper.ts";
import { macNumber, podPacket, textFrame, vtepFrame, vxlan, type Way } from "./traffic/packets.ts";
import { Pinger } from "./traffic/ping.ts";

const MANY = 1_000_000;
/** As many as fit the socket's buffer at once: what is sent then waits until these are accounted for. */
const BATCH = 1000;
/** Megabytes that the agent may grow by: its heap, not packets that it forgot to let go. */
const GROWTH = 30e6;

const TCP_OPTIONS = "0101080a 00000001 00000002";

function tcp(payload: number, flags: string): Uint8Array {
  const header = fromHex(`c47c 0050 00000001 00000001 80${flags} ffff 0000 0000 ${TCP_OPTIONS}`);
  return concat(header, new Uint8Array(payload).fill(0x61));
}

/** A good packet of each kind that decap treats in a way of its own. */
function goodPackets(way: Way): Uint8Array[] {
  const macs = { source: macNumber(way.from.vtepMac), destination: macNumber(way.to.vtepMac) };
  const segment = withL4Checksum(podPacket(way, 6, tcp(1200, "10")), 20, 6, 16);
  const echo = withL4Checksum(
    podPacket(way, 1, concat(fromHex("0800 0000 0001 0001"), new Uint8Array(56))),
    20,
    1,
    2,
  );
  const neighbour = ipv6(58, concat(fromHex("8700 0000 00000000"), new Uint8Array(24).fill(0xfe)));
  const frames = [
    vtepFrame(way, segment),
    // Its checksum is left to the kernel, and it is longer than the MTU: what a kernel's device on a veth sends.
    vtepFrame(way, podPacket(way, 6, tcp(9000, "18"))),
    vtepFrame(way, podPacket(way, 6, tcp(0, "02"))),
    vtepFrame(way, echo),
    textFrame(way, 7000, "to a port that nobody has"),
    ethernet(0x0806, fromHex("0001 0800 06 04 0001 0242ac130003 0af40200 000000000000 0af40100"), macs),
    ethernet(0x8100, concat(fromHex("0005 0800"), podPacket(way, 17, udp(new Uint8Array(100)))), macs),
    ethernet(0x86dd, neighbour, macs),
    ethernet(0x86dd, withL4Checksum(ipv6(6, tcp(1200, "10")), 40, 6, 16), macs),
  ];
  return frames.map((frame) => vxlan(frame));
}

/** Datagrams that the kernel gave to the sockets of a host, trains as one each: what the agent has to account for. */
async function datagramsOf(host: Host): Promise<number> {
  const { stdout } = await host.exec("cat", ["/proc/net/snmp"]);
  const [names, values] = stdout
    .split("\n")
    .flatMap((line) => (line.startsWith("Udp:") ? [line.split(" ")] : []));
  return Number(values![names!.indexOf("InDatagrams")]);
}

/** Every frame and drop on the way in: what has arrived and is accounted for. */
function accounted(stats: CounterSnapshot): number {
  return Object.values(stats.drops.rx).reduce((sum, n) => sum + n, stats.rxFrames);
}

for (const underlay of ["batch", "dgram"] as const) {
  describeWith([lab(), tool("ping")], `damaged packets on the ${underlay} underlay`, () => {
    let cluster: Cluster;
    let node: PoplinNode;
    let source: Helper;

    beforeAll(async () => {
      const nodes = [
        { name: "node-a", kind: "poplin", underlay, config: { receiveBuffer: 16 << 20 } },
        { name: "node-b", kind: "kernel" },
      ] as const;
      cluster = await Cluster.start({ nodes });
      node = cluster.poplin("node-a");
      const b = cluster.node("node-b");
      const texts = goodPackets({ from: b.plan, to: node.plan }).map((packet) =>
        Buffer.from(packet).toString("base64"),
      );
      source = new Helper(b.host, "mutants.mjs", [b.plan.address, "20261126", ...texts]);
    });
    afterAll(() => cluster?.destroy());

    it("a million of them are forwarded or counted, and the node goes on", { timeout: 600_000 }, async () => {
      const ping = new Pinger(node.pod, "10.244.2.2", { interval: 0.02 });
      await ping.next();
      const datagrams = await datagramsOf(node.host);
      const before = await node.client.stats();
      const { pid } = node;
      const { rss } = memoryOf(pid);
      let sent = 0;
      while (sent < MANY) {
        const answer = await source.ask<{ sent: number; error?: string }>({
          send: BATCH,
          to: [VXLAN_PORT, node.plan.address],
        });
        if (answer.error !== undefined) throw new Error(answer.error);
        sent += answer.sent;
        await until("their account", async () => {
          return accounted(await node.client.stats()) - accounted(before) >= sent;
        });
      }
      const { lost } = await ping.stop();
      expect(lost).toEqual([]);

      const received = (await datagramsOf(node.host)) - datagrams;
      const after = await node.client.stats();
      // The pings' answers come before and after; between them the agent has seen what the kernel has seen.
      expect(Math.abs(after.rxDatagrams - before.rxDatagrams - received)).toBeLessThan(20);
      const { rx } = dropsSince(before, after);
      console.log(`${underlay}: ${sent} damaged packets, ${after.rxFrames - before.rxFrames} let in`, rx);
      for (const reason of [
        "PKT_TOO_SMALL",
        "VXLAN_INVALID_HDR",
        "VXLAN_VNI_NOT_FOUND",
        "INNER_TOO_SMALL",
      ] as const)
        expect(rx[reason]).toBeGreaterThan(0);
      expect(rx.SOCKET_RCVBUFF ?? 0).toBe(0);

      expect(node.pid).toBe(pid);
      expect((await node.status()).health.filter(({ level }) => level === "error")).toEqual([]);
      expect(memoryOf(pid).rss - rss).toBeLessThan(GROWTH);
    });
  });
}
