/** Packets to learn from, put together from the tables: each as it would be on the underlay, from its outer Ethernet header on. */
import {
  ARP,
  ETHERNET,
  encodePacket,
  fromHex,
  ICMP_ECHO,
  ICMPV6_ECHO,
  IPV4,
  IPV6,
  type PacketLayer,
  TCP,
  TCP_OPTIONS,
  UDP,
  VLAN,
  VXLAN,
  VXLAN_GBP,
} from "../wire/index.ts";

export interface Example {
  /** In one line. */
  readonly what: string;
  /** What is to be seen in it. */
  readonly look: string;
  readonly bytes: Uint8Array;
}

const NODE_A = { mac: 0x0242ac130002, ip: 0xac130002, ip6: "fd000172001900000000000000000002" };
const NODE_B = { mac: 0x0242ac130003, ip: 0xac130003, ip6: "fd000172001900000000000000000003" };
/** The VTEPs' MACs, by which a flannel network routes: the pods' own stay on their nodes. */
const VTEP_A = 0x7a219c045501;
const VTEP_B = 0x3e0b61776d02;
const POD_A = 0x0af40102; // 10.244.1.2
const POD_B = 0x0af40205; // 10.244.2.5
const POD6_A = "fd000244000100000000000000000002";
const POD6_B = "fd000244000200000000000000000005";

/** ping's 56 bytes: a time of day in seconds and microseconds, then 0x10, 0x11, … */
const PING_DATA = Uint8Array.from([
  ...fromHex("8d4c246900000000f1d2030000000000"),
  ...Array.from({ length: 40 }, (_, i) => 0x10 + i),
]);

/** The outer headers, from node A to node B. No UDP checksum over IPv4, as RFC 7348 recommends. */
function underlay(sourcePort: number): PacketLayer[] {
  return [
    [ETHERNET, { destination: NODE_B.mac, source: NODE_A.mac }],
    [IPV4, { identification: 0x1234, source: NODE_A.ip, destination: NODE_B.ip }],
    [UDP, { sourcePort, checksum: 0 }],
  ];
}

const INNER: PacketLayer = [ETHERNET, { destination: VTEP_B, source: VTEP_A }];
const INNER_IPV4 = { identification: 0xabcd, dontFragment: 1, ttl: 63, source: POD_A, destination: POD_B };
const ECHO: PacketLayer = [ICMP_ECHO, { type: 8, identifier: 1, sequence: 1 }];

export const EXAMPLES = {
  ping: {
    what: "one ping from a pod on node A to a pod on node B",
    look: "56 bytes of data become 98 of inner frame, 106 of UDP payload, 148 on the wire",
    bytes: encodePacket(
      [...underlay(50_300), [VXLAN, { vni: 1 }], INNER, [IPV4, INNER_IPV4], ECHO],
      PING_DATA,
    ),
  },
  tcp: {
    what: "the SYN of a TCP connection between the same pods",
    look: "the MSS of 1410: what fits into the overlay's MTU of 1450",
    bytes: encodePacket([
      ...underlay(61_003),
      [VXLAN, { vni: 1 }],
      INNER,
      [IPV4, { ...INNER_IPV4, identification: 0xabce }],
      [TCP, { sourcePort: 40_000, destinationPort: 80, sequence: 4_000_000_000, syn: 1, window: 64_240 }],
      [TCP_OPTIONS[2]!, { mss: 1410 }],
    ]),
  },
  arp: {
    what: "an ARP request on an overlay that learns",
    look: "the inner destination is everybody: a VTEP sends it to each of the others",
    bytes: encodePacket([
      ...underlay(53_817),
      [VXLAN, { vni: 42 }],
      [ETHERNET, { destination: 0xffffffffffff, source: 0x020000000011 }],
      [ARP, { operation: 1, senderMac: 0x020000000011, senderIp: 0x0a090001, targetIp: 0x0a090002 }],
    ]),
  },
  ipv6: {
    what: "a ping over IPv6, in an underlay of IPv6",
    look: "70 bytes of overhead instead of 50, and a UDP checksum, which IPv6 asks for",
    bytes: encodePacket(
      [
        [ETHERNET, { destination: NODE_B.mac, source: NODE_A.mac }],
        [IPV6, { source: NODE_A.ip6, destination: NODE_B.ip6 }],
        [UDP, { sourcePort: 50_300 }],
        [VXLAN, { vni: 1 }],
        INNER,
        [IPV6, { hopLimit: 63, source: POD6_A, destination: POD6_B }],
        [ICMPV6_ECHO, { type: 128, identifier: 1, sequence: 1 }],
      ],
      PING_DATA,
    ),
  },
  vlan: {
    what: "the ping with an 802.1Q tag inside",
    look: "4 bytes more: RFC 7348 says to strip the tag, Linux and poplin let it pass",
    bytes: encodePacket(
      [...underlay(50_300), [VXLAN, { vni: 1 }], INNER, [VLAN, { vlanId: 100 }], [IPV4, INNER_IPV4], ECHO],
      PING_DATA,
    ),
  },
  gbp: {
    what: "the ping with a group policy id in its VXLAN header",
    look: "bits that the basic header reserves have a meaning: G, D, A and 16 bits of group",
    bytes: encodePacket(
      [...underlay(50_300), [VXLAN_GBP, { group: 100, vni: 1 }], INNER, [IPV4, INNER_IPV4], ECHO],
      PING_DATA,
    ),
  },
} as const satisfies Readonly<Record<string, Example>>;

export type ExampleName = keyof typeof EXAMPLES;
