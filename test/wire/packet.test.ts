import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex } from "../../src/wire/bytes.ts";
import { encode } from "../../src/wire/encode.ts";
import { decodePacket, type Packet, type PacketOptions } from "../../src/wire/packet.ts";
import { isHeader, type LayerName } from "../../src/wire/walk.ts";
import { concat, ethernet, ipv4, PING_FRAME, PING_PACKET, PING_UDP_PAYLOAD, udp } from "./frames.ts";
import { JUMBO, SAMPLES } from "./samples.ts";

const LAYERS: LayerName[] = [
  "ethernet",
  "vlan",
  "arp",
  "ip",
  "ipv4",
  "ipv6",
  "udp",
  "tcp",
  "icmp",
  "icmpv6",
  "udp-payload",
];

/** "ethernet ipv4 udp vxlan | ethernet …": tables by name, bytes by kind and length, a bar where a tunnel starts. */
function outline(bytes: Uint8Array, options?: PacketOptions): string {
  let level = 0;
  const words: string[] = [];
  for (const part of decodePacket(bytes, options).parts) {
    if (part.level > level) words.push("|");
    level = part.level;
    const word = isHeader(part) ? part.table.name : `${part.kind}:${part.length}`;
    words.push(part.quoted ? `"${word}"` : word);
  }
  return words.join(" ");
}

function expectEveryByteOnce(packet: Packet): void {
  let at = 0;
  for (const part of packet.parts) {
    expect(part.at).toBe(at);
    expect(part.length).toBeGreaterThan(0);
    at += part.length;
  }
  expect(at).toBe(packet.length);
}

/** Bytes again from what was understood; spans are copied. */
function rebuild(bytes: Uint8Array, packet: Packet): Uint8Array {
  return concat(
    ...packet.parts.map((part) =>
      isHeader(part) && !part.truncated
        ? encode(part.table, part.values)
        : bytes.subarray(part.at, part.at + part.length),
    ),
  );
}

describe("the study's ping", () => {
  it("is 98 bytes of inner frame, 106 of UDP payload, 148 on the wire", () => {
    expect([PING_FRAME.length, PING_UDP_PAYLOAD.length, PING_PACKET.length]).toEqual([98, 106, 148]);
  });

  it("is explained layer by layer", () => {
    expect(outline(PING_PACKET)).toBe("ethernet ipv4 udp vxlan | ethernet ipv4 icmp-echo payload:56");
    expect(outline(PING_UDP_PAYLOAD, { layer: "udp-payload" })).toBe(
      "vxlan | ethernet ipv4 icmp-echo payload:56",
    );
    expect(outline(PING_FRAME)).toBe("ethernet ipv4 icmp-echo payload:56");
    expect(outline(PING_FRAME.subarray(14), { layer: "ip" })).toBe("ipv4 icmp-echo payload:56");
  });

  it("has the values the study gives", () => {
    const { parts, notes, truncated } = decodePacket(PING_PACKET);
    const header = (table: string, level: number) =>
      parts.find((p) => isHeader(p) && p.table.name === table && p.level === level);
    expect(header("udp", 0)).toMatchObject({ values: { destinationPort: 8472, length: 114, checksum: 0 } });
    expect(header("vxlan", 0)).toMatchObject({
      values: { i: 1, vni: 1, reserved1: 0, reserved3: 0, reserved4: 0 },
    });
    expect(header("ethernet", 1)).toMatchObject({
      values: { destination: 0x3e0b61776d02, source: 0x7a219c045501 },
    });
    expect(header("ipv4", 1)).toMatchObject({ values: { totalLength: 84, ttl: 63, dontFragment: 1 } });
    expect(header("icmp-echo", 1)).toMatchObject({ values: { type: 8, identifier: 1, sequence: 1 } });
    expect(notes).toEqual([]);
    expect(truncated).toBe(false);
  });
});

describe("decodePacket", () => {
  it.each([
    ["ARP request", "ethernet arp padding:18"],
    ["ARP reply in a VLAN", "ethernet vlan arp"],
    ["two VLAN tags", "ethernet vlan vlan ipv4 udp payload:16"],
    ["TCP SYN", "ethernet ipv4 tcp tcp-mss tcp-sack-permitted tcp-timestamps tcp-nop tcp-window-scale"],
    [
      "TCP with SACK and data",
      "ethernet ipv4 tcp tcp-nop tcp-nop tcp-timestamps tcp-nop tcp-nop tcp-sack payload:16",
    ],
    [
      "IPv4 with options and padding",
      "ethernet ipv4 ipv4-router-alert ipv4-record-route ipv4-end udp payload:3 padding:5",
    ],
    ["first fragment", "ethernet ipv4 udp payload:16"],
    ["last fragment", "ethernet ipv4 payload:16"],
    ["fragmentation needed, with a quote", 'ethernet ipv4 icmp-unreachable "ipv4" "icmp-echo"'],
    ["packet too big, with a quote", 'ethernet ipv6 icmpv6-packet-too-big "ipv6" "udp" "payload:16"'],
    [
      "MLD report behind hop-by-hop options",
      "ethernet ipv6 ipv6-hop-by-hop ipv6-router-alert ipv6-padn icmpv6 payload:24",
    ],
    ["IPv6 routing header", "ethernet ipv6 ipv6-routing udp payload:16"],
    ["IPv6 first fragment", "ethernet ipv6 ipv6-fragment udp payload:16"],
    ["IPv6 last fragment", "ethernet ipv6 ipv6-fragment payload:16"],
    [
      "IPv6 destination options",
      "ethernet ipv6 ipv6-destination-options ipv6-option ipv6-padn udp payload:16",
    ],
    ["neighbour solicitation", "ethernet ipv6 nd-neighbour-solicitation nd-source-link-address"],
    ["neighbour advertisement", "ethernet ipv6 nd-neighbour-advertisement nd-target-link-address"],
    ["router solicitation", "ethernet ipv6 nd-router-solicitation nd-source-link-address"],
    ["router advertisement", "ethernet ipv6 nd-router-advertisement nd-prefix nd-mtu nd-option"],
    ["VXLAN with group policy", "ethernet ipv4 udp vxlan-gbp | ethernet ipv4 icmp-echo payload:56"],
    ["VXLAN over IPv6", "ethernet ipv6 udp vxlan | ethernet ipv6 udp payload:16"],
  ])("explains %s", (name, expected) => {
    expect(outline(SAMPLES[name]!)).toBe(expected);
  });

  it.each(Object.entries(SAMPLES))("finds nothing wrong, and loses no byte: %s", (_, frame) => {
    const packet = decodePacket(frame);
    expect(packet.notes).toEqual([]);
    expectEveryByteOnce(packet);
    expect(hex(rebuild(frame, packet))).toBe(hex(frame));
  });

  it("RFC 2675: takes the length of a jumbo payload from its option", () => {
    expect(outline(JUMBO)).toBe("ethernet ipv6 ipv6-hop-by-hop ipv6-jumbo tcp payload:69980");
    expect(decodePacket(JUMBO).notes).toEqual([]);
    expect(decodePacket(JUMBO.subarray(0, 70_000)).truncated).toBe(true);
  });

  it("takes the ports it is told for VXLAN, and no other", () => {
    const frame = ethernet(0x0800, ipv4(17, udp(PING_UDP_PAYLOAD, { destinationPort: 9999 })));
    expect(outline(frame)).toBe("ethernet ipv4 udp payload:106");
    expect(outline(frame, { vxlanPorts: [9999] })).toContain("udp vxlan | ethernet");
  });
});

describe("what is not as it should be", () => {
  it.each(Object.entries(SAMPLES))(
    "a packet cut off anywhere is reported as truncated: %s",
    (name, frame) => {
      const padding = decodePacket(frame).parts.at(-1)!;
      const end = padding.kind === "padding" ? padding.at : frame.length;
      for (let length = 0; length < end; length++) {
        const packet = decodePacket(frame.subarray(0, length));
        expectEveryByteOnce(packet);
        expect(packet.truncated, `${name} cut to ${length}`).toBe(true);
      }
      for (let length = end; length <= frame.length; length++) {
        expect(decodePacket(frame.subarray(0, length)).truncated).toBe(false);
      }
    },
  );

  it.each([
    ["the I flag clear", { 42: 0 }, "I flag"],
    ["an IPv4 header length of 4 words", { 14: 0x44 }, "header length is 16"],
    ["an IPv4 total length of 19", { 16: 0, 17: 19 }, "total length is 19"],
    ["IPv6 behind the EtherType of IPv4", { 64: 0x60 }, "version field says 6"],
    ["a UDP length of 7", { 38: 0, 39: 7 }, "UDP length is 7"],
  ])("says what is malformed: %s", (_, changes, text) => {
    const bytes = PING_PACKET.slice();
    for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
    const packet = decodePacket(bytes);
    expectEveryByteOnce(packet);
    expect(packet.notes.map((note) => `${note.kind}: ${note.text}`)).toContainEqual(
      expect.stringMatching(new RegExp(`^malformed: .*${text}`)),
    );
  });

  it.each([
    ["an option of length 1", "8801 0000", "option 136 says it is 1 bytes"],
    ["an option longer than the header", "8805 0000", "option 136 says it is 5 bytes"],
    ["an option without a length", "010101 88", "option 136 has no room"],
  ])("stops at %s", (_, options, text) => {
    const packet = decodePacket(ethernet(0x0800, ipv4(17, udp(Uint8Array.of(1)), {}, options)));
    expectEveryByteOnce(packet);
    expect(packet.notes[0]?.text).toContain(text);
    expect(packet.parts.some((part) => part.kind === "unexplained")).toBe(true);
  });

  it("reports what is behind the end of a UDP datagram as unexplained", () => {
    const frame = ethernet(0x0800, ipv4(17, udp(new Uint8Array(9), { length: 12 })));
    expect(outline(frame)).toBe("ethernet ipv4 udp payload:4 unexplained:5");
  });

  it("survives frames that are tunnels in tunnels in tunnels", () => {
    let frame: Uint8Array = PING_FRAME;
    while (frame.length < 65_000) {
      const tunnel = concat(Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0), frame);
      frame = ethernet(0x0800, ipv4(17, udp(tunnel, { destinationPort: 8472 })));
    }
    const packet = decodePacket(frame);
    expectEveryByteOnce(packet);
    expect(packet.parts.at(-1)!.level).toBe((frame.length - 98) / 50);
  });

  it("never throws and accounts for every byte: noise as any layer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...LAYERS), (bytes, layer) => {
        const packet = decodePacket(bytes, { layer });
        expectEveryByteOnce(packet);
        expect(rebuild(bytes, packet)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it("never throws and accounts for every byte: sound packets with bytes changed, cut or added", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(SAMPLES)),
        fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 4 }),
        fc.nat(300),
        (frame, changes, length) => {
          const bytes = new Uint8Array(length);
          bytes.set(frame.subarray(0, length));
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          const packet = decodePacket(bytes);
          expectEveryByteOnce(packet);
          expect(rebuild(bytes, packet)).toEqual(bytes);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
