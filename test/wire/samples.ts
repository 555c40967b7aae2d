/** Sound Ethernet frames of every kind that the tables know, for tests that want all of them. */

import { ARP } from "../../src/wire/arp.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { encode } from "../../src/wire/encode.ts";
import { ICMP_ECHO, ICMP_UNREACHABLE_MESSAGE } from "../../src/wire/icmp.ts";
import { ICMPV6, ICMPV6_ECHO, ICMPV6_PACKET_TOO_BIG_MESSAGE } from "../../src/wire/icmpv6.ts";
import { IPV6_FRAGMENT, IPV6_ROUTING } from "../../src/wire/ipv6-extensions.ts";
import {
  ND_NEIGHBOUR_ADVERTISEMENT,
  ND_NEIGHBOUR_SOLICITATION,
  ND_ROUTER_ADVERTISEMENT,
  ND_ROUTER_SOLICITATION,
} from "../../src/wire/nd.ts";
import { TCP } from "../../src/wire/tcp.ts";
import { VLAN } from "../../src/wire/vlan.ts";
import { VXLAN, VXLAN_GBP } from "../../src/wire/vxlan.ts";
import {
  concat,
  ethernet,
  ipv4,
  ipv6,
  NODE_A,
  NODE_B,
  PING_FRAME,
  PING_PACKET,
  POD_A,
  POD_B,
  udp,
  withL4Checksum,
} from "./frames.ts";

const DATA = fromHex("000102030405060708090a0b0c0d0e0f");
const SYN_OPTIONS = fromHex("020405820402080a0000000100000000 01 030307");
const TARGET = "fe800000000000000000000000000002";

const tcp4 = (segment: Uint8Array) => ethernet(0x0800, withL4Checksum(ipv4(6, segment), 20, 6, 16));
const icmp6 = (message: Uint8Array, values = {}) =>
  ethernet(0x86dd, withL4Checksum(ipv6(58, message, { hopLimit: 255, ...values }), 40, 58, 2));
const icmp4 = (message: Uint8Array) => ethernet(0x0800, withL4Checksum(ipv4(1, message), 20, 1, 2));
/** UDP behind IPv6 extension headers of that type. */
const behind = (type: number, extension: Uint8Array, values = {}) =>
  ethernet(
    0x86dd,
    withL4Checksum(ipv6(type, concat(extension, udp(DATA)), values), 40 + extension.length, 17, 6),
  );

/** A sound UDP datagram in IPv6. */
export const UDP6 = ethernet(0x86dd, withL4Checksum(ipv6(17, udp(DATA)), 40, 17, 6));

export const SAMPLES: Readonly<Record<string, Uint8Array>> = {
  "the study's ping in VXLAN": PING_PACKET,
  "the study's ping": PING_FRAME,
  "ARP request": ethernet(
    0x0806,
    concat(encode(ARP, { senderMac: 0x0242ac130002, senderIp: POD_A, targetIp: POD_B }), new Uint8Array(18)),
    { destination: 0xffffffffffff },
  ),
  "ARP reply in a VLAN": ethernet(
    0x8100,
    concat(
      encode(VLAN, { priority: 3, vlanId: 100, etherType: 0x0806 }),
      encode(ARP, {
        operation: 2,
        senderMac: 0x0242ac130003,
        senderIp: POD_B,
        targetMac: 1,
        targetIp: POD_A,
      }),
    ),
  ),
  "two VLAN tags": ethernet(
    0x88a8,
    concat(
      encode(VLAN, { vlanId: 7, etherType: 0x8100 }),
      encode(VLAN, { vlanId: 8 }),
      withL4Checksum(ipv4(17, udp(DATA)), 20, 17, 6),
    ),
  ),
  "TCP SYN": tcp4(
    concat(
      encode(TCP, {
        sourcePort: 40000,
        destinationPort: 80,
        sequence: 4000000000,
        dataOffset: 10,
        syn: 1,
        window: 64240,
      }),
      SYN_OPTIONS,
    ),
  ),
  "TCP with SACK and data": tcp4(
    concat(
      encode(TCP, { sourcePort: 80, destinationPort: 40000, dataOffset: 11, ack: 1, psh: 1, window: 502 }),
      fromHex("0101080a 00000005 00000006 0101 050a 00000100 00000200"),
      DATA,
    ),
  ),
  "IPv4 with options and padding": ethernet(
    0x0800,
    concat(ipv4(17, udp(DATA.subarray(0, 3)), {}, "94040000 07070400000000 00"), new Uint8Array(5)),
  ),
  "first fragment": ethernet(0x0800, ipv4(17, udp(DATA, { length: 2000 }), { moreFragments: 1 })),
  "last fragment": ethernet(0x0800, ipv4(17, DATA, { fragmentOffset: 185 })),
  "fragmentation needed, with a quote": icmp4(
    concat(encode(ICMP_UNREACHABLE_MESSAGE, { code: 4, nextHopMtu: 1450 }), PING_FRAME.subarray(14, 42)),
  ),
  "ICMP echo reply": icmp4(concat(encode(ICMP_ECHO, { type: 0, identifier: 7, sequence: 3 }), DATA)),
  "UDP in IPv6": UDP6,
  "ICMPv6 echo": icmp6(concat(encode(ICMPV6_ECHO, { identifier: 9, sequence: 2 }), DATA)),
  "packet too big, with a quote": icmp6(
    concat(encode(ICMPV6_PACKET_TOO_BIG_MESSAGE, { mtu: 1430 }), UDP6.subarray(14)),
  ),
  "MLD report behind hop-by-hop options": ethernet(
    0x86dd,
    withL4Checksum(
      ipv6(
        0,
        concat(
          fromHex("3a00 05020000 0100"),
          encode(ICMPV6, { type: 143 }),
          fromHex("00000001 04000000 ff0200000000000000000001 0000fb00"),
        ),
        { hopLimit: 1, destination: "ff020000000000000000000000000016" },
      ),
      48,
      58,
      2,
    ),
  ),
  "IPv6 routing header": behind(
    43,
    encode(IPV6_ROUTING, { nextHeader: 17, headerLength: 2, data: `00000000${TARGET}` }),
  ),
  "IPv6 first fragment": ethernet(
    0x86dd,
    ipv6(
      44,
      concat(encode(IPV6_FRAGMENT, { nextHeader: 17, moreFragments: 1 }), udp(DATA, { length: 3000 })),
    ),
  ),
  "IPv6 last fragment": ethernet(
    0x86dd,
    ipv6(44, concat(encode(IPV6_FRAGMENT, { nextHeader: 17, fragmentOffset: 100 }), DATA)),
  ),
  "IPv6 destination options": behind(60, fromHex("1100 040104 010100")),
  "neighbour solicitation": icmp6(
    concat(encode(ND_NEIGHBOUR_SOLICITATION, { target: TARGET }), fromHex("0101 0242ac130002")),
  ),
  "neighbour advertisement": icmp6(
    concat(
      encode(ND_NEIGHBOUR_ADVERTISEMENT, { solicited: 1, override: 1, target: TARGET }),
      fromHex("0201 0242ac130003"),
    ),
  ),
  "router solicitation": icmp6(concat(encode(ND_ROUTER_SOLICITATION, {}), fromHex("0101 0242ac130002"))),
  "router advertisement": icmp6(
    concat(
      encode(ND_ROUTER_ADVERTISEMENT, { hopLimit: 64, lifetime: 1800, preference: 1 }),
      fromHex("0304 40c0 00015180 00003840 00000000 fd00000000000000 0000000000000000"),
      fromHex("0501 0000 000005aa"),
      fromHex("1901 0000 00000e10"),
    ),
  ),
  "VXLAN with group policy": ethernet(
    0x0800,
    ipv4(
      17,
      udp(concat(encode(VXLAN_GBP, { vni: 5, group: 42, d: 1 }), PING_FRAME), { destinationPort: 4789 }),
      {
        source: NODE_A,
        destination: NODE_B,
      },
    ),
  ),
  "VXLAN over IPv6": ethernet(
    0x86dd,
    withL4Checksum(
      ipv6(17, udp(concat(encode(VXLAN, { vni: 0xffffff }), UDP6), { destinationPort: 8472 })),
      40,
      17,
      6,
    ),
  ),
};

/** More than 65,535 bytes in one packet, as Linux hands them around inside a host. */
export const JUMBO = ethernet(
  0x86dd,
  ipv6(0, concat(fromHex("0600 c204 00011178"), encode(TCP, {}), new Uint8Array(69_980)), {
    payloadLength: 0,
  }),
);
