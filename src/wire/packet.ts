/** A packet from its first byte to its last: every byte belongs to exactly one part. */
import { VXLAN_PORT_IANA, VXLAN_PORT_LINUX } from "./numbers.ts";
import { type Layer, type LayerName, type Next, type Note, type Part, Walk } from "./walk.ts";
import { walkIp, walkIpv4, walkIpv6 } from "./walk-ip.ts";
import { walkArp, walkEthernet, walkVlan } from "./walk-link.ts";
import { walkIcmp, walkIcmpv6, walkTcp, walkUdp, walkVxlan } from "./walk-transport.ts";

export interface PacketOptions {
  /** What the first byte belongs to; `udp-payload` is a VXLAN header and an inner frame. Default `ethernet`. */
  readonly layer?: LayerName;
  /** UDP destination ports that carry VXLAN. Default 8472 (Linux, flannel) and 4789 (IANA). */
  readonly vxlanPorts?: readonly number[];
}

export interface Packet {
  /** Bytes. */
  readonly length: number;
  /** Side by side in the order of the wire, from byte 0 to the last. */
  readonly parts: readonly Part[];
  /** What is wrong with it; empty for a sound packet. Checksums are not looked at. */
  readonly notes: readonly Note[];
  /** Whether headers speak of bytes that are not here. */
  readonly truncated: boolean;
}

const LAYERS: Readonly<Record<LayerName, Layer>> = {
  ethernet: walkEthernet,
  vlan: walkVlan,
  arp: walkArp,
  ip: walkIp,
  ipv4: walkIpv4,
  ipv6: walkIpv6,
  udp: walkUdp,
  tcp: walkTcp,
  icmp: walkIcmp,
  icmpv6: walkIcmpv6,
  "udp-payload": walkVxlan,
};

/** Explains a packet layer by layer. Never throws, whatever the bytes are. */
export function decodePacket(bytes: Uint8Array, options: PacketOptions = {}): Packet {
  const walk = new Walk(bytes, new Set(options.vxlanPorts ?? [VXLAN_PORT_LINUX, VXLAN_PORT_IANA]));
  let next: Next = { layer: options.layer ?? "ethernet", at: 0, end: bytes.length };
  while (next) next = LAYERS[next.layer](walk, next.at, next.end);
  walk.finish();
  const { parts, notes } = walk;
  return { length: bytes.length, parts, notes, truncated: notes.some((note) => note.kind === "truncated") };
}
