/**
 * A chain of rows → one super-frame for the TAP, and back. `coalesce.ts` finds the chains; here their checksums are
 * verified, the headers of the first packet are made to say that it is all of them, and what cannot be or is refused is
 * taken apart again: the headers of all but the first still stand in front of their payloads.
 */
import { putU16, u16 } from "../wire/bytes.ts";
import { fold, pseudoSumV4, pseudoSumV6, updateChecksum } from "../wire/checksum.ts";
import { Location, locate } from "../wire/flow.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";
import {
  IPV4_LENGTH,
  IPV6_LENGTH,
  TCP_CHECKSUM_AT,
  TCP_FLAGS_AT,
  TCP_PSH,
  UDP_CHECKSUM_AT,
} from "../wire/views.ts";
import { VXLAN_LENGTH } from "../wire/vxlan.ts";
import { VNET_LENGTH } from "./arena.ts";
import { hasPartialChecksum, writePartialHeader } from "./partial.ts";
import { HEAD_LENGTH, HEAD_OFFSET, LENGTH, OFFSET, type Ring, SEGMENT } from "./ring.ts";
import { RANGE_WORDS } from "./sums.ts";
import {
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  le16,
  NEEDS_CSUM,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_GSO_TYPE,
  VNET_HEADER_LENGTH,
  writeVnetHeader,
} from "./vnet.ts";

// Words of a chain: a run of rows that `coalesce.ts` has found to follow each other.
export const FIRST = 0;
export const PACKET = 1;
export const RANGES = 2;
export const ROWS = 3;
export const PAYLOAD = 4;
export const SHAPE_L3 = 5;
export const SHAPE_L4 = 6;
export const SHAPE_HEADER = 7;
export const FLAGS = 8;
export const CHAIN_WORDS = 9;

/** Whether the checksums of all packets of the chain at `at` are right. */
export function verifyChain(bytes: Uint8Array, chains: Int32Array, at: number, ranges: Int32Array): boolean {
  const packet = chains[at + PACKET]!;
  const l3 = packet + chains[at + SHAPE_L3]!;
  const l4 = packet + chains[at + SHAPE_L4]!;
  const protocol = protocolOf(bytes, l3, l4);
  const base =
    l4 - l3 === IPV4_LENGTH ? pseudoSumV4(bytes, l3, protocol, 0) : pseudoSumV6(bytes, l3, protocol, 0);
  let range = chains[at + RANGES]! * RANGE_WORDS;
  for (let i = chains[at + ROWS]!; i > 0; i--, range += RANGE_WORDS) {
    if (fold(base + ranges[range + 1]! + ranges[range]!) !== 0xffff) return false;
  }
  return true;
}

/** Makes the headers of the first packet say that it is all of them, and writes the vnet header at `vnet`. */
export function writeSuperFrame(
  bytes: Uint8Array,
  chains: Int32Array,
  at: number,
  ranges: Int32Array,
  vnet: number,
): void {
  const packet = chains[at + PACKET]!;
  const l3 = packet + chains[at + SHAPE_L3]!;
  const l4 = packet + chains[at + SHAPE_L4]!;
  const headerLength = chains[at + SHAPE_HEADER]!;
  const protocol = protocolOf(bytes, l3, l4);
  const version = l4 - l3 === IPV4_LENGTH ? 4 : 6;
  const l4Header = headerLength - chains[at + SHAPE_L4]!;
  const l4Length = l4Header + chains[at + PAYLOAD]!;
  const size = ranges[chains[at + RANGES]! * RANGE_WORDS + 1]! - l4Header;
  const tcp = protocol === PROTOCOL_TCP;
  setIpLength(bytes, l3, version, l4 - l3 + l4Length);
  if (tcp) bytes[l4 + TCP_FLAGS_AT]! |= chains[at + FLAGS]!;
  else putU16(bytes, l4 + 4, l4Length);
  const csum = tcp ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT;
  putU16(bytes, l4 + csum, pseudo(bytes, l3, l4, protocol, l4Length));
  const type = tcp ? (version === 4 ? GSO_TCPV4 : GSO_TCPV6) : GSO_UDP_L4;
  const frame = packet + VXLAN_LENGTH;
  writeVnetHeader(bytes, vnet, NEEDS_CSUM, type, headerLength - VXLAN_LENGTH, size, l4 - frame, csum);
}

/** Writes the length of an IP packet into its header. An IPv4 checksum follows. */
function setIpLength(bytes: Uint8Array, l3: number, version: number, length: number): void {
  if (version === 6) {
    putU16(bytes, l3 + 4, length - IPV6_LENGTH);
    return;
  }
  putU16(bytes, l3 + 10, updateChecksum(u16(bytes, l3 + 10), u16(bytes, l3 + 2), length));
  putU16(bytes, l3 + 2, length);
}

/**
 * Gives the rows of the chain at `at`, whose headers nobody has touched yet, back their headers. The one that did not
 * fit may just be unfinished: then our kernel finishes it.
 */
export function takeChainApart(
  ready: Ring,
  chains: Int32Array,
  at: number,
  slab: number,
  stride: number,
  none: number,
): void {
  const { bytes } = ready;
  const first = chains[at + FIRST]!;
  const headers = chains[at + SHAPE_HEADER]! - VXLAN_LENGTH;
  const where = new Location(); // this is rare
  for (let i = 1; i < chains[at + ROWS]!; i++) {
    unjoin(ready, first + i, headers, none);
    const row = ready.row(first + i);
    const frame = ready.words[row + OFFSET]!;
    locate(bytes, frame, ready.words[row + LENGTH]!, where);
    if (!hasPartialChecksum(bytes, where)) continue;
    const header = slab + ((first + i) & ready.mask) * stride;
    writePartialHeader(bytes, header, frame, where);
    ready.words[row + HEAD_OFFSET] = header;
  }
}

/**
 * Takes the oldest message of `ready`, a super-frame that `finish` made and the TAP refused, apart again.
 * @returns whether it was one
 */
export function takeApart(ready: Ring, none: number): boolean {
  const rows = ready.oldest;
  if (rows === 1) return false;
  const { words, bytes } = ready;
  const first = ready.row(ready.tail);
  const vnet = words[first + HEAD_OFFSET]!;
  const frame = words[first + OFFSET]!;
  const headers = le16(bytes, vnet + VNET_HEADER_LENGTH);
  const l4 = frame + le16(bytes, vnet + VNET_CSUM_START);
  const csum = l4 + le16(bytes, vnet + VNET_CSUM_OFFSET);
  const l4Length = words[first + LENGTH]! - (l4 - frame);
  const udp = bytes[vnet + VNET_GSO_TYPE]! === GSO_UDP_L4;
  const where = new Location(); // this is rare
  locate(bytes, frame, words[first + LENGTH]!, where);
  const l3 = where.l3At;
  setIpLength(bytes, l3, where.version, l4 - l3 + l4Length);
  if (udp) putU16(bytes, l4 + 4, l4Length);
  else bytes[l4 + TCP_FLAGS_AT]! &= ~TCP_PSH;
  putU16(bytes, csum, pseudo(bytes, l3, l4, udp ? PROTOCOL_UDP : PROTOCOL_TCP, l4Length));
  writeVnetHeader(bytes, vnet, NEEDS_CSUM, 0, 0, 0, l4 - frame, csum - l4);
  words[first + SEGMENT] = 0;
  for (let i = 1; i < rows; i++) unjoin(ready, ready.tail + i, headers, none);
  return true;
}

/** Makes a frame of the row at `position` again: its headers still stand in front of its payload. */
function unjoin(ready: Ring, position: number, headers: number, none: number): void {
  const row = ready.row(position);
  const { words } = ready;
  words[row + OFFSET]! -= headers;
  words[row + LENGTH]! += headers;
  words[row + HEAD_OFFSET] = none;
  words[row + HEAD_LENGTH] = VNET_LENGTH;
}

function protocolOf(bytes: Uint8Array, l3: number, l4: number): number {
  return l4 - l3 === IPV4_LENGTH ? bytes[l3 + 9]! : bytes[l3 + 6]!;
}

function pseudo(bytes: Uint8Array, l3: number, l4: number, protocol: number, l4Length: number): number {
  return fold(
    l4 - l3 === IPV4_LENGTH
      ? pseudoSumV4(bytes, l3, protocol, l4Length)
      : pseudoSumV6(bytes, l3, protocol, l4Length),
  );
}
