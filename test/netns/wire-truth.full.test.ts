/**
 * What poplin puts on the wire, judged by tshark: nothing malformed, no checksum wrong, outer or inner.
 *
 *   node-a, node-b (poplin) ──┐
 *                             ├── router ── captured as it leaves towards the other node
 *   node-k (the kernel)     ──┘
 *
 * The nodes keep their offloads; the router's ports have theirs off, so that what leaves them is finished as far as
 * anybody on the way knows of it. An inner checksum that poplin left unfinished would stay so.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LINKTYPE_ETHERNET, nowNanoseconds, PcapngWriter } from "../../src/io/pcapng.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { PLANTED, SOUND } from "../helpers/planted.ts";
import {
  BAD,
  GOOD,
  NEGATIVE_ZERO,
  NOT_PRESENT,
  type Row,
  tshark,
  WRONG,
  WRONG_BUT_NEGATIVE_ZERO,
} from "../helpers/tshark.ts";
import { captured } from "./capture.ts";
import { DATA_PORT, datagrams, ipv6, ping, podOf, REPORT_PORT, serve, stream } from "./pods.ts";

const MTU = 1500;
const ETHERNET = 14;
const UDP = 8;
/** What random bytes are sent to. */
const PORTS = [DATA_PORT, REPORT_PORT];
const CHECKSUMS = ["ip", "udp", "tcp", "icmp", "icmpv6"].map((protocol) => `${protocol}.checksum.status`);
const FIELDS = ["frame.number", "frame.len", "frame.protocols", NEGATIVE_ZERO, ...CHECKSUMS];

describeWith([tool("tshark")], "the judge", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-"));
  const file = join(folder, "planted.pcapng");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** @returns the places of those that it finds wrong. */
  function judge(packets: readonly Uint8Array[], wrong = WRONG): number[] {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => chunks.push(chunk));
    const wire = writer.addInterface({ name: "wire", linkType: LINKTYPE_ETHERNET });
    for (const packet of packets) writer.packet(wire, nowNanoseconds(), packet);
    writeFileSync(file, Buffer.concat(chunks));
    return tshark(file, ["frame.number"], wrong, PORTS).map((row) => Number(row["frame.number"]![0]) - 1);
  }

  it("finds every planted mistake, and none in the sound packets between them", () => {
    const names = Object.keys(PLANTED);
    const packets = names.flatMap((name, i) => [SOUND[i % SOUND.length]!, PLANTED[name]!]);
    expect(judge(packets).map((place) => names[(place - 1) / 2])).toEqual(names);
  });

  it("forgives what Linux writes for a TCP checksum of 0 when told to, and nothing beside it", () => {
    const names = Object.keys(PLANTED);
    const found = judge(Object.values(PLANTED), WRONG_BUT_NEGATIVE_ZERO).map((place) => names[place]);
    expect(found).toEqual(names.filter((name) => name !== "TCP checksum of 0xffff instead of 0"));
  });

  it("has looked at every checksum that it calls good", () => {
    expect(judge(SOUND)).toEqual([]);
    const rows = tshark(file, CHECKSUMS, "", PORTS);
    for (const row of rows) expect(CHECKSUMS.flatMap((name) => row[name]!)).not.toContain(BAD);
    for (const name of CHECKSUMS) expect(rows.flatMap((row) => row[name]!)).toContain(GOOD);
  });
});

interface Variant {
  readonly underlay: "batch" | "dgram" | "raw";
  /** The setting `offload`. */
  readonly offload?: string;
}

const VARIANTS: readonly Variant[] = [
  { underlay: "batch" },
  { underlay: "batch", offload: "hairpin=on" },
  { underlay: "batch", offload: "all=off" },
  { underlay: "dgram" },
  { underlay: "raw" },
];

/** What else may be on or off on the way out, one at a time: for the long run of the tests. */
const MORE: readonly Variant[] = [
  ...["tap-csum", "tap-tso", "tap-uso", "udp-gso"].map(
    (name) => ({ underlay: "batch", offload: `${name}=off` }) as const,
  ),
  { underlay: "dgram", offload: "all=off" },
  { underlay: "raw", offload: "all=off" },
];

for (const { underlay, offload } of process.env.POPLIN_FULL === "1" ? [...VARIANTS, ...MORE] : VARIANTS) {
  const needs = [lab(), ipv6(), ...["tshark", "tcpdump", "ethtool", "ping"].map(tool)];
  if (underlay === "raw") needs.push(optionalPackage("raw-socket"));
  describeWith(needs, `what ${underlay} sends${offload === undefined ? "" : ` with ${offload}`}`, () => {
    let cluster: Cluster;
    /** Checksums are finished by the kernel before we see them. */
    const linuxFinishes = offload === "all=off" || offload === "tap-csum=off";

    beforeAll(async () => {
      const nodes = ["node-a", "node-b"].map((name) => ({
        ...{ name, kind: "poplin" as const, underlay },
        config: offload === undefined ? {} : { offload },
      }));
      const all = [...nodes, { name: "node-k", kind: "kernel" as const }];
      cluster = await Cluster.start({ nodes: all, ipv6: true, router: true });
      await Promise.all(cluster.nodes.map(({ pod }) => serve(pod)));
    });
    afterAll(() => cluster?.destroy());

    it("is sound: ping, TCP both ways, UDP, UDP_SEGMENT, IPv4 and IPv6 inside", async () => {
      const file = await captured(cluster, ["node-a", "node-b", "node-k"], () => everything(cluster));
      const fromPoplin = ["node-a", "node-b"].map((name) => `ip.src == ${cluster.node(name).plan.address}`);
      const filter = `(${fromPoplin.join(" or ")})`;
      const wrong = linuxFinishes ? WRONG_BUT_NEGATIVE_ZERO : WRONG;
      expect(tshark(file, FIELDS, `(${wrong}) and ${filter}`, PORTS)).toEqual([]);
      const rows = tshark(file, FIELDS, filter, PORTS);
      expect(new Set(rows.map((row) => row["frame.protocols"]![0]!))).toEqual(new Set(EXPECTED));
      const outerUdp = underlay === "raw" ? NOT_PRESENT : GOOD;
      expect(rows.filter((row) => !isSound(row, outerUdp, linuxFinishes))).toEqual([]);
      if (offload !== "hairpin=on") return;
      const { offloads } = await cluster.poplin("node-a").client.status();
      expect(offloads.hairpin).toEqual({ on: true, why: null });
    });

    it("is the study's ping: 106 bytes to port 8472, VNI 1, the inner TTL as the kernel's VXLAN leaves it", async () => {
      const file = await captured(cluster, ["node-a", "node-k"], async () => {
        for (const [from, to] of [["node-a", "node-k"] as const, ["node-k", "node-a"] as const]) {
          await cluster.node(from).pod.exec("ping", ["-c", "1", podOf(cluster.node(to), 4)]);
        }
      });
      const fields = ["udp.length", "udp.dstport", "vxlan.vni", "ip.ttl", "ip.len", "frame.len"];
      const [toPoplin, toKernel] = tshark(file, fields, "vxlan and icmp.type == 8");
      expect(toKernel).toMatchObject({
        "udp.length": [String(UDP + 106)],
        "udp.dstport": ["8472"],
        "vxlan.vni": ["1"],
      });
      expect(toKernel).toEqual(toPoplin);
    });
  });
}

const HEAD = "eth:ethertype:ip:udp:vxlan:eth:ethertype";
/** Everything that pods sent, and each piece of it decoded to its end. */
const EXPECTED = [
  ...["ip", "ipv6"].flatMap((ip) => [
    `${HEAD}:${ip}:tcp`,
    `${HEAD}:${ip}:tcp:data`,
    `${HEAD}:${ip}:udp:data`,
  ]),
  `${HEAD}:ip:icmp:data`,
  `${HEAD}:ipv6:icmpv6:data`,
];

/**
 * Whether it is no larger than the wire allows, and each of its checksums good; the outer UDP's is `outerUdp`.
 * @param linuxFinished a TCP checksum of 0xffff instead of 0 counts as good
 */
function isSound(row: Row, outerUdp: string, linuxFinished: boolean): boolean {
  const forgiven = linuxFinished && row[NEGATIVE_ZERO]!.length > 0;
  const good = CHECKSUMS.every((name) =>
    row[name]!.every((status, i) => {
      if (forgiven && name.startsWith("tcp")) return status === BAD;
      return status === (i === 0 && name.startsWith("udp") ? outerUdp : GOOD);
    }),
  );
  return good && Number(row["frame.len"]![0]) <= MTU + ETHERNET;
}

async function everything(cluster: Cluster): Promise<void> {
  for (const [from, to] of [
    ["node-a", "node-b"],
    ["node-a", "node-k"],
    ["node-k", "node-a"],
  ] as const) {
    const { pod } = cluster.node(from);
    for (const family of [4, 6] as const) {
      const address = podOf(cluster.node(to), family);
      const most = family === 4 ? 1422 : 1402;
      expect(await ping(pod, address, [1, 56, 57, most])).toBe("");
      expect(await stream(pod, address, 256 << 10)).toEqual({ sent: true, received: true });
      const sends = [1, 2, 3, 1000, most - 1, most].map((bytes) => ({ bytes }));
      const segmented = { bytes: 20 * most + 1, segment: most };
      const { sent, received } = await datagrams(pod, address, [...sends, segmented]);
      expect(received).toEqual(sent);
    }
  }
}
