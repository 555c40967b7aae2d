/**
 * IPv4 and IPv6 addresses and CIDRs, in and out as text. The only file that knows the `ip-num` package: it reads and
 * calculates there, and everybody else works with the canonical text that comes out of here, which compares with `===`
 * and is what iproute2 prints (RFC 5952; dotted decimal).
 *
 * Read more strictly than `ip-num` does: no zone ("fe80::1%eth0": a VTEP's address belongs to no interface), no prefix
 * length with leading zeros, no IPv4 address in IPv6 clothes (::ffff:1.2.3.4, ::1.2.3.4): the kernel treats them as
 * another family, and the C library prints the second kind otherwise than RFC 5952.
 */
import { IPv4, IPv4CidrRange, IPv4Prefix, IPv6, IPv6CidrRange, IPv6Prefix } from "ip-num";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";

export type Family = 4 | 6;

/** Text that is no address or no CIDR. */
export class AddressError extends Error {
  readonly code = "BAD_ADDRESS";
  /** What would be right, to show after the message; "" when nothing can be guessed. */
  readonly remedy: string;

  constructor(message: string, remedy = "") {
    super(message);
    this.name = "AddressError";
    this.remedy = remedy;
  }
}

/** An address with a prefix length, all texts canonical. */
export interface Cidr {
  readonly family: Family;
  /** "10.244.1.5/24": the address as it was given. */
  readonly text: string;
  /** "10.244.1.5" */
  readonly address: string;
  readonly prefix: number;
  /** "10.244.1.0": the address with its host bits cleared. */
  readonly network: string;
  /** First and last address as numbers: two CIDRs of one family overlap when these ranges do. */
  readonly first: bigint;
  readonly last: bigint;
}

/** What an address is for, as far as a VTEP cares. */
export type AddressKind = "unspecified" | "loopback" | "multicast" | "broadcast" | "link-local" | "unicast";

/**
 * Reads an address.
 * @returns its canonical text
 * @throws AddressError
 */
export function parseAddress(text: string): string {
  return canonical(read(text));
}

/**
 * Reads "address/prefix length". Host bits may be set: an interface's address has them.
 * @throws AddressError
 */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf("/");
  if (slash < 0) {
    const address = read(text);
    const host = `${canonical(address)}/${bitsOf(address)}`;
    throw new AddressError(`"${text}" has no prefix length`, `write ${host} for this address alone`);
  }
  const address = read(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  const prefix = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : -1;
  if (prefix < 0 || prefix > bitsOf(address)) {
    throw new AddressError(`"/${digits}" is no prefix length`, `write a number from 0 to ${bitsOf(address)}`);
  }
  const range =
    address instanceof IPv4
      ? new IPv4CidrRange(address, new IPv4Prefix(BigInt(prefix)))
      : new IPv6CidrRange(address, new IPv6Prefix(BigInt(prefix)));
  return {
    family: address instanceof IPv4 ? 4 : 6,
    text: `${canonical(address)}/${prefix}`,
    address: canonical(address),
    prefix,
    network: canonical(range.getFirst()),
    first: range.getFirst().value,
    last: range.getLast().value,
  };
}

/** @returns the family of a canonical address or CIDR. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/**
 * Reads an address into the bytes that go on the wire: 4 or 16, in network order.
 * @throws AddressError
 */
export function addressBytes(text: string): Uint8Array {
  return bytesOf(read(text));
}

/** @returns whether the two have an address in common. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** @returns whether a canonical address lies inside `cidr`. */
export function cidrContains(cidr: Cidr, address: string): boolean {
  if (familyOf(address) !== cidr.family) return false;
  const { value } = read(address);
  return cidr.first <= value && value <= cidr.last;
}

/** @returns what a canonical address is for. */
export function addressKind(address: string): AddressKind {
  const number = read(address);
  if (number.isUnspecified()) return "unspecified";
  if (number.isLoopback()) return "loopback";
  if (number.isMulticast()) return "multicast";
  if (number.isLinkLocal()) return "link-local";
  return number instanceof IPv4 && number.isBroadcast() ? "broadcast" : "unicast";
}

function read(text: string): IPv4 | IPv6 {
  if (text.includes(":")) return readIpv6(text);
  try {
    return IPv4.fromString(text);
  } catch {
    throw new AddressError(
      `"${text}" is no IP address`,
      "write four numbers from 0 to 255 with dots between them, as 192.168.0.1, or an IPv6 address",
    );
  }
}

function readIpv6(text: string): IPv6 {
  if (text.includes("%"))
    throw new AddressError(`"${text}" names a zone`, "leave out the % and what follows it");
  let number: IPv6;
  try {
    number = IPv6.fromString(text);
  } catch {
    throw new AddressError(`"${text}" is no IPv6 address`, "write it as fd00:10::1");
  }
  const { value } = number;
  const embedded = value >> 32n === 0xffffn || (value >> 32n === 0n && value > 1n);
  if (embedded) {
    const plain = IPv4.fromNumber(value & 0xffffffffn).toString();
    throw new AddressError(`"${text}" is an IPv4 address inside an IPv6 one`, `write it as ${plain}`);
  }
  return number;
}

function bitsOf(address: IPv4 | IPv6): 32 | 128 {
  return address instanceof IPv4 ? 32 : 128;
}

function canonical(address: IPv4 | IPv6): string {
  const bytes = bytesOf(address);
  return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

function bytesOf(address: IPv4 | IPv6): Uint8Array {
  const bytes = new Uint8Array(bitsOf(address) / 8);
  let { value } = address;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}
