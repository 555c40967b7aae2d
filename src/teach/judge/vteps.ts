/** What makes a VTEP drop a packet that its socket has received: by the standard, and by Linux, each in its order. */

import { ETHERTYPE_IPV4 } from "../../wire/index.ts";
import type { ExplainedField } from "../explanation.ts";
import { ETHERNET_BYTES, IP_BYTES, isGroup } from "./below.ts";
import type { Rule } from "./judgement.ts";
import { idOf, numberOf, textOf, type View } from "./view.ts";

const NOT_ECT = 0;
const CE = 3;
const VXLAN_BYTES = 8;

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
  applies: (view) =>
    numberOf(view.innerIp, "ecn") === NOT_ECT && outerEcn(view) === CE ? congestion(view) : null,
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
  {
    reason: "PKT_TOO_SMALL",
    fate: "drop",
    words: "The inner frame announces an IP packet, and ends before its header does.",
    source: "RFC 791 section 3.1; RFC 8200 section 3",
    kernel: "pskb_inet_may_pull",
    applies: (view) => {
      const { innerEthernet } = view;
      const header = IP_BYTES[numberOf(innerEthernet, "etherType")];
      if (innerEthernet === null || header === undefined) return null;
      const bytes = datagramEnd(view) - innerEthernet.at - ETHERNET_BYTES;
      return bytes < header ? idOf(innerEthernet, "etherType") : null;
    },
  },
  {
    ...CONGESTED,
    applies: (view) => (rawInnerEcn(view) === NOT_ECT && outerEcn(view) === CE ? congestion(view) : null),
  },
];

function outerEcn({ ip }: View): number {
  return numberOf(ip, "ecn");
}

function congestion({ ip }: View): string | null {
  return ip === null ? null : idOf(ip, "ecn");
}

/** The inner mark as Linux reads it: where the EtherType says that IP's is, whatever is there; not behind a VLAN tag. */
function rawInnerEcn({ innerEthernet, explanation }: View): number {
  if (innerEthernet === null) return -1;
  const byte = explanation.bytes[innerEthernet.at + ETHERNET_BYTES + 1];
  const type = numberOf(innerEthernet, "etherType");
  if (byte === undefined || IP_BYTES[type] === undefined) return -1;
  return type === ETHERTYPE_IPV4 ? byte & 3 : (byte >> 4) & 3;
}

/** Where the datagram ends that its UDP header announces. */
function datagramEnd({ udp, explanation }: View): number {
  const end = explanation.bytes.length;
  return udp === null ? end : Math.min(end, udp.at + Math.max(0, numberOf(udp, "length")));
}

/** The first bit set that Linux does not know. With `gbp` it knows G and the 24 bits after the flags, whatever G says. */
function reservedBit(vxlan: View["vxlan"], gbp: boolean): string | null {
  if (vxlan === null) return null;
  const isKnown = ({ name, bit }: ExplainedField): boolean => {
    const at = bit - vxlan.at * 8;
    return name === "i" || name === "vni" || (gbp && (name === "g" || (at >= 8 && at < 32)));
  };
  return vxlan.fields.find((field) => field.value !== 0 && !isKnown(field))?.id ?? null;
}
