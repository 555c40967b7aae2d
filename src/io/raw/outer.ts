/**
 * The outer IPv4 and UDP headers of a raw send: written once from the wire tables, then patched per datagram.
 *
 * The kernel fills in what raw(7) says it does with IP_HDRINCL: the header checksum and the total length always, the
 * source address and the identification where they are zero. The UDP checksum stays zero, "none", as RFC 7348
 * section 5 recommends over IPv4.
 */
import { readFileSync } from "node:fs";
import { sockaddrAddressAt, sockaddrPort } from "../../fdb/sockaddr.ts";
import { i32, putU16, putU32, u32 } from "../../wire/bytes.ts";
import { encode } from "../../wire/encode.ts";
import type { HeaderTable } from "../../wire/field.ts";
import { IPV4 } from "../../wire/ipv4.ts";
import { PROTOCOL_UDP } from "../../wire/numbers.ts";
import { UDP } from "../../wire/udp.ts";
import { UDP_LENGTH } from "../../wire/views.ts";
import { ntopBytes } from "../portable.ts";

/** Bytes of both headers. */
export const OUTER_LENGTH = IPV4.length + UDP.length;
/** IPDEFTTL (include/uapi/linux/ip.h), which net.ipv4.ip_default_ttl starts with. */
const DEFAULT_TTL = 64;
/** Of the reader's network namespace: what a socket that sets no TTL takes (`ip4_dst_hoplimit`). */
const DEFAULT_TTL_FILE = "/proc/sys/net/ipv4/ip_default_ttl";

const TOS_AT = byteOf(IPV4, "dscp");
const TOTAL_LENGTH_AT = byteOf(IPV4, "totalLength");
const DESTINATION_AT = byteOf(IPV4, "destination");
const SOURCE_PORT_AT = IPV4.length + byteOf(UDP, "sourcePort");
const DESTINATION_PORT_AT = IPV4.length + byteOf(UDP, "destinationPort");
const LENGTH_AT = IPV4.length + byteOf(UDP, "length");

/** What all datagrams have in common. */
export interface OuterOptions {
  /** Our address as text, "" to let the kernel choose it by the route. */
  readonly address: string;
  readonly port: number;
  /** 0 for the kernel's default as it is now. */
  readonly ttl: number;
  readonly dontFragment: boolean;
}

export class OuterHeaders {
  readonly #bytes: Uint8Array;
  readonly #port: number;

  /** @param bytes where the headers are kept: the first `OUTER_LENGTH` of it */
  constructor(bytes: Uint8Array, { address, port, ttl, dontFragment }: OuterOptions) {
    this.#bytes = bytes;
    this.#port = port;
    const common = {
      dontFragment: dontFragment ? 1 : 0,
      ttl: ttl || defaultTtl(),
      protocol: PROTOCOL_UDP,
      source: address === "" ? 0 : u32(ntopBytes(address), 0),
    };
    encode(IPV4, common, bytes);
    encode(UDP, {}, bytes, IPV4.length);
  }

  /**
   * Writes what differs from one datagram to the next.
   * @param sourcePort 0 for the port we are bound to
   * @param addresses holds the receiver's sockaddr_in at `to`
   * @param length bytes of UDP payload
   */
  write(tos: number, sourcePort: number, addresses: Uint8Array, to: number, length: number): void {
    const bytes = this.#bytes;
    bytes[TOS_AT] = tos;
    putU16(bytes, TOTAL_LENGTH_AT, OUTER_LENGTH + length);
    putU32(bytes, DESTINATION_AT, i32(addresses, sockaddrAddressAt(addresses, to)));
    putU16(bytes, SOURCE_PORT_AT, sourcePort || this.#port);
    putU16(bytes, DESTINATION_PORT_AT, sockaddrPort(addresses, to));
    putU16(bytes, LENGTH_AT, UDP_LENGTH + length);
  }
}

/** @param file the kernel's setting, read each time: it may change between two starts */
export function defaultTtl(file = DEFAULT_TTL_FILE): number {
  try {
    const ttl = Number(readFileSync(file, "utf8"));
    return Number.isInteger(ttl) && ttl >= 1 && ttl <= 255 ? ttl : DEFAULT_TTL;
  } catch {
    return DEFAULT_TTL; // no /proc here
  }
}

/** @returns where a field starts that starts with a byte. */
function byteOf(table: HeaderTable, name: string): number {
  return table.fields.find((field) => field.name === name)!.at / 8;
}
