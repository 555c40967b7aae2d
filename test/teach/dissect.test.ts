import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dissect } from "../../src/teach/dissect.ts";
import { encode } from "../../src/wire/encode.ts";
import { hex, ICMPV6_ECHO } from "../../src/wire/index.ts";
import { concat, ethernet, ipv4, ipv6, PING_PACKET, PING_UDP_PAYLOAD, udp } from "../wire/frames.ts";
import { SAMPLES } from "../wire/samples.ts";

/** The bytes a dissection shows, read back from its columns: for each row its offset, then its bytes. */
function shownBytes(lines: readonly string[]): Map<number, string> {
  const shown = new Map<number, string>();
  for (const line of lines) {
    const row = /^ *(\d+) ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: |$)/.exec(line);
    if (!row) continue;
    row[2]!.split(" ").forEach((byte, i) => {
      const at = Number(row[1]) + i;
      expect(shown.has(at), `byte ${at} is shown twice`).toBe(false);
      shown.set(at, byte);
    });
  }
  return shown;
}

describe("dissect", () => {
  it("names the bits of a group policy where the G bit is set", () => {
    const lines = dissect(SAMPLES["VXLAN with group policy"]!);
    const at = lines.findIndex((line) => line.startsWith("VXLAN with group policy"));
    expect(lines.slice(at + 1, at + 14).join("\n")).toMatchInlineSnapshot(`
      " 42 88 1... ....      G                set               a group id is there
             .000 ....      reserved         0x0               zero, and ignored
             .... 1...      I                set               the VNI is valid
             .... .000      reserved         0x0               zero, and ignored
       43 40 0... ....      reserved         clear             zero, and ignored
             .1.. ....      D                set               do not learn
             ..00 ....      reserved         0x0               zero, and ignored
             .... 0...      A                clear             policy was applied
             .... .000      reserved         0x0               zero, and ignored
       44 00 2a             group policy id  42                group of the source
       46 00 00 05          VNI              5                 which overlay network
       49 00                reserved         0x00              zero, and ignored
      "
    `);
  });

  it("names every byte of the study's ping", () => {
    expect(dissect(PING_PACKET).join("\n")).toMatchInlineSnapshot(`
      "148 bytes
        outer: Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8 = 50
        inner: Ethernet 14 + IPv4 20 + ICMP echo 8 + payload 56 = 98

      outer Ethernet                                                 14 bytes, 0 to 13
        0 02 42 ac 13 00 03 destination      02:42:ac:13:00:03 who takes the frame
        6 02 42 ac 13 00 02 source           02:42:ac:13:00:02 who sent the frame
       12 08 00             EtherType        0x0800 IPv4       what follows

      outer IPv4                                                    20 bytes, 14 to 33
       14 45 0100 ....      version          4                 always 4 here
             .... 0101      header length    5 (20 bytes)      options included
       15 00 0000 00..      DSCP             0                 class of service
             .... ..00      ECN              0 not-ECT         congestion mark
       16 00 86             total length     134 bytes         header and payload
       18 12 34             identification   0x1234            joins its fragments
       20 00 0... ....      reserved         clear             must be zero
             .0.. ....      DF               clear             do not fragment
             ..0. ....      MF               clear             more fragments follow
             ...0 0000      fragment offset  0 (0 bytes)       place of this fragment
       21 00
       22 40                TTL              64 hops           hops it may still go
       23 11                protocol         17 UDP            what follows
       24 10 08             header checksum  0x1008 right      over this header only
       26 ac 13 00 02       source           172.19.0.2        who sent it
       30 ac 13 00 03       destination      172.19.0.3        where it goes

      outer UDP                                                      8 bytes, 34 to 41
       34 c4 7c             source port      50300             where answers go
       36 21 18             destination port 8472              which program gets it
       38 00 72             length           114 bytes         header and payload
       40 00 00             checksum         0x0000 none       0: none (IPv4 only)

      VXLAN                                                          8 bytes, 42 to 49
       42 08 0000 ....      reserved         0x0               zero, and ignored
             .... 1...      I                set               the VNI is valid
             .... .000      reserved         0x0               zero, and ignored
       43 00 00 00          reserved         0x000000          zero, and ignored
       46 00 00 01          VNI              1                 which overlay network
       49 00                reserved         0x00              zero, and ignored

      inner Ethernet                                                14 bytes, 50 to 63
       50 3e 0b 61 77 6d 02 destination      3e:0b:61:77:6d:02 who takes the frame
       56 7a 21 9c 04 55 01 source           7a:21:9c:04:55:01 who sent the frame
       62 08 00             EtherType        0x0800 IPv4       what follows

      inner IPv4                                                    20 bytes, 64 to 83
       64 45 0100 ....      version          4                 always 4 here
             .... 0101      header length    5 (20 bytes)      options included
       65 00 0000 00..      DSCP             0                 class of service
             .... ..00      ECN              0 not-ECT         congestion mark
       66 00 54             total length     84 bytes          header and payload
       68 ab cd             identification   0xabcd            joins its fragments
       70 40 0... ....      reserved         clear             must be zero
             .1.. ....      DF               set               do not fragment
             ..0. ....      MF               clear             more fragments follow
             ...0 0000      fragment offset  0 (0 bytes)       place of this fragment
       71 00
       72 3f                TTL              63 hops           hops it may still go
       73 01                protocol         1 ICMP            what follows
       74 76 ed             header checksum  0x76ed right      over this header only
       76 0a f4 01 02       source           10.244.1.2        who sent it
       80 0a f4 02 05       destination      10.244.2.5        where it goes

      inner ICMP echo                                                8 bytes, 84 to 91
       84 08                type             8 echo request    kind of message
       85 00                code             0                 finer kind
       86 92 a2             checksum         0x92a2 right      over the ICMP message
       88 00 01             identifier       1                 which ping program
       90 00 01             sequence         1                 which ping of it

      inner ICMP data                                              56 bytes, 92 to 147
       92 8d 4c 24 69 00 00 00 00 f1 d2 03 00 00 00 00 00  .L$i............
      108 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f  ................
      124 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f   !"#$%&'()*+,-./
      140 30 31 32 33 34 35 36 37                          01234567"
    `);
  });

  it.each(Object.entries(SAMPLES))("shows every byte once, where it is, in 80 columns: %s", (_, frame) => {
    const lines = dissect(frame);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const shown = shownBytes(lines);
    for (let at = 0; at < frame.length; at++) expect(shown.get(at), `byte ${at}`).toBe(hex(frame, at, 1));
    expect(shown.size).toBe(frame.length);
  });

  it("names each layer, outer and inner", () => {
    const headings = (lines: string[]) =>
      lines.filter((_, i) => lines[i - 1] === "").map((l) => l.split("  ")[0]);
    expect(headings(dissect(PING_PACKET))).toEqual([
      "outer Ethernet",
      "outer IPv4",
      "outer UDP",
      "VXLAN",
      "inner Ethernet",
      "inner IPv4",
      "inner ICMP echo",
      "inner ICMP data",
    ]);
    expect(headings(dissect(SAMPLES["ARP request"]!))).toEqual([
      "Ethernet",
      "ARP",
      "padding: after the end of ARP",
    ]);
    expect(headings(dissect(SAMPLES["fragmentation needed, with a quote"]!))).toEqual([
      "Ethernet",
      "IPv4",
      "ICMP unreachable",
      "quoted IPv4",
      "quoted ICMP echo",
    ]);
  });

  it("counts offsets from where it is told to start", () => {
    expect(dissect(PING_UDP_PAYLOAD, { layer: "udp-payload" }).slice(0, 6)).toEqual([
      "106 bytes",
      "  outer: VXLAN 8 = 8",
      "  inner: Ethernet 14 + IPv4 20 + ICMP echo 8 + payload 56 = 98",
      "",
      "VXLAN                                                            8 bytes, 0 to 7",
      "  0 08 0000 ....      reserved         0x0               zero, and ignored",
    ]);
  });

  it("folds long payloads, and runs of one byte", () => {
    const noise = Uint8Array.from({ length: 1400 }, (_, i) => (i * 7) & 0xff);
    const long = dissect(ethernet(0x0800, ipv4(17, udp(noise))));
    expect(long.at(-1)).toBe("     1352 bytes more, up to 1441");
    expect(long.at(-2)).toMatch(/^ {2}74 e0 e7 .{41} {2}.{16}$/);
    const zeros = dissect(ethernet(0x0800, ipv4(17, udp(new Uint8Array(1400)))));
    expect(zeros.at(-1)).toBe("     and so on: all 1400 bytes are 00");
    for (const line of [...long, ...zeros]) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("says what is wrong with a packet", () => {
    const lines = dissect(PING_PACKET.subarray(0, 90));
    expect(lines.slice(-2)).toEqual(["", "! truncated at byte 90: ICMP echo needs 8 bytes, 6 are here"]);
  });

  it("colours when asked, and changes nothing else", () => {
    const colored = dissect(PING_PACKET, { color: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const plain = colored.map((line) => line.replace(/\u001b\[[\d;]*m/g, ""));
    expect(plain).toEqual(dissect(PING_PACKET));
    expect(colored.join("")).toContain("\u001b[");
    expect(dissect(PING_PACKET).join("")).not.toContain("\u001b");
  });

  it("never throws, and stays within 80 columns, for any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...Object.values(SAMPLES))),
        fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 4 }),
        fc.nat(150),
        (frame, changes, length) => {
          const bytes = frame.slice(0, length);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          for (const line of dissect(bytes)) {
            expect(line.length).toBeLessThanOrEqual(80);
            expect(line).not.toMatch(/undefined|NaN/);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("checksums", () => {
  const verdictOf = (lines: string[], nth = 0) =>
    lines.filter((line) => line.includes(" checksum ")).map((line) => line.slice(39).split(/ {2,}/)[0])[nth];

  it("of sound packets are right, or there is none", () => {
    for (const [name, frame] of Object.entries(SAMPLES)) {
      expect(dissect(frame).join("\n"), name).not.toContain("wrong");
    }
    expect(
      dissect(PING_PACKET)
        .filter((line) => line.includes("checksum"))
        .map((line) => line.slice(39, 51)),
    ).toEqual(["0x1008 right", "0x0000 none ", "0x76ed right", "0x92a2 right"]);
  });

  it("that are wrong are shown with what they should be", () => {
    const frame = SAMPLES["TCP SYN"]!.slice();
    const right = hex(frame, 50, 2);
    frame[50]! ^= 0x80;
    expect(verdictOf(dissect(frame), 1)).toBe(`0x${hex(frame, 50, 2)} wrong, right is 0x${right}`);
    const header = PING_PACKET.slice();
    header[72] = 64;
    expect(dissect(header).join("\n")).toContain("0x76ed wrong, right is 0x75ed");
  });

  it("left to a network card are partial", () => {
    // what Linux leaves in the field with CHECKSUM_PARTIAL: the folded sum of the pseudo-header, not inverted
    const frame = SAMPLES["TCP SYN"]!.slice();
    frame.set([0x19, 0x1d], 50); // 0af4 + 0102 + 0af4 + 0205 + 6 + 40
    expect(verdictOf(dissect(frame), 1)).toBe("0x191d partial");
  });

  it("of what is not all here are not judged", () => {
    const of = (frame: Uint8Array) =>
      dissect(frame)
        .filter((line) => line.includes(" checksum "))
        .at(-1)!
        .slice(39, 57);
    for (const name of ["first fragment", "IPv6 first fragment", "packet too big, with a quote"]) {
      expect(of(SAMPLES[name]!), name).not.toMatch(/right|wrong|partial|none /);
    }
    expect(of(SAMPLES["UDP in IPv6"]!.subarray(0, 70))).not.toMatch(/right|wrong/);
  });

  it("of ICMPv6 cover the addresses", () => {
    const message = encode(ICMPV6_ECHO, {});
    const sum = (source: string) =>
      verdictOf(dissect(ethernet(0x86dd, ipv6(58, concat(message), { source }))))?.slice(-6);
    expect(sum("fe800000000000000000000000000001")).not.toBe(sum("fe800000000000000000000000000005"));
  });
});
