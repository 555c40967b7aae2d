/**
 * Outer headers for a capture of an underlay. A UDP socket never shows them to us, so they are made up from what is
 * known: addresses, ports, TOS and lengths. TTL (64), identification and DF (0) are not known. Checksums are right.
 */
import { AF_INET, sockaddrAddressAt, sockaddrFamily, sockaddrPort } from "../../fdb/sockaddr.ts";
import { putU16, putU32 } from "../../wire/bytes.ts";
import { checksum, pseudoSumV4, pseudoSumV6, udpChecksum } from "../../wire/checksum.ts";
import { PROTOCOL_UDP } from "../../wire/numbers.ts";
import { IPV4_LENGTH, IPV6_LENGTH, UDP_LENGTH } from "../../wire/views.ts";

const TTL = 64;

/** A sockaddr in its slab. */
export interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/**
 * Builds an IP packet around a UDP payload, for LINKTYPE_RAW.
 * @param source and `destination`: of the same family
 * @param sourcePort instead of the one in `source`, unless 0
 */
export function outerPacket(
  source: Place,
  sourcePort: number,
  destination: Place,
  tos: number,
  payload: Uint8Array,
): Uint8Array {
  const v4 = sockaddrFamily(destination.bytes, destination.at) === AF_INET;
  const udpAt = v4 ? IPV4_LENGTH : IPV6_LENGTH;
  const udpLength = UDP_LENGTH + payload.length;
  const packet = new Uint8Array(udpAt + udpLength);
  packet.set(payload, udpAt + UDP_LENGTH);
  putU16(packet, udpAt, sourcePort || sockaddrPort(source.bytes, source.at));
  putU16(packet, udpAt + 2, sockaddrPort(destination.bytes, destination.at));
  putU16(packet, udpAt + 4, udpLength);
  if (v4) writeIpv4(packet, source, destination, tos);
  else writeIpv6(packet, source, destination, tos, udpLength);
  const pseudo = (v4 ? pseudoSumV4 : pseudoSumV6)(packet, 0, PROTOCOL_UDP, udpLength);
  putU16(packet, udpAt + 6, udpChecksum(packet, udpAt, udpLength, pseudo));
  return packet;
}

function writeIpv4(packet: Uint8Array, source: Place, destination: Place, tos: number): void {
  packet[0] = 0x45;
  packet[1] = tos;
  putU16(packet, 2, packet.length);
  packet[8] = TTL;
  packet[9] = PROTOCOL_UDP;
  copyAddress(packet, 12, source, 4);
  copyAddress(packet, 16, destination, 4);
  putU16(packet, 10, checksum(packet, 0, IPV4_LENGTH));
}

function writeIpv6(
  packet: Uint8Array,
  source: Place,
  destination: Place,
  tos: number,
  udpLength: number,
): void {
  putU32(packet, 0, (6 << 28) | (tos << 20));
  putU16(packet, 4, udpLength);
  packet[6] = PROTOCOL_UDP;
  packet[7] = TTL;
  copyAddress(packet, 8, source, 16);
  copyAddress(packet, 24, destination, 16);
}

function copyAddress(packet: Uint8Array, at: number, { bytes, at: from }: Place, length: number): void {
  const address = sockaddrAddressAt(bytes, from);
  packet.set(bytes.subarray(address, address + length), at);
}
