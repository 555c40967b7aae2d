/** Headers one after the other → a packet: what one header says of the others (lengths, types, checksums) is filled in. */
import { putU16 } from "./bytes.ts";
import { checksum, pseudoSumV4, pseudoSumV6, udpChecksum } from "./checksum.ts";
import { encode } from "./encode.ts";
import type { FieldValue, HeaderTable } from "./field.ts";
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_VLAN,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  VXLAN_PORT_LINUX,
} from "./numbers.ts";

type Values = Readonly<Record<string, FieldValue>>;
/** A header or an option, and the values of its fields: as of `encode`. */
export type PacketLayer = readonly [table: HeaderTable, values?: Values];

/** A layer that stands at `at`, with all of its values. */
interface Placed {
  readonly table: HeaderTable;
  readonly values: Values;
  readonly at: number;
  /** Where its header ends, options included. */
  readonly headerEnd: number;
}

/**
 * Writes a packet. What is not given is filled in: EtherTypes, protocols, port 8472 before a VXLAN header, lengths and
 * checksums. What is given is written as it is, also where it is wrong; a UDP checksum of 0 says that there is none.
 * @param layers from the outermost; options follow their header, and fill units of four bytes
 * @throws WireError `WIRE_BAD_VALUE` as `encode`
 * @example
 * ```ts
 * encodePacket([[VXLAN, { vni: 1 }], [ETHERNET], [ARP, { operation: 1 }]]); // what a VXLAN socket receives
 * ```
 */
export function encodePacket(
  layers: readonly PacketLayer[],
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const headers = layers.map(([table, values = {}], i) =>
    encode(table, { ...typesOf(layers, i), ...values }),
  );
  const length = headers.reduce((sum, header) => sum + header.length, 0) + payload.length;
  const bytes = new Uint8Array(length);
  const placed: Placed[] = [];
  let at = 0;
  layers.forEach(([table, values = {}], i) => {
    bytes.set(headers[i]!, at);
    placed.push({ table, values, at, headerEnd: at + headerBytes(layers, headers, i) });
    at += headers[i]!.length;
  });
  bytes.set(payload, at);
  for (const one of placed) writeLengths(bytes, one);
  // From the inside: an outer checksum covers the inner ones.
  for (let i = placed.length - 1; i >= 0; i--) writeChecksum(bytes, placed, i);
  return bytes;
}

const ETHERTYPES: Readonly<Record<string, number>> = {
  arp: ETHERTYPE_ARP,
  ipv4: ETHERTYPE_IPV4,
  ipv6: ETHERTYPE_IPV6,
  vlan: ETHERTYPE_VLAN,
};

/** What a header says of the one that follows it. */
function typesOf(layers: readonly PacketLayer[], i: number): Values {
  const { name } = layers[i]![0];
  const next = layers.slice(i + 1).find(([table]) => table.kind === "header")?.[0].name ?? "";
  const type = ETHERTYPES[next];
  if ((name === "ethernet" || name === "vlan") && type !== undefined) return { etherType: type };
  if (name === "udp" && next.startsWith("vxlan")) return { destinationPort: VXLAN_PORT_LINUX };
  const protocol = protocolOf(next);
  if (name === "ipv4" && protocol !== undefined) return { protocol };
  if (name === "ipv6" && protocol !== undefined) return { nextHeader: protocol };
  return {};
}

function protocolOf(name: string): number | undefined {
  if (name === "udp") return PROTOCOL_UDP;
  if (name === "tcp") return PROTOCOL_TCP;
  if (/^(icmpv6|nd-)/.test(name)) return PROTOCOL_ICMPV6;
  return name.startsWith("icmp") ? PROTOCOL_ICMP : undefined;
}

/** Bytes of a header and the options behind it. */
function headerBytes(layers: readonly PacketLayer[], headers: readonly Uint8Array[], i: number): number {
  let length = headers[i]!.length;
  for (let j = i + 1; layers[j]?.[0].kind === "option"; j++) length += headers[j]!.length;
  return length;
}

function writeLengths(bytes: Uint8Array, { table, values, at, headerEnd }: Placed): void {
  const words = (headerEnd - at) / 4;
  switch (table.name) {
    case "ipv4":
      if (values.headerLength === undefined) bytes[at] = (bytes[at]! & 0xf0) | words;
      if (values.totalLength === undefined) putU16(bytes, at + 2, bytes.length - at);
      return;
    case "ipv6":
      if (values.payloadLength === undefined) putU16(bytes, at + 4, bytes.length - at - table.length);
      return;
    case "udp":
      if (values.length === undefined) putU16(bytes, at + 4, bytes.length - at);
      return;
    case "tcp":
      if (values.dataOffset === undefined) bytes[at + 12] = (bytes[at + 12]! & 0x0f) | (words << 4);
  }
}

function writeChecksum(bytes: Uint8Array, placed: readonly Placed[], i: number): void {
  const { table, values, at, headerEnd } = placed[i]!;
  if (table.name === "ipv4") {
    if (values.headerChecksum === undefined) putU16(bytes, at + 10, checksum(bytes, at, headerEnd - at));
    return;
  }
  const field = table.fields.find(({ format }) => format === "checksum");
  if (field === undefined || values[field.name] !== undefined) return;
  const ip = placed.slice(0, i).findLast(({ table: { name } }) => name === "ipv4" || name === "ipv6");
  const pseudo = ip === undefined ? 0 : pseudoSum(bytes, ip, table.name, bytes.length - at);
  const sum = table.name === "udp" ? udpChecksum : checksum;
  putU16(bytes, at + field.at / 8, sum(bytes, at, bytes.length - at, pseudo));
}

function pseudoSum(bytes: Uint8Array, ip: Placed, name: string, length: number): number {
  const protocol = protocolOf(name)!;
  if (ip.table.name === "ipv6") return pseudoSumV6(bytes, ip.at, protocol, length);
  return protocol === PROTOCOL_ICMP ? 0 : pseudoSumV4(bytes, ip.at, protocol, length);
}
