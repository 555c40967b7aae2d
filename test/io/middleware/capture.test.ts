import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { VNET_AT, VNET_LENGTH } from "../../../src/dataplane/arena.ts";
import type { Underlay } from "../../../src/dataplane/ports.ts";
import { type Ring, SEGMENT } from "../../../src/dataplane/ring.ts";
import { VtepTable } from "../../../src/fdb/vteps.ts";
import { readCapture } from "../../../src/io/capture-reader.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";
import { ForwardingUnderlay } from "../../../src/io/middleware/forward.ts";
import { captureTap, captureUnderlay } from "../../../src/io/middleware.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, PcapngWriter } from "../../../src/io/pcapng.ts";
import { fromHex, hex } from "../../../src/wire/bytes.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { packet, Side } from "../side.ts";

const folder = mkdtempSync(join(tmpdir(), "poplin-capture-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIME = 1_790_000_000_000_000_000n;
const PORT = 8472;
const V4 = [Uint8Array.of(172, 19, 0, 3), Uint8Array.of(172, 19, 0, 4)] as const;
const V6 = [
  fromHex("fd00 0000 0000 0000 0000 0000 0000 0003"),
  fromHex("fd00 0000 0000 0000 0000 0000 0000 0004"),
] as const;

/** VXLAN, VNI 1, around an ARP request. */
const DATAGRAM = fromHex(`
  0800000000000100
  ffffffffffff 0a580af40102 0806
  0001 0800 06 04 0001 0a580af40102 0af40102 000000000000 0af40103`);

function collect() {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((chunk) => chunks.push(chunk));
  return { writer, file: () => Uint8Array.from(chunks.flatMap((chunk) => [...chunk])) };
}

/** An underlay that says of what it receives that it is a train of UDP_GRO. */
class Train extends ForwardingUnderlay {
  readonly #segment: number;

  constructor(inner: Underlay, segment: number) {
    super(inner);
    this.#segment = segment;
  }

  override recvBatch(ring: Ring, max: number): number {
    const from = ring.head;
    const got = this.inner.recvBatch(ring, max);
    for (let i = from; i !== ring.head; i++) ring.words[ring.row(i) + SEGMENT] = this.#segment;
    return got;
  }
}

/** Two underlays; what passes the first is captured. */
function capturedPair(addresses: readonly [Uint8Array, Uint8Array]) {
  const network = new MemoryNetwork();
  const [ours, theirs] = addresses.map((address) => network.attach({ address, port: PORT }));
  const vteps = new VtepTable();
  const toUs = vteps.acquire(addresses[0], PORT);
  const toThem = vteps.acquire(addresses[1], PORT);
  const { writer, file } = collect();
  const options = { writer, address: addresses[0], port: PORT, now: () => TIME };
  return { underlay: captureUnderlay(ours!, options), theirs: theirs!, vteps, toUs, toThem, file };
}

/** One datagram each way, TOS and source port set. */
function exchange(addresses: readonly [Uint8Array, Uint8Array]): Uint8Array {
  const { underlay, theirs, vteps, toUs, toThem, file } = capturedPair(addresses);
  const side = new Side();
  side.put(DATAGRAM, { peer: toThem, head: 8, outer: 0x03 | (50_001 << 16) });
  underlay.sendBatch(side.ready, vteps.slab);
  side.put(DATAGRAM, { peer: toUs, outer: 0x88 | (60_002 << 16) });
  theirs.sendBatch(side.ready, vteps.slab);
  underlay.recvBatch(side.filled, 8);
  return file();
}

describe("captureTap", () => {
  it("writes frames without their vnet header, and lets them pass", () => {
    const inner = new MemoryTap({ name: "flannel.1" });
    const { writer, file } = collect();
    const tap = captureTap(inner, { writer, now: () => TIME });
    const side = new Side();
    inner.inject(packet(1, 98));
    tap.readBatch(side.filled, 8);
    side.put(Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...packet(2, 60)]), {
      at: VNET_AT,
      head: VNET_LENGTH,
    });
    tap.writeBatch(side.ready);
    expect(side.drain().length).toBe(1);
    expect(inner.take()?.frame).toEqual(packet(2, 60));
    expect(readCapture(file())).toEqual({
      format: "pcapng",
      interfaces: [{ name: "flannel.1", linkType: LINKTYPE_ETHERNET }],
      packets: [
        { interfaceId: 0, time: TIME, bytes: packet(1, 98), originalLength: 98, direction: "in" },
        { interfaceId: 0, time: TIME, bytes: packet(2, 60), originalLength: 60, direction: "out" },
      ],
    });
  });
});

describe("captureUnderlay", () => {
  it("puts outer headers around IPv4 datagrams", () => {
    const { interfaces, packets } = readCapture(exchange(V4));
    expect(interfaces).toEqual([{ name: "underlay", linkType: LINKTYPE_RAW }]);
    expect(packets.map(({ direction }) => direction)).toEqual(["out", "in"]);
    const payload = hex(DATAGRAM);
    expect(hex(packets[0]!.bytes)).toMatch(
      new RegExp(`^4503004e000000004011....ac130003ac130004c3512118003a....${payload}$`),
    );
    expect(hex(packets[1]!.bytes)).toMatch(
      new RegExp(`^4588004e000000004011....ac130004ac130003ea622118003a....${payload}$`),
    );
  });

  it("writes each segment of a train as a packet of its own", () => {
    const { theirs, vteps } = capturedPair(V4);
    const side = new Side();
    const { writer, file } = collect();
    const underlay = captureUnderlay(new Train(theirs, 100), { writer, address: V4[0], port: PORT });
    side.put(packet(1, 250), { peer: vteps.acquire(V4[1], PORT) });
    theirs.sendBatch(side.ready, vteps.slab);
    expect(underlay.recvBatch(side.filled, 8)).toBe(1);
    const { packets } = readCapture(file());
    expect(packets.map(({ bytes }) => bytes.length)).toEqual([128, 128, 78]);
    const payload = packets.flatMap(({ bytes }) => [...bytes.subarray(28)]);
    expect(Uint8Array.from(payload)).toEqual(packet(1, 250));
  });

  it("writes nothing for what was refused", () => {
    const { underlay, vteps, file } = capturedPair(V4);
    const side = new Side();
    side.put(packet(1), { peer: 9 });
    expect(underlay.sendBatch(side.ready, vteps.slab)).toBe(-22);
    expect(readCapture(file()).packets).toEqual([]);
  });
});

describeWith([tool("tshark")], "a captured underlay in tshark", () => {
  it.each([
    ["IPv4", V4, "172.19.0.3", "172.19.0.4"],
    ["IPv6", V6, "fd00::3", "fd00::4"],
  ] as const)("shows VXLAN with right checksums over %s", (version, addresses, ours, theirs) => {
    const path = join(folder, `${version}.pcapng`);
    writeFileSync(path, exchange(addresses));
    const layer = version === "IPv4" ? "ip" : "ipv6";
    const tos = version === "IPv4" ? "ip.dsfield" : "ipv6.tclass";
    const fields = ["src", "dst"].map((end) => `${layer}.${end}`);
    const checks = ["ip", "udp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
    const show = [
      ...fields,
      tos,
      "udp.srcport",
      "udp.dstport",
      "udp.checksum.status",
      "vxlan.vni",
      "arp.dst.proto_ipv4",
    ];
    const args = ["-r", path, "-d", "udp.port==8472,vxlan", ...checks, "-T", "fields"];
    for (const field of show) args.push("-e", field);
    const run = (...more: string[]) =>
      execFileSync("tshark", [...args, ...more], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    expect(run().trimEnd().split("\n")).toEqual([
      [ours, theirs, toHex(version, 0x03), "50001", "8472", "1", "1", "10.244.1.3"].join("\t"),
      [theirs, ours, toHex(version, 0x88), "60002", "8472", "1", "1", "10.244.1.3"].join("\t"),
    ]);
    expect(run("-Y", "_ws.malformed || ip.checksum.status == Bad || udp.checksum.status == Bad")).toBe("");
  });
});

/** tshark shows an IPv4 TOS in two digits, an IPv6 traffic class in eight. */
function toHex(version: string, tos: number): string {
  return `0x${tos.toString(16).padStart(version === "IPv4" ? 2 : 8, "0")}`;
}
