/** Packets for tests, written down or put together from the tables. */
import { fromHex, putU16 } from "../../src/wire/bytes.ts";
import { checksum, pseudoSumV4, pseudoSumV6, udpChecksum } from "../../src/wire/checksum.ts";
import { encode } from "../../src/wire/encode.ts";
import { ETHERNET } from "../../src/wire/ethernet.ts";
import type { FieldValue } from "../../src/wire/field.ts";
import { IPV4 } from "../../src/wire/ipv4.ts";
import { IPV6 } from "../../src/wire/ipv6.ts";
import { UDP } from "../../src/wire/udp.ts";

type Values = Readonly<Record<string, FieldValue>>;

export function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

export const POD_A = 0x0af40102; // 10.244.1.2
export const POD_B = 0x0af40205; // 10.244.2.5
export const NODE_A = 0xac130002; // 172.19.0.2
export const NODE_B = 0xac130003; // 172.19.0.3
const LINK = { destination: 0x0242ac130003, source: 0x0242ac130002 };

export function ethernet(etherType: number, payload: Uint8Array, values: Values = {}): Uint8Array {
  return concat(encode(ETHERNET, { ...LINK, etherType, ...values }), payload);
}

/** IPv4 with length and checksum filled in. */
export function ipv4(protocol: number, payload: Uint8Array, values: Values = {}, options = ""): Uint8Array {
  const extra = fromHex(options);
  const headerLength = (20 + extra.length) / 4;
  const all: Values = {
    headerLength,
    totalLength: headerLength * 4 + payload.length,
    source: POD_A,
    destination: POD_B,
    protocol,
    ...values,
  };
  const header = concat(encode(IPV4, all), extra);
  const headerChecksum = checksum(header, 0, header.length);
  return concat(encode(IPV4, { headerChecksum, ...all }), extra, payload);
}

/** IPv6 with length filled in; `payload` starts with `nextHeader`, extension headers included. */
export function ipv6(nextHeader: number, payload: Uint8Array, values: Values = {}): Uint8Array {
  const source = "fe800000000000000000000000000001";
  const destination = "fe800000000000000000000000000002";
  return concat(
    encode(IPV6, { payloadLength: payload.length, nextHeader, source, destination, ...values }),
    payload,
  );
}

export function udp(payload: Uint8Array, values: Values = {}): Uint8Array {
  return concat(
    encode(UDP, { sourcePort: 50300, destinationPort: 9, length: 8 + payload.length, ...values }),
    payload,
  );
}

/** Writes the checksum at `at` of the layer 4 that fills an IP packet after `headerLength` bytes of headers. */
export function withL4Checksum(
  ip: Uint8Array,
  headerLength: number,
  protocol: number,
  at: number,
): Uint8Array {
  const bytes = ip.slice();
  const length = bytes.length - headerLength;
  const v4 = bytes[0]! >>> 4 === 4;
  const pseudoV4 = protocol === 1 ? 0 : pseudoSumV4(bytes, 0, protocol, length); // ICMP has no pseudo-header
  putU16(bytes, headerLength + at, 0);
  const sum = udpChecksum(
    bytes,
    headerLength,
    length,
    v4 ? pseudoV4 : pseudoSumV6(bytes, 0, protocol, length),
  );
  putU16(bytes, headerLength + at, sum);
  return bytes;
}

/** The study's ping, encapsulated: 98 bytes of inner frame, 106 of UDP payload, 148 on the wire. */
export const PING_PACKET = fromHex(`
  # outer Ethernet, 14
  02 42 ac 13 00 03          # destination: node B
  02 42 ac 13 00 02          # source: node A
  08 00                      # IPv4
  # outer IPv4, 20
  45 00 00 86                # version 4, 5 words, TOS 0, total length 134
  12 34 00 00                # identification, no DF, offset 0
  40 11 10 08                # TTL 64, UDP, header checksum
  ac 13 00 02  ac 13 00 03   # 172.19.0.2 to 172.19.0.3
  # UDP, 8
  c4 7c 21 18                # 50300 to 8472
  00 72 00 00                # length 114, no checksum
  # VXLAN, 8
  08 00 00 00                # I
  00 00 01 00                # VNI 1
  # inner Ethernet, 14
  3e 0b 61 77 6d 02          # destination: VTEP of node B
  7a 21 9c 04 55 01          # source: VTEP of node A
  08 00                      # IPv4
  # inner IPv4, 20
  45 00 00 54                # total length 84
  ab cd 40 00                # DF
  3f 01 76 ed                # TTL 63: node A routed it, ICMP
  0a f4 01 02  0a f4 02 05   # 10.244.1.2 to 10.244.2.5
  # ICMP, 8
  08 00 92 a2                # echo request
  00 01 00 01                # identifier 1, sequence 1
  # data, 56: a timestamp as ping puts it, then 0x10, 0x11, …
  8d 4c 24 69 00 00 00 00  f1 d2 03 00 00 00 00 00
  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f
  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f
  30 31 32 33 34 35 36 37
`);
/** What a VXLAN socket receives of it. */
export const PING_UDP_PAYLOAD = PING_PACKET.subarray(42);
/** What the TAP had read. */
export const PING_FRAME = PING_PACKET.subarray(50);
