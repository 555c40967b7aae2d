/**
 * The outer IPv4 and UDP headers of a raw send: written once from the wire tables, then patched per datagram.
 *
 * The kernel fills in what raw(7) says it does with IP_HDRINCL: the header checksum and the total length always, the
 * source address and the identification where they are zero. The UDP checksum stays zero, "none", as RFC 7348
 * section 5 recommends over IPv4.
 */
import { sockaddrAddressAt, sockaddrPort } from "../../fdb/sockaddr.ts";
import { i32, putU16, putU32, u32 } from "../../wire/bytes.ts";
import { encode } from "../../wire/encode.ts";
import type { HeaderTable } from "../../wire/field.ts";
import { IPV4 } from "../../wire/ipv4.ts";
import { PROTOCOL_UDP } from "../../wire/numbers.ts";
import { UDP } from "../../wire/udp.ts";
import { UDP_LENGTH } from "../../wire/views.ts";
import { ntopBytes } from "../portable.ts";
import { defaultTtl } from "./default-ttl.ts";

/** Bytes of both headers. */
export const OUTER_LENGTH = IPV4.length + UDP.length;

const TOS_AT = byteOf(IPV4, "dscp");
/** Byte of the flags, and DF in it. */
const FLAGS_AT = 6;
const DF = 0x40;
const TTL_AT = byteOf(IPV4, "ttl");
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
  /** The same for datagrams to a group; left out or 0: `ttl`, else 1, as a socket has it. */
  readonly multicastTtl?: number;
  readonly dontFragment: boolean;
}

export class OuterHeaders {
  readonly #bytes: Uint8Array;
  readonly #port: number;
  /** What all datagrams have, but those that ask for something else. */
  readonly #ttl: number;
  readonly #groupTtl: number;
  readonly #flags: number;
  #asked = 0;

  /** @param bytes where the headers are kept: the first `OUTER_LENGTH` of it */
  constructor(bytes: Uint8Array, { address, port, ttl, multicastTtl, dontFragment }: OuterOptions) {
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
    this.#ttl = common.ttl;
    this.#groupTtl = multicastTtl || ttl || 1;
    this.#flags = bytes[FLAGS_AT]!;
  }

  /**
   * What the next `write` sets beside: to be called before each, where any differ.
   * @param ttl 0 for that of all others
   */
  vary(ttl: number, dontFragment: boolean): void {
    this.#asked = ttl;
    this.#bytes[FLAGS_AT] = dontFragment ? this.#flags | DF : this.#flags;
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
    const destination = sockaddrAddressAt(addresses, to);
    const group = addresses[destination]! >>> 4 === 0xe; // 224.0.0.0/4
    bytes[TTL_AT] = this.#asked || (group ? this.#groupTtl : this.#ttl);
    putU32(bytes, DESTINATION_AT, i32(addresses, destination));
    putU16(bytes, SOURCE_PORT_AT, sourcePort || this.#port);
    putU16(bytes, DESTINATION_PORT_AT, sockaddrPort(addresses, to));
    putU16(bytes, LENGTH_AT, UDP_LENGTH + length);
  }
}

/** @returns where a field starts that starts with a byte. */
function byteOf(table: HeaderTable, name: string): number {
  return table.fields.find((field) => field.name === name)!.at / 8;
}
