import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readCapture } from "../../src/io/capture-reader.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, nowNanoseconds, PcapngWriter } from "../../src/io/pcapng.ts";
import { fromHex, hex } from "../../src/wire/bytes.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { packet } from "./side.ts";

const folder = mkdtempSync(join(tmpdir(), "poplin-pcapng-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An ARP request, padded to the least an Ethernet has. */
const ARP = fromHex(`
  ffffffffffff 0a580af40102 0806
  0001 0800 06 04 0001 0a580af40102 0af40102 000000000000 0af40103`);

function collect(): { chunks: Uint8Array[]; file: () => Uint8Array; writer: PcapngWriter } {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((chunk) => chunks.push(chunk));
  return { chunks, writer, file: () => Uint8Array.from(chunks.flatMap((chunk) => [...chunk])) };
}

describe("PcapngWriter", () => {
  it("writes the blocks that the format has, byte for byte", () => {
    const { chunks, writer } = collect();
    writer.addInterface({ name: "flannel.1", linkType: LINKTYPE_ETHERNET });
    writer.packet(0, 0x0102030405060708n, Uint8Array.of(1, 2, 3, 4, 5), { comment: "hi", direction: "out" });
    expect(chunks.map((chunk) => hex(chunk))).toEqual([
      // type, length | magic, 1.0, section length −1 | 4: "poplin" padded | end | length
      `0a0d0d0a2c000000${"4d3c2b1a01000000ffffffffffffffff"}04000600706f706c696e0000${"00000000"}2c000000`,
      // type, length | link type, snap length | 2: name | 9: 10^-9 s | end | length
      `0100000030000000${"0100000000000400"}02000900666c616e6e656c2e31000000${"0900010009000000"}${"00000000"}30000000`,
      // type, length | interface, time, lengths | packet | 1: comment | 2: flags, outbound | end | length
      `060000003c000000${"00000000040302010807060505000000"}05000000${"0102030405000000"}${"0100020068690000"}${"0200040002000000"}${"00000000"}3c000000`,
    ]);
  });

  it("refuses a packet of an interface that is not there", () => {
    const { chunks, writer } = collect();
    expect(() => writer.packet(0, 0n, new Uint8Array(1))).toThrow(RangeError);
    expect(chunks.length).toBe(1);
  });

  it("is read back as it was written", () => {
    const { writer, file } = collect();
    expect(writer.addInterface({ name: "vxlan", linkType: LINKTYPE_RAW, description: "node-a" })).toBe(0);
    expect(writer.addInterface({ name: "näme", linkType: LINKTYPE_ETHERNET })).toBe(1);
    const time = 1_790_000_000_123_456_789n;
    for (let i = 0; i < 40; i++) {
      writer.packet(i & 1, time + BigInt(i), packet(i, i), i % 3 === 0 ? { comment: `no. ${i}` } : {});
    }
    writer.packet(1, time, packet(1, 8), { originalLength: 9000, direction: "in" });
    const capture = readCapture(file());
    expect(capture.problem).toBeUndefined();
    expect(capture.interfaces).toEqual([
      { name: "vxlan", linkType: LINKTYPE_RAW, description: "node-a" },
      { name: "näme", linkType: LINKTYPE_ETHERNET },
    ]);
    expect(capture.packets.length).toBe(41);
    for (let i = 0; i < 40; i++) {
      expect(capture.packets[i]).toEqual({
        interfaceId: i & 1,
        time: time + BigInt(i),
        bytes: packet(i, i),
        originalLength: i,
        ...(i % 3 === 0 ? { comment: `no. ${i}` } : {}),
      });
    }
    expect(capture.packets[40]).toMatchObject({ originalLength: 9000, direction: "in" });
  });
});

describeWith([tool("tshark")], "what PcapngWriter writes", () => {
  it("opens in tshark, with names, nanoseconds and comments", () => {
    const { writer, file } = collect();
    writer.addInterface({ name: "eth0", linkType: LINKTYPE_ETHERNET });
    writer.addInterface({ name: "flannel.1", linkType: LINKTYPE_ETHERNET, description: "the overlay" });
    writer.packet(1, 1_790_000_000_123_456_789n, ARP, { comment: "who has it? — π", direction: "in" });
    writer.packet(0, 1_790_000_001_000_000_001n, ARP);
    const path = join(folder, "written.pcapng");
    writeFileSync(path, file());
    const fields = ["frame.interface_name", "frame.time_epoch", "frame.comment", "arp.dst.proto_ipv4"];
    const args = ["-r", path, "-T", "fields", ...fields.flatMap((field) => ["-e", field])];
    const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    expect(text.trimEnd().split("\n")).toEqual([
      "flannel.1\t1790000000.123456789\twho has it? — π\t10.244.1.3",
      "eth0\t1790000001.000000001\t\t10.244.1.3",
    ]);
  });
});

describe("nowNanoseconds", () => {
  it("is the time of day", () => {
    expect(Math.abs(Number(nowNanoseconds() / 1_000_000n) - Date.now())).toBeLessThan(5000);
  });
});
