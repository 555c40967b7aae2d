/** A packet that was looked at, as a row of `packet-ring.ts`: `PacketTeller` writes it, and who watches has it read here. */
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  sockaddrAddressAt,
  sockaddrFamily,
  sockaddrPort,
} from "../fdb/sockaddr.ts";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";
import { type Direction, dropAt } from "./counters.ts";
import type { DropReason } from "./drops.ts";

/** Bytes of a packet that are kept; a frame of the usual MTU is kept whole. */
export const SNAP = 1664;

/** The VNI of the overlay, −1 where that is not known yet. */
export const VNI = 0;
/** 1: a datagram, with its VXLAN header; 0: a frame alone. Bit 1: it was received. */
export const KIND = 1;
/** 0: it went its way. Else the counter of its drop plus one, and in the high half the errno. */
export const WHY = 2;
/** Bytes that it has, and those that are kept. */
export const LENGTH = 3;
export const KEPT = 4;
/** As in a ring's row: TOS, and the source port of the one who sent it. */
export const OUTER = 5;
/** Datagrams of the train that it begins. */
export const TRAIN = 6;
/** The sockaddr of the other VTEP. */
export const REMOTE = 7;
/** Words before the bytes. */
export const META = REMOTE + ADDRESS_BYTES / 4;
/** Words of a row. */
export const ROW = META + SNAP / 4;

export const IS_DATAGRAM = 1;
export const IS_RECEIVED = 2;

/** A packet of the dataplane's, at the moment when it passed. */
export interface SeenPacket {
  /** `rx`: underlay → overlay. */
  readonly direction: Direction;
  /** Of the overlay it is from; null of what was received and belongs to none. */
  readonly vni: number | null;
  /** Why it was dropped; null where it went its way. */
  readonly drop: { readonly reason: DropReason; readonly errno: number } | null;
  /** Whether its bytes begin with a VXLAN header; else they are the frame alone, which never became a datagram. */
  readonly isDatagram: boolean;
  /** Bytes that it has; `bytes` are at most `SNAP` of them. */
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly tos: number;
  /** UDP port it was sent from, 0 where the socket's own was taken. */
  readonly sourcePort: number;
  /** Datagrams of the same flow that came or left with it in one train, itself included. */
  readonly train: number;
  /** The other VTEP; null where it was not on the underlay. */
  readonly remote: { readonly address: string; readonly port: number } | null;
}

/** @param at of the row's first word */
export function readPacket(words: Int32Array, at: number): SeenPacket {
  const why = words[at + WHY]!;
  const kind = words[at + KIND]!;
  const vni = words[at + VNI]!;
  const outer = words[at + OUTER]!;
  const memory = new Uint8Array(words.buffer, words.byteOffset + at * 4, ROW * 4);
  return {
    direction: (kind & IS_RECEIVED) === 0 ? "tx" : "rx",
    vni: vni < 0 ? null : vni,
    drop: why === 0 ? null : { reason: dropAt((why & 0xffff) - 1).reason, errno: why >>> 16 },
    isDatagram: (kind & IS_DATAGRAM) !== 0,
    length: words[at + LENGTH]!,
    bytes: memory.slice(META * 4, META * 4 + words[at + KEPT]!),
    tos: outer & 0xff,
    sourcePort: outer >>> 16,
    train: words[at + TRAIN]!,
    remote: remoteOf(memory, REMOTE * 4),
  };
}

function remoteOf(bytes: Uint8Array, at: number): SeenPacket["remote"] {
  const family = sockaddrFamily(bytes, at);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const place = sockaddrAddressAt(bytes, at);
  const address = family === AF_INET ? formatIpv4(bytes, place) : formatIpv6(bytes, place);
  return { address, port: sockaddrPort(bytes, at) };
}
