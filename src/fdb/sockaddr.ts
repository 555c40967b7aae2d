/**
 * The kernel's struct sockaddr_in and sockaddr_in6 in rows of one size, as sendmmsg(2) takes them and recvmmsg(2)
 * gives them (`include/uapi/linux/in.h`, `in6.h`):
 *
 *   IPv4   0 family (host order) · 2 port · 4 address (4) · 8 zero (8)
 *   IPv6   0 family (host order) · 2 port · 4 flow info   · 8 address (16) · 24 scope
 *
 * A row that is all zero has no family. Sending to one is refused with EINVAL (port 0).
 */
import { putU16, putU32, u16 } from "../wire/bytes.ts";

/** Bytes in one row of a slab of addresses: a struct sockaddr_in6, of which a sockaddr_in is a prefix. */
export const ADDRESS_BYTES = 28;

export const AF_INET = 2;
export const AF_INET6 = 10;
const PORT_AT = 2;
const IPV4_AT = 4;
const FLOW_INFO_AT = 4;
const IPV6_AT = 8;

/** Which of the two family bytes is the low one: the family, alone of all fields, is in host order. */
const FAMILY_AT = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;

/** @returns `AF_INET`, `AF_INET6`, or whatever else the row says; 0 for an empty row. */
export function sockaddrFamily(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]!; // both families are below 256: in either byte order one of the two is 0
}

/** @returns the port, 0 to 65535. */
export function sockaddrPort(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + PORT_AT);
}

/** @returns where the address itself starts: 4 bytes for `AF_INET`, 16 for `AF_INET6`. */
export function sockaddrAddressAt(bytes: Uint8Array, at: number): number {
  return at + (sockaddrFamily(bytes, at) === AF_INET ? IPV4_AT : IPV6_AT);
}

/**
 * Writes all `ADDRESS_BYTES` of a row.
 * @param address 4 or 16 bytes
 * @param flowLabel of an IPv6 address: what the header of a packet to it says, where the socket may (IPV6_FLOWINFO_SEND)
 * @throws RangeError for an address of another length
 */
export function writeSockaddr(
  bytes: Uint8Array,
  at: number,
  address: Uint8Array,
  port: number,
  flowLabel = 0,
): void {
  if (address.length !== 4 && address.length !== 16) {
    throw new RangeError(`an IP address has 4 or 16 bytes, not ${address.length}`);
  }
  bytes.fill(0, at, at + ADDRESS_BYTES);
  bytes[at + FAMILY_AT] = address.length === 4 ? AF_INET : AF_INET6;
  putU16(bytes, at + PORT_AT, port);
  bytes.set(address, at + (address.length === 4 ? IPV4_AT : IPV6_AT));
  if (address.length === 16) putU32(bytes, at + FLOW_INFO_AT, flowLabel);
}
