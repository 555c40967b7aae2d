/**
 * What a receiving kernel looks at before any VTEP sees the packet, in its order: Ethernet, IP, UDP. It is the same under
 * the kernel's VXLAN and under poplin, whose socket is an ordinary one.
 */
import {
  ETHERTYPE_ARP,
  ETHERTYPE_FIRST,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  PROTOCOL_UDP,
} from "../../wire/index.ts";
import type { ExplainedPart } from "../explanation.ts";
import type { Rule } from "./judgement.ts";
import { bytesFrom, fieldOf, idOf, numberOf, textOf, type View } from "./view.ts";

/** Bytes of an Ethernet header, and of the IP header that an EtherType announces, at least. */
export const ETHERNET_BYTES = 14;
export const IP_BYTES: Readonly<Record<number, number>> = { [ETHERTYPE_IPV4]: 20, [ETHERTYPE_IPV6]: 40 };

/** Bytes of a datagram whose checksum Linux verifies at once (`include/linux/skbuff.h`). */
const CHECKSUM_BREAK = 76;

/** The field `name` of a header if it is what `is` says, as a rule returns it. */
function blame(part: ExplainedPart | null, name: string, is: boolean): string | null {
  return part !== null && is ? idOf(part, name) : null;
}

/** The bytes of a packet that its IP header announces, from where that begins; −1 without one. */
function announced({ ip }: View): number {
  if (ip === null) return -1;
  return ip.name === "ipv4" ? numberOf(ip, "totalLength") : 40 + numberOf(ip, "payloadLength");
}

function lengthField(ip: ExplainedPart | null): string {
  return ip?.name === "ipv6" ? "payloadLength" : "totalLength";
}

/** Whether the IP header says UDP but the packet is a part of one only. */
function fragmentField(view: View): string | null {
  const { ip, explanation } = view;
  if (ip === null) return null;
  const part =
    ip.name === "ipv4"
      ? ip
      : explanation.parts.find(({ name, level }) => name === "ipv6-fragment" && level === 0);
  if (part === undefined) return null;
  if (numberOf(part, "moreFragments") === 1) return idOf(part, "moreFragments");
  return numberOf(part, "fragmentOffset") > 0 ? idOf(part, "fragmentOffset") : null;
}

const NO_SENDER = "Nobody can have sent it: the outer source address is a group's or the loopback's.";

const EVERYBODY = "255.255.255.255";

/** Addresses that no packet on a wire comes from; of IPv4's, without the loopback's. */
function isNoSender(address: string): boolean {
  const first = Number(address.split(".")[0]);
  if (address.includes(".")) return (first >= 224 && first < 240) || address === EVERYBODY;
  return address.startsWith("ff") || address === "::1";
}

const WRONG_LENGTH = "UDP's length is less than its header, or more than IP has brought.";

function wrongLength(view: View): string | null {
  const { ip, udp } = view;
  if (ip === null || udp === null) return null;
  const length = numberOf(udp, "length");
  return blame(udp, "length", length < 8 || length > ip.at + announced(view) - udp.at);
}

/** What stands where the EtherType has announced IP and the version field says something else. */
function contradicts({ ethernet, ip, explanation }: View, etherType: number): string | null {
  if (ip !== null || numberOf(ethernet, "etherType") !== etherType) return null;
  return explanation.parts.find(({ kind }) => kind === "unexplained")?.id ?? null;
}

export const BELOW: readonly Rule<View>[] = [
  {
    reason: null,
    fate: "elsewhere",
    words: "No VXLAN packet: below 0x0600 the EtherType is a length, and what follows is IEEE 802.2's.",
    source: "IEEE 802.3 clause 3.2.6",
    kernel: "llc_rcv",
    applies: ({ ethernet }) =>
      blame(ethernet, "etherType", ethernet !== null && numberOf(ethernet, "etherType") < ETHERTYPE_FIRST),
  },
  {
    reason: null,
    fate: "elsewhere",
    words: "The frame has a VLAN tag: it is for that VLAN's device, if there is one.",
    source: "IEEE 802.1Q clause 6.9",
    kernel: "vlan_do_receive",
    applies: ({ ethernet }) =>
      blame(
        ethernet,
        "etherType",
        [ETHERTYPE_VLAN, ETHERTYPE_QINQ].includes(numberOf(ethernet, "etherType")),
      ),
  },
  {
    reason: null,
    fate: "elsewhere",
    words: "No VXLAN packet: ARP, which finds MAC addresses.",
    source: "RFC 826",
    kernel: "arp_rcv",
    applies: ({ ethernet }) =>
      blame(ethernet, "etherType", numberOf(ethernet, "etherType") === ETHERTYPE_ARP),
  },
  {
    reason: "UNHANDLED_PROTO",
    fate: "elsewhere",
    words: "No VXLAN packet: its EtherType is neither IPv4's nor IPv6's.",
    source: "IEEE 802.3 clause 3.2.6",
    kernel: "__netif_receive_skb_core",
    applies: ({ ethernet, ip }) =>
      blame(
        ethernet,
        "etherType",
        ip === null && ![ETHERTYPE_IPV4, ETHERTYPE_IPV6].includes(numberOf(ethernet, "etherType")),
      ),
  },
  {
    reason: "OTHERHOST",
    fate: "elsewhere",
    words: "The frame is for another station: the kernel sees it and drops it without a word.",
    source: "IEEE 802.3 clause 3.2.4",
    kernel: "ip_rcv_core",
    applies: ({ ethernet, receiver }) => {
      const mac = textOf(ethernet, "destination");
      const isOther = receiver.underlayMac !== null && mac !== receiver.underlayMac && !isGroup(mac);
      return blame(ethernet, "destination", isOther);
    },
  },
  {
    reason: "IP_INHDR",
    fate: "drop",
    words: "The packet ends before its IP header does.",
    source: "RFC 791 section 3.1; RFC 8200 section 3",
    kernel: "ip_rcv_core, ip6_rcv_core",
    applies: ({ ethernet, ip, explanation }) => {
      if (ip === null) {
        const header = IP_BYTES[numberOf(ethernet, "etherType")] ?? 0;
        return blame(ethernet, "etherType", explanation.bytes.length - ETHERNET_BYTES < header);
      }
      const length = ip.name === "ipv4" ? numberOf(ip, "headerLength") * 4 : 0;
      if (fieldOf(ip, "destination") === undefined) return idOf(ip, "destination");
      return blame(ip, "headerLength", length > explanation.bytes.length - ip.at);
    },
  },
  {
    reason: "IP_INHDR",
    fate: "drop",
    words: "The IP header contradicts the EtherType, or says of itself that it is shorter than it can be.",
    source: "RFC 1122 section 3.2.1.1; RFC 791 section 3.1",
    kernel: "ip_rcv_core, ip6_rcv_core",
    applies: (view) => {
      const { ip } = view;
      if (ip === null) return contradicts(view, ETHERTYPE_IPV4);
      return ip.name === "ipv4" ? blame(ip, "headerLength", numberOf(ip, "headerLength") < 5) : null;
    },
  },
  {
    reason: "UNHANDLED_PROTO",
    fate: "drop",
    words: "The EtherType says IPv6, and the version field something else.",
    source: "RFC 8200 section 3",
    kernel: "ip6_rcv_core",
    applies: (view) => contradicts(view, ETHERTYPE_IPV6),
  },
  {
    reason: "IP_CSUM",
    fate: "drop",
    words: "The checksum of the IPv4 header is wrong.",
    source: "RFC 1122 section 3.2.1.2",
    kernel: "ip_rcv_core",
    applies: ({ ip }) => blame(ip, "headerChecksum", fieldOf(ip, "headerChecksum")?.wrong === true),
  },
  {
    reason: "PKT_TOO_SMALL",
    fate: "drop",
    words: "IP announces more bytes than have come.",
    source: "RFC 791 section 3.1 (Total Length); RFC 8200 section 3",
    kernel: "ip_rcv_core, ip6_rcv_core",
    applies: (view) => {
      const { ip } = view;
      return blame(ip, lengthField(ip), ip !== null && announced(view) > bytesFrom(view, ip));
    },
  },
  {
    reason: "IP_INHDR",
    fate: "drop",
    words: "IPv4's total length is less than its own header.",
    source: "RFC 791 section 3.1 (Total Length)",
    kernel: "ip_rcv_core",
    applies: ({ ip }) =>
      blame(
        ip,
        "totalLength",
        ip?.name === "ipv4" && numberOf(ip, "totalLength") < numberOf(ip, "headerLength") * 4,
      ),
  },
  {
    reason: "IP_INHDR",
    fate: "drop",
    words: "The options of the IPv4 header make no sense.",
    source: "RFC 1122 section 3.2.1.8",
    kernel: "ip_rcv_options",
    applies: ({ ip, explanation }) => {
      if (ip?.name !== "ipv4") return null;
      const end = ip.at + numberOf(ip, "headerLength") * 4;
      const isIn = (at: number) => at >= ip.at + ip.length && at < end;
      return blame(
        ip,
        "headerLength",
        explanation.notes.some(({ kind, at }) => kind === "malformed" && isIn(at)),
      );
    },
  },
  {
    reason: "IP_LOCAL_SOURCE",
    fate: "drop",
    words: "It says that it comes from the receiver itself: a packet from a wire cannot.",
    source: "RFC 1812 section 5.3.8",
    kernel: "__fib_validate_source",
    applies: ({ ip, receiver }) =>
      blame(ip, "source", ip?.name === "ipv4" && receiver.addresses.includes(textOf(ip, "source"))),
  },
  {
    reason: "IP_INVALID_SOURCE",
    fate: "drop",
    words: NO_SENDER,
    source: "RFC 1122 section 3.2.1.3",
    kernel: "ip_route_input_slow",
    applies: ({ ip }) => blame(ip, "source", ip?.name === "ipv4" && isNoSender(textOf(ip, "source"))),
  },
  {
    reason: "IP_LOCALNET",
    fate: "drop",
    words: NO_SENDER,
    source: "RFC 1122 section 3.2.1.3",
    kernel: "ip_route_input_slow",
    applies: ({ ip }) => blame(ip, "source", ip?.name === "ipv4" && textOf(ip, "source").startsWith("127.")),
  },
  {
    reason: "IP_INHDR",
    fate: "drop",
    words: NO_SENDER,
    source: "RFC 4291 sections 2.5.3 and 2.7",
    kernel: "ip6_rcv_core",
    applies: ({ ip }) => blame(ip, "source", ip?.name === "ipv6" && isNoSender(textOf(ip, "source"))),
  },
  {
    reason: null,
    fate: "elsewhere",
    words: "It is for another host: this one routes it on or drops it, and no VTEP of it sees it.",
    source: "RFC 1122 section 3.2.1.3",
    kernel: "ip_route_input_slow",
    applies: ({ ip, receiver }) => {
      const isOther =
        receiver.addresses.length > 0 && !receiver.addresses.includes(textOf(ip, "destination"));
      return blame(ip, "destination", ip !== null && isOther);
    },
  },
  {
    reason: "FRAG_REASM_TIMEOUT",
    fate: "may-drop",
    words: "A fragment: a VTEP may drop it. Linux waits for the others, 30 seconds at most.",
    source: "RFC 7348 section 4.3",
    kernel: "ip_defrag",
    applies: fragmentField,
  },
  {
    reason: null,
    fate: "elsewhere",
    words: "Another protocol than UDP: it is handed to that, or to nobody.",
    source: "RFC 1122 section 3.2.1",
    kernel: "ip_protocol_deliver_rcu",
    applies: ({ ip, udp, explanation }) => {
      if (ip === null || udp !== null) return null;
      const name = ip.name === "ipv4" ? "protocol" : "nextHeader";
      if (numberOf(ip, name) !== PROTOCOL_UDP) return idOf(ip, name);
      return explanation.parts.find(({ at }) => at > ip.at)?.id ?? idOf(ip, name);
    },
  },
  {
    // The kernel has no word for it.
    reason: null,
    fate: "drop",
    words: "The packet ends before its UDP header does.",
    source: "RFC 768, Fields",
    kernel: "__udp4_lib_rcv, __udp6_lib_rcv",
    applies: ({ udp }) => (udp !== null && fieldOf(udp, "checksum") === undefined ? udp.id : null),
  },
  {
    reason: "PKT_TOO_SMALL",
    fate: "drop",
    words: WRONG_LENGTH,
    source: "RFC 768, Fields",
    kernel: "__udp4_lib_rcv",
    applies: (view) => (view.ip?.name === "ipv4" ? wrongLength(view) : null),
  },
  {
    // It has no word for it here.
    reason: null,
    fate: "drop",
    words: WRONG_LENGTH,
    source: "RFC 768, Fields",
    kernel: "__udp6_lib_rcv",
    applies: (view) => (view.ip?.name === "ipv6" ? wrongLength(view) : null),
  },
  {
    reason: "UDP_CSUM",
    fate: "drop",
    words: "The UDP checksum does not fit what it covers.",
    source: "RFC 7348 section 5 (UDP Checksum)",
    kernel: "udp_queue_rcv_one_skb",
    applies: ({ ip, udp, receiver }) => {
      // Over IPv6 the socket is looked for first, but for datagrams so short that they are summed up as soon as they come.
      const isShort = numberOf(udp, "length") <= CHECKSUM_BREAK;
      const isAsked = ip?.name !== "ipv6" || isShort || numberOf(udp, "destinationPort") === receiver.port;
      return blame(udp, "checksum", isAsked && fieldOf(udp, "checksum")?.wrong === true);
    },
  },
  {
    reason: "NO_SOCKET",
    fate: "elsewhere",
    words: "No VTEP listens to this UDP port: the kernel answers with ICMP, port unreachable.",
    source: "RFC 1122 section 4.1.3.1",
    kernel: "__udp4_lib_rcv, __udp6_lib_rcv",
    applies: ({ udp, receiver }) =>
      blame(udp, "destinationPort", udp !== null && numberOf(udp, "destinationPort") !== receiver.port),
  },
  {
    reason: "UDP_CSUM",
    fate: "drop",
    words: "No UDP checksum, where IPv6 asks for one and this port has not been excepted.",
    source: "RFC 8200 section 8.1; RFC 6935 section 5",
    kernel: "__udp6_lib_rcv",
    applies: ({ ip, udp }) => blame(udp, "checksum", ip?.name === "ipv6" && numberOf(udp, "checksum") === 0),
  },
];

/** Whether a MAC is a group's: the last bit of its first byte. */
export function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
