/** What makes a VTEP drop a packet that its socket has received: by the standard, and by Linux, each in its order. */

import { isGroup } from "./below.ts";
import type { Rule } from "./judgement.ts";
import { idOf, numberOf, textOf, type View } from "./view.ts";

const NOT_ECT = 0;
const CE = 3;
/** Bytes of the VXLAN header, and of the shortest inner frame. */
const VXLAN_BYTES = 8;
const ETHERNET_BYTES = 14;

const TOO_SMALL: Rule<View> = {
  reason: "PKT_TOO_SMALL",
  fate: "drop",
  words: "The datagram is shorter than a VXLAN header.",
  source: "RFC 7348 section 5",
  kernel: "vxlan_rcv",
  applies: (view) => {
    const { udp, vxlan } = view;
    if (vxlan !== null) return datagramEnd(view) - vxlan.at < VXLAN_BYTES ? vxlan.id : null;
    return udp === null ? null : idOf(udp, "length");
  },
};

const NO_I: Rule<View> = {
  reason: "VXLAN_INVALID_HDR",
  fate: "drop",
  words: "The I flag is clear, so the VNI is not valid.",
  source: "RFC 7348 section 5",
  kernel: "vxlan_rcv",
  applies: ({ vxlan }) => (vxlan !== null && numberOf(vxlan, "i") === 0 ? idOf(vxlan, "i") : null),
};

const NO_VNI: Rule<View> = {
  reason: "VXLAN_VNI_NOT_FOUND",
  fate: "drop",
  words: "No overlay here has this VNI.",
  source: "RFC 7348 sections 4 and 5",
  kernel: "vxlan_rcv",
  applies: ({ vxlan, receiver }) =>
    vxlan !== null && numberOf(vxlan, "vni") !== receiver.vni ? idOf(vxlan, "vni") : null,
};

const NO_FRAME: Rule<View> = {
  reason: "NOMEM",
  fate: "drop",
  words: "What follows the VXLAN header is no Ethernet frame: it has less than 14 bytes.",
  source: "RFC 7348 section 5 (Inner Ethernet Header)",
  kernel: "__iptunnel_pull_header",
  applies: (view) => {
    const { vxlan } = view;
    if (vxlan === null) return null;
    const bytes = datagramEnd(view) - vxlan.at - VXLAN_BYTES;
    return bytes < ETHERNET_BYTES ? (view.innerEthernet?.id ?? vxlan.id) : null;
  },
};

const CONGESTED: Rule<View> = {
  reason: "IP_TUNNEL_ECN",
  fate: "drop",
  words: "The outer header says that there is congestion, and the inner packet has no way to carry that on.",
  source: "RFC 6040 section 4.2",
  kernel: "IP_ECN_decapsulate",
  applies: ({ ip, innerIp }) =>
    ip !== null && innerIp !== null && numberOf(ip, "ecn") === CE && numberOf(innerIp, "ecn") === NOT_ECT
      ? idOf(ip, "ecn")
      : null,
};

export const RFC_7348: readonly Rule<View>[] = [
  TOO_SMALL,
  NO_I,
  NO_VNI,
  NO_FRAME,
  {
    reason: null,
    fate: "may-drop",
    words: "The inner frame has a VLAN tag: it should be discarded, unless that is configured otherwise.",
    source: "RFC 7348 section 6.1",
    kernel: "",
    applies: ({ explanation }) =>
      explanation.parts.find(({ name, level }) => name === "vlan" && level === 1)?.fields[0]?.id ?? null,
  },
  CONGESTED,
];

export const LINUX: readonly Rule<View>[] = [
  TOO_SMALL,
  NO_I,
  NO_VNI,
  {
    reason: "VXLAN_INVALID_HDR",
    fate: "drop",
    words:
      "A reserved bit is set. RFC 7348 says to ignore it; Linux drops the packet, and its source says that it diverges.",
    source: "RFC 7348 section 5",
    kernel: "vxlan_rcv",
    applies: ({ vxlan, receiver }) => reservedBit(vxlan, receiver.gbp),
  },
  NO_FRAME,
  {
    reason: "LOCAL_MAC",
    fate: "drop",
    words: "The inner source MAC is the receiver's own: its frame has come back in a loop.",
    source: "RFC 7348 section 4.1",
    kernel: "vxlan_set_mac",
    applies: ({ innerEthernet, receiver }) =>
      innerEthernet !== null && textOf(innerEthernet, "source") === receiver.mac
        ? idOf(innerEthernet, "source")
        : null,
  },
  {
    reason: "MAC_INVALID_SOURCE",
    fate: "drop",
    words: "Nothing can be learned from a source MAC that is a group's or all zeros.",
    source: "RFC 7348 section 4.1",
    kernel: "vxlan_snoop",
    applies: ({ innerEthernet, receiver }) => {
      const mac = textOf(innerEthernet, "source");
      const isNone = isGroup(mac) || mac === "00:00:00:00:00:00";
      return innerEthernet !== null && receiver.learning && isNone ? idOf(innerEthernet, "source") : null;
    },
  },
  CONGESTED,
];

/** Where the datagram ends that its UDP header announces. */
function datagramEnd({ udp, explanation }: View): number {
  const end = explanation.bytes.length;
  return udp === null ? end : Math.min(end, udp.at + Math.max(0, numberOf(udp, "length")));
}

/** The first bit set that Linux does not know: without `gbp`, also those of a group policy. */
function reservedBit(vxlan: View["vxlan"], gbp: boolean): string | null {
  if (vxlan === null) return null;
  const known = gbp && numberOf(vxlan, "g") === 1 ? /^(i|vni|g|d|a|group|reserved[345])$/ : /^(i|vni)$/;
  return vxlan.fields.find(({ name, value }) => !known.test(name) && value !== 0)?.id ?? null;
}
