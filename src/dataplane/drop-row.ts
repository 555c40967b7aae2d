/** A drop as a row of `event-ring.ts`: `drop-teller.ts` writes it, and who listens has it read here. */
import { formatIpv4, formatIpv6, formatMacKey, putU32 } from "../wire/bytes.ts";
import { type Direction, dropAt } from "./counters.ts";
import type { DropReason } from "./drops.ts";

// The words of a row, from `ABOUT` on. First the key: packets that have it in common are told once in a while.
/** The counter, and in the high half the errno. */
export const WHY = 0;
/** The high 16 bits of the destination and the source MAC, then the low 32 of each. */
export const MACS = 1;
/** The address on the underlay. */
export const REMOTE = 4;
/** The addresses of the inner packet. */
export const SOURCE = 8;
export const DESTINATION = 12;
// Behind the key.
/** The two words of the VXLAN header. */
export const HEADER = 16;
/** Which of all that there is, a bit each (`HAS_…`); from bit 8 on the protocol, from bit 16 on the EtherType. */
export const KINDS = 18;
export const REMOTE_PORT = 19;
/** Of the inner packet: source, destination. */
export const PORTS = 20;
/** Bytes of the inner frame. */
export const LENGTH = 21;

export const HAS_HEADER = 1;
export const HAS_MACS = 2;
export const HAS_REMOTE_IPV4 = 4;
export const HAS_REMOTE_IPV6 = 8;
export const HAS_INNER_IPV4 = 16;
export const HAS_INNER_IPV6 = 32;
export const HAS_PORTS = 64;
/** In place of the IP protocol where there is none: a reserved one. */
export const NO_PROTOCOL = 0xff;

/** A packet that was dropped. What it did not have, or nobody looked at before the drop, is null. */
export interface DroppedPacket {
  /** `rx`: underlay → overlay. */
  readonly direction: Direction;
  readonly reason: DropReason;
  /** What the kernel refused it with; 0 where we dropped it. */
  readonly errno: number;
  /** Who sent it, or the VTEP that it was for; null where it was not on the underlay. */
  readonly remote: { readonly address: string; readonly port: number } | null;
  /** The VXLAN header: its first word, and the VNI that it names, valid or not. */
  readonly header: { readonly flags: number; readonly vni: number } | null;
  /** Bytes of the inner frame, and what its header says. */
  readonly length: number;
  readonly frame: {
    readonly source: string;
    readonly destination: string;
    readonly etherType: number;
  } | null;
  /** Of an ARP message without protocol: its addresses are the sender's and the target's. */
  readonly packet: InnerPacket | null;
}

export interface InnerPacket {
  readonly source: string;
  readonly destination: string;
  /** IP protocol; null of ARP, and where IPv6 extension headers do not end. */
  readonly protocol: number | null;
  readonly ports: { readonly source: number; readonly destination: number } | null;
}

/** Reads what `DropTeller` wrote. @param at of the row's own words */
export function readDrop(words: Int32Array, at: number): DroppedPacket {
  const kinds = words[at + KINDS]!;
  const why = words[at + WHY]!;
  return {
    ...dropAt(why & 0xffff),
    errno: why >>> 16,
    remote: remoteOf(words, at, kinds),
    header:
      (kinds & HAS_HEADER) === 0
        ? null
        : { flags: words[at + HEADER]! >>> 0, vni: words[at + HEADER + 1]! >>> 8 },
    length: words[at + LENGTH]!,
    frame: (kinds & HAS_MACS) === 0 ? null : { ...macsOf(words, at + MACS), etherType: kinds >>> 16 },
    packet: packetOf(words, at, kinds),
  };
}

function remoteOf(words: Int32Array, at: number, kinds: number): DroppedPacket["remote"] {
  if ((kinds & (HAS_REMOTE_IPV4 | HAS_REMOTE_IPV6)) === 0) return null;
  const address = addressOf(words, at + REMOTE, (kinds & HAS_REMOTE_IPV4) !== 0);
  return { address, port: words[at + REMOTE_PORT]! };
}

function macsOf(words: Int32Array, at: number): { source: string; destination: string } {
  const high = words[at]!;
  return {
    source: formatMacKey(high & 0xffff, words[at + 2]!),
    destination: formatMacKey(high >>> 16, words[at + 1]!),
  };
}

function packetOf(words: Int32Array, at: number, kinds: number): InnerPacket | null {
  if ((kinds & (HAS_INNER_IPV4 | HAS_INNER_IPV6)) === 0) return null;
  const short = (kinds & HAS_INNER_IPV4) !== 0;
  const protocol = (kinds >>> 8) & 0xff;
  const ports = words[at + PORTS]!;
  return {
    source: addressOf(words, at + SOURCE, short),
    destination: addressOf(words, at + DESTINATION, short),
    protocol: protocol === NO_PROTOCOL ? null : protocol,
    ports: (kinds & HAS_PORTS) === 0 ? null : { source: ports >>> 16, destination: ports & 0xffff },
  };
}

/** @returns the address whose first word is at `at` */
export function addressOf(words: Int32Array, at: number, short: boolean): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < (short ? 1 : 4); i++) putU32(bytes, i * 4, words[at + i]!);
  return short ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}
