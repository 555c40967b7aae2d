/** Ethernet, its tags, and ARP. */
import { ARP } from "./arp.ts";
import { ETHERNET } from "./ethernet.ts";
import {
  ETHERTYPE_ARP,
  ETHERTYPE_FIRST,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  etherTypeName,
} from "./numbers.ts";
import { VLAN } from "./vlan.ts";
import { type Next, number, type Walk } from "./walk.ts";

export function walkEthernet(walk: Walk, at: number, end: number): Next {
  const header = walk.header(ETHERNET, at, end);
  return header && afterEtherType(walk, number(header, "etherType"), at + ETHERNET.length, end);
}

export function walkVlan(walk: Walk, at: number, end: number): Next {
  const header = walk.header(VLAN, at, end);
  return header && afterEtherType(walk, number(header, "etherType"), at + VLAN.length, end);
}

function afterEtherType(walk: Walk, type: number, at: number, end: number): Next {
  switch (type) {
    case ETHERTYPE_IPV4:
      return { layer: "ipv4", at, end };
    case ETHERTYPE_IPV6:
      return { layer: "ipv6", at, end };
    case ETHERTYPE_ARP:
      return { layer: "arp", at, end };
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
      return { layer: "vlan", at, end };
  }
  if (type < ETHERTYPE_FIRST) {
    const payloadEnd = walk.bound(at + type, end, "the 802.3 payload", "padding");
    walk.span("payload", at, payloadEnd, "IEEE 802.3 payload (LLC)");
  } else {
    const name = etherTypeName(type) ?? `EtherType 0x${type.toString(16).padStart(4, "0")}`;
    walk.span("payload", at, end, `${name} payload`);
  }
  return null;
}

/** Hardware type 1, protocol 0x0800, address lengths 6 and 4: all ARP that is in use. */
export function walkArp(walk: Walk, at: number, end: number): Next {
  const { bytes } = walk;
  if (end - at >= 6 && (bytes[at + 4] !== 6 || bytes[at + 5] !== 4)) {
    walk.span("unexplained", at, end, "ARP for addresses other than Ethernet and IPv4");
    walk.malformed(at + 4, `ARP address lengths are ${bytes[at + 4]} and ${bytes[at + 5]}, not 6 and 4`);
    return null;
  }
  if (walk.header(ARP, at, end)) walk.bound(at + ARP.length, end, "ARP", "padding");
  return null;
}
