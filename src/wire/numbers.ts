/** Numbers that name what comes next: EtherTypes (IEEE 802 registry) and IP protocol numbers (IANA). */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
/** 802.1Q customer tag. */
export const ETHERTYPE_VLAN = 0x8100;
/** 802.1ad service tag, the outer one of two. */
export const ETHERTYPE_QINQ = 0x88a8;
export const ETHERTYPE_IPV6 = 0x86dd;
/** From this value on the field is an EtherType; up to 1500 it is a length (IEEE 802.3 clause 3.2.6). */
export const ETHERTYPE_FIRST = 0x0600;

/** IPv6 only: options for every router on the path. */
export const PROTOCOL_HOP_BY_HOP = 0;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ROUTING = 43;
export const PROTOCOL_FRAGMENT = 44;
export const PROTOCOL_ICMPV6 = 58;
/** IPv6 only: nothing follows. */
export const PROTOCOL_NONE = 59;
export const PROTOCOL_DESTINATION_OPTIONS = 60;
export const PROTOCOL_SCTP = 132;

/** The port IANA gave to VXLAN (RFC 7348 section 5). */
export const VXLAN_PORT_IANA = 4789;
/** The port Linux took before there was one, and flannel still uses. */
export const VXLAN_PORT_LINUX = 8472;

const ETHERTYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHERTYPE_IPV4]: "IPv4",
  [ETHERTYPE_ARP]: "ARP",
  [ETHERTYPE_VLAN]: "802.1Q",
  [ETHERTYPE_QINQ]: "802.1ad",
  [ETHERTYPE_IPV6]: "IPv6",
  34887: "MPLS",
  34915: "PPPoE discovery",
  34916: "PPPoE session",
  34958: "802.1X",
  35020: "LLDP",
};

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL_HOP_BY_HOP]: "hop-by-hop options",
  [PROTOCOL_ICMP]: "ICMP",
  2: "IGMP",
  4: "IPv4 in IP",
  [PROTOCOL_TCP]: "TCP",
  [PROTOCOL_UDP]: "UDP",
  41: "IPv6 in IP",
  [PROTOCOL_ROUTING]: "routing header",
  [PROTOCOL_FRAGMENT]: "fragment header",
  47: "GRE",
  50: "ESP",
  51: "AH",
  [PROTOCOL_ICMPV6]: "ICMPv6",
  [PROTOCOL_NONE]: "no next header",
  [PROTOCOL_DESTINATION_OPTIONS]: "destination options",
  89: "OSPF",
  [PROTOCOL_SCTP]: "SCTP",
};

/** @returns what an EtherType stands for, undefined when this room does not know it. */
export function etherTypeName(etherType: number): string | undefined {
  return ETHERTYPE_NAMES[etherType];
}

/** @returns what an IP protocol number (IPv6: next header) stands for, undefined when unknown here. */
export function protocolName(protocol: number): string | undefined {
  return PROTOCOL_NAMES[protocol];
}
