import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { summarize } from "../../src/teach/summary.ts";
import { ethernet, ipv4, PING_PACKET, PING_UDP_PAYLOAD } from "../wire/frames.ts";
import { SAMPLES } from "../wire/samples.ts";

const OUTER = "172.19.0.2:50300 > 172.19.0.3:8472";

describe("summarize", () => {
  it.each([
    [
      "the study's ping in VXLAN",
      `${OUTER} VXLAN vni 1 | 10.244.1.2 > 10.244.2.5 ICMP echo request id 1 seq 1, 98 bytes`,
    ],
    ["ARP request", "ARP who has 10.244.2.5? tell 10.244.1.2, 60 bytes"],
    ["ARP reply in a VLAN", "vlan 100 ARP 10.244.2.5 is at 02:42:ac:13:00:03, 46 bytes"],
    ["two VLAN tags", "vlan 7 vlan 8 10.244.1.2:50300 > 10.244.2.5:9 UDP, 66 bytes"],
    ["TCP SYN", "10.244.1.2:40000 > 10.244.2.5:80 TCP [SYN] seq 4000000000 win 64240 mss 1410, 74 bytes"],
    [
      "TCP with SACK and data",
      "10.244.1.2:80 > 10.244.2.5:40000 TCP [PSH ACK] seq 0 ack 0 win 502, 94 bytes",
    ],
    ["IPv4 with options and padding", "10.244.1.2:50300 > 10.244.2.5:9 UDP, 62 bytes"],
    ["first fragment", "10.244.1.2:50300 > 10.244.2.5:9 UDP fragment at 0, more follow, 58 bytes"],
    ["last fragment", "10.244.1.2 > 10.244.2.5 UDP fragment at 1480, the last, 50 bytes"],
    [
      "fragmentation needed, with a quote",
      "10.244.1.2 > 10.244.2.5 ICMP unreachable fragmentation needed mtu 1450 " +
        "(about 10.244.1.2 > 10.244.2.5 ICMP echo request id 1 seq 1), 70 bytes",
    ],
    ["ICMP echo reply", "10.244.1.2 > 10.244.2.5 ICMP echo reply id 7 seq 3, 58 bytes"],
    ["UDP in IPv6", "[fe80::1]:50300 > [fe80::2]:9 UDP, 78 bytes"],
    ["ICMPv6 echo", "fe80::1 > fe80::2 ICMPv6 echo request id 9 seq 2, 78 bytes"],
    [
      "packet too big, with a quote",
      "fe80::1 > fe80::2 ICMPv6 packet too big mtu 1430 (about [fe80::1]:50300 > [fe80::2]:9 UDP), 126 bytes",
    ],
    ["MLD report behind hop-by-hop options", "fe80::1 > ff02::16 ICMPv6 MLDv2 report, 90 bytes"],
    ["IPv6 last fragment", "fe80::1 > fe80::2 UDP fragment at 800, the last, 78 bytes"],
    ["neighbour solicitation", "fe80::1 > fe80::2 ICMPv6 neighbour solicitation, who has fe80::2, 86 bytes"],
    [
      "neighbour advertisement",
      "fe80::1 > fe80::2 ICMPv6 neighbour advertisement, fe80::2 is at 02:42:ac:13:00:03, 86 bytes",
    ],
    ["router advertisement", "fe80::1 > fe80::2 ICMPv6 router advertisement, 118 bytes"],
    [
      "VXLAN with group policy",
      "172.19.0.2:50300 > 172.19.0.3:4789 VXLAN vni 5 group 42 | " +
        "10.244.1.2 > 10.244.2.5 ICMP echo request id 1 seq 1, 98 bytes",
    ],
    [
      "VXLAN over IPv6",
      "[fe80::1]:50300 > [fe80::2]:8472 VXLAN vni 16777215 | [fe80::1]:50300 > [fe80::2]:9 UDP, 78 bytes",
    ],
  ])("%s", (name, line) => {
    expect(summarize(SAMPLES[name]!)).toBe(line);
  });

  it("starts at the layer it is told", () => {
    expect(summarize(PING_UDP_PAYLOAD, { layer: "udp-payload" })).toBe(
      "VXLAN vni 1 | 10.244.1.2 > 10.244.2.5 ICMP echo request id 1 seq 1, 98 bytes",
    );
  });

  it.each([
    [0, "0 bytes [truncated]"],
    [10, "Ethernet, 10 bytes [truncated]"],
    [20, "02:42:ac:13:00:02 > 02:42:ac:13:00:03 IPv4, 20 bytes [truncated]"],
    [38, "172.19.0.2 > 172.19.0.3 UDP, 38 bytes [truncated]"],
    [46, `${OUTER} VXLAN, 46 bytes [truncated]`],
    [88, `${OUTER} VXLAN vni 1 | 10.244.1.2 > 10.244.2.5 ICMP echo, 38 bytes [truncated]`],
  ])("cut to %i bytes says what is there, and that it is truncated", (length, line) => {
    expect(summarize(PING_PACKET.subarray(0, length))).toBe(line);
  });

  it("says what is malformed", () => {
    const bytes = PING_PACKET.slice();
    bytes[42] = 0;
    expect(summarize(bytes)).toMatch(/, 98 bytes \[malformed: the I flag of VXLAN is clear.*\]$/);
  });

  it("names protocols that it does not look into", () => {
    expect(summarize(ethernet(0x0800, ipv4(50, new Uint8Array(20))))).toBe(
      "10.244.1.2 > 10.244.2.5 ESP payload, 54 bytes",
    );
    expect(summarize(ethernet(0x88cc, new Uint8Array(46)))).toBe(
      "02:42:ac:13:00:02 > 02:42:ac:13:00:03 LLDP payload, 60 bytes",
    );
  });

  it("is one line for any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...Object.values(SAMPLES))),
        fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 4 }),
        fc.nat(150),
        (frame, changes, length) => {
          const bytes = frame.slice(0, length);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const line = summarize(bytes);
          expect(line).toMatch(/^\S.* bytes?( \[.*\])?$|^[01] bytes?( \[truncated\])?$/);
          expect(line).not.toMatch(/undefined|NaN|\?(?! tell)|\n/);
        },
      ),
      { numRuns: 1500 },
    );
  });
});
