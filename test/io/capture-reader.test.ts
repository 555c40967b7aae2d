import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CaptureFormatError, readCapture } from "../../src/io/capture-reader.ts";
import { LINKTYPE_ETHERNET, PcapngWriter } from "../../src/io/pcapng.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { packet } from "./side.ts";

const folder = mkdtempSync(join(tmpdir(), "poplin-captures-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIME = 1_790_000_000_123_456_000n;

function written(packets: number): Uint8Array {
  const chunks: number[] = [];
  const writer = new PcapngWriter((chunk) => chunks.push(...chunk));
  writer.addInterface({ name: "eth0", linkType: LINKTYPE_ETHERNET });
  for (let i = 0; i < packets; i++) {
    writer.packet(0, TIME + BigInt(i) * 1000n, packet(i, 60 + i), { comment: `no. ${i}`, direction: "in" });
  }
  return Uint8Array.from(chunks);
}

describe("readCapture", () => {
  it.each([
    ["little-endian microseconds", "d4c3b2a1 0200 0400 00000000 00000000 0000 0400 01000000", false, 1000n],
    ["big-endian microseconds", "a1b2c3d4 0002 0004 00000000 00000000 0004 0000 00000001", true, 1000n],
    ["little-endian nanoseconds", "4d3cb2a1 0200 0400 00000000 00000000 0000 0400 01000000", false, 1n],
    ["big-endian nanoseconds", "a1b23c4d 0002 0004 00000000 00000000 0004 0000 00000001", true, 1n],
  ])("reads pcap in %s", (_, header, big, unit) => {
    const numbers = [5, 7, 3, 90].map((n) => n.toString(16).padStart(8, "0"));
    const fields = big ? numbers : numbers.map((n) => n.replace(/(..)(..)(..)(..)/, "$4$3$2$1"));
    const capture = readCapture(fromHex(`${header} ${fields.join("")} 010203`));
    expect(capture).toEqual({
      format: "pcap",
      interfaces: [{ name: "", linkType: 1 }],
      packets: [
        {
          interfaceId: 0,
          time: 5_000_000_000n + 7n * unit,
          bytes: Uint8Array.of(1, 2, 3),
          originalLength: 90,
        },
      ],
    });
  });

  it("reads big-endian pcapng, its default of microseconds, and blocks it does not know", () => {
    const capture = readCapture(
      fromHex(`
        0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
        00000001 00000014 0065 0000 00000000 00000014   # raw IP, no options
        00000005 00000010 00000000 00000010             # statistics: passed over
        00000006 00000024 00000000 00000000 000f4241 00000002 00000002 abcd0000 00000024
        00000003 00000014 00000002 abcd0000 00000014    # a simple packet`),
    );
    const bytes = Uint8Array.of(0xab, 0xcd);
    expect(capture).toEqual({
      format: "pcapng",
      interfaces: [{ name: "", linkType: 101 }],
      packets: [
        { interfaceId: 0, time: 1_000_001_000n, bytes, originalLength: 2 },
        { interfaceId: 0, time: 0n, bytes, originalLength: 2 },
      ],
    });
  });

  it("reads time in powers of two and with an offset", () => {
    const capture = readCapture(
      fromHex(`
        0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
        00000001 0000002c 0001 0000 00000000
          0009 0001 8a000000 000e 0008 0000000000000064 0000 0000 0000002c
        00000006 00000020 00000000 00000000 00000600 00000000 00000000 00000020`),
    );
    expect(capture.problem).toBeUndefined();
    expect(capture.packets[0]!.time).toBe(101_500_000_000n); // 0x600 / 2^10 s, and 100 s
  });

  it("numbers the interfaces of a second section on", () => {
    const one = written(1);
    const capture = readCapture(Uint8Array.from([...one, ...one]));
    expect(capture.interfaces.length).toBe(2);
    expect(capture.packets.map(({ interfaceId }) => interfaceId)).toEqual([0, 1]);
  });

  it("gives what is whole of a capture that is cut short anywhere", () => {
    const whole = written(4);
    const packets = readCapture(whole).packets;
    for (let length = 12; length < whole.length; length++) {
      const capture = readCapture(whole.subarray(0, length));
      expect(capture.packets).toEqual(packets.slice(0, capture.packets.length));
      expect(capture.packets.length).toBeLessThan(4);
    }
    expect(readCapture(whole.subarray(0, whole.length - 1)).problem).toBe(
      "the file ends in the middle of a block (in the block at byte 440)",
    );
  });

  it("never fails on damage", () => {
    const pcapng = written(3);
    const pcap = fromHex(
      `d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 ${"05000000 07000000 02000000 02000000 abcd".repeat(3)}`,
    );
    const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x80, 0xff)));
    fc.assert(
      fc.property(fc.constantFrom(pcapng, pcap), fc.array(change, { maxLength: 5 }), (whole, changes) => {
        const file = whole.slice();
        for (const [at, value] of changes) file[at % file.length] = value;
        try {
          const capture = readCapture(file);
          for (const { bytes } of capture.packets) expect(bytes.buffer).toBe(file.buffer);
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureFormatError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["nothing", new Uint8Array(0), "it has only 0 bytes"],
    ["text", new TextEncoder().encode("hello, world\n"), "it starts with 6c6c6568"],
    ["half a pcap header", fromHex("d4c3b2a1 0200 0400 00000000 00000000"), "its header is cut short"],
  ])("says that %s is no capture", (_, file, detail) => {
    expect(() => readCapture(file)).toThrow(
      expect.objectContaining({ code: "NOT_A_CAPTURE", message: expect.stringContaining(detail) }),
    );
  });
});

describeWith([tool("editcap")], "readCapture reads what Wireshark writes", () => {
  it.each([
    ["pcap", "pcap"],
    ["nsecpcap", "pcap"],
    ["pcapng", "pcapng"],
  ])("as %s", (kind, format) => {
    const [from, to] = [join(folder, "in.pcapng"), join(folder, `out.${kind}`)];
    writeFileSync(from, written(5));
    execFileSync("editcap", ["-F", kind, from, to], { stdio: "ignore" });
    const capture = readCapture(readFileSync(to));
    expect(capture.problem).toBeUndefined();
    expect(capture.format).toBe(format);
    expect(capture.interfaces[0]!.linkType).toBe(LINKTYPE_ETHERNET);
    expect(capture.packets.map(({ time, bytes }) => [time, bytes])).toEqual(
      Array.from({ length: 5 }, (_, i) => [TIME + BigInt(i) * 1000n, packet(i, 60 + i)]),
    );
  });
});
