/**
 * IPv4 and IPv6 addresses and CIDRs, in and out as text. The only file that knows the `ip-num` package, which reads
 * those of IPv6 and makes numbers of them; everybody else works with the canonical text that comes out of here, which
 * compares with `===` and is what iproute2 prints (RFC 5952; dotted decimal).
 *
 * The package works with strings of 128 ones and zeros, and a thousand peers took a second. So ranges and IPv4 are
 * calculated here, and what was read is remembered: each address is asked for several times on its way.
 *
 * Read more strictly than `ip-num` does: no zone ("fe80::1%eth0": a VTEP's address belongs to no interface), no prefix
 * length with leading zeros, no IPv4 address in IPv6 clothes (::ffff:1.2.3.4, ::1.2.3.4): the kernel treats them as
 * another family, and the C library prints the second kind otherwise than RFC 5952.
 */
// Not "ip-num" itself: that file re-exports all others, and to find their names costs Node 20 90 ms and 20 MB.
import { IPv6 } from "ip-num/dist/src/IPNumber.js";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";

export type Family = 4 | 6;

/** Of an IPv4 address: 0 to 255, without leading zeros. */
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`);

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
  return format(read(text));
}

/**
 * Reads "address/prefix length". Host bits may be set: an interface's address has them.
 * @throws AddressError
 */
export function parseCidr(text: string): Cidr {
  return remember(cidrs, text, readCidr);
}

const MOST_REMEMBERED = 20_000;
const cidrs = new Map<string, Cidr>();
const addresses = new Map<string, Numeric>();

/** What was read already, by its text. Forgotten as a whole when it is full: it only saves time. */
function remember<T>(known: Map<string, T>, text: string, read: (text: string) => T): T {
  let value = known.get(text);
  if (value === undefined) {
    value = read(text);
    if (known.size >= MOST_REMEMBERED) known.clear();
    known.set(text, value);
  }
  return value;
}

function readCidr(text: string): Cidr {
  const slash = text.indexOf("/");
  if (slash < 0) {
    const address = read(text);
    const host = `${format(address)}/${address.bits}`;
    throw new AddressError(`"${text}" has no prefix length`, `write ${host} for this address alone`);
  }
  const address = read(text.slice(0, slash));
  const { bits, value } = address;
  const digits = text.slice(slash + 1);
  const prefix = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : -1;
  if (prefix < 0 || prefix > bits) {
    throw new AddressError(`"/${digits}" is no prefix length`, `write a number from 0 to ${bits}`);
  }
  const hostBits = (1n << BigInt(bits - prefix)) - 1n;
  const first = value & ~hostBits;
  return {
    family: bits === 32 ? 4 : 6,
    text: `${format(address)}/${prefix}`,
    address: format(address),
    prefix,
    network: format({ bits, value: first }),
    first,
    last: value | hostBits,
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

/** @returns a canonical address as a number. @throws AddressError */
export function addressValue(text: string): bigint {
  return read(text).value;
}

/** @returns the address that is this number, canonical. */
export function addressOf(family: Family, value: bigint): string {
  return format({ bits: family === 4 ? 32 : 128, value });
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

/** What is not for everybody (IANA's special-purpose registries; RFC 1122, 3927, 4291, 5771). */
const KINDS = (
  [
    ["unspecified", "0.0.0.0/32"],
    ["unspecified", "::/128"],
    ["loopback", "127.0.0.0/8"],
    ["loopback", "::1/128"],
    ["multicast", "224.0.0.0/4"],
    ["multicast", "ff00::/8"],
    ["broadcast", "255.255.255.255/32"],
    ["link-local", "169.254.0.0/16"],
    ["link-local", "fe80::/10"],
  ] as const
).map(([kind, text]) => ({ kind, range: parseCidr(text) }));

/** @returns what a canonical address is for. */
export function addressKind(address: string): AddressKind {
  const { value } = read(address);
  const family = familyOf(address);
  const known = KINDS.find(
    ({ range }) => range.family === family && range.first <= value && value <= range.last,
  );
  return known?.kind ?? "unicast";
}

/** An address as a number. */
interface Numeric {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

function read(text: string): Numeric {
  return remember(addresses, text, readAddress);
}

function readAddress(text: string): Numeric {
  if (text.includes(":")) return { bits: 128, value: readIpv6(text) };
  if (IPV4.test(text))
    return { bits: 32, value: BigInt(text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)) };
  throw new AddressError(
    `"${text}" is no IP address`,
    "write four numbers from 0 to 255 with dots between them, as 192.168.0.1, or an IPv6 address",
  );
}

function readIpv6(text: string): bigint {
  if (text.includes("%"))
    throw new AddressError(`"${text}" names a zone`, "leave out the % and what follows it");
  let value: bigint;
  try {
    value = IPv6.fromString(text).value;
  } catch {
    throw new AddressError(`"${text}" is no IPv6 address`, "write it as fd00:10::1");
  }
  const embedded = value >> 32n === 0xffffn || (value >> 32n === 0n && value > 1n);
  if (embedded) {
    const plain = format({ bits: 32, value: value & 0xffffffffn });
    throw new AddressError(`"${text}" is an IPv4 address inside an IPv6 one`, `write it as ${plain}`);
  }
  return value;
}

function format(address: Numeric): string {
  const bytes = bytesOf(address);
  return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

function bytesOf({ bits, value }: Numeric): Uint8Array {
  const bytes = new Uint8Array(bits / 8);
  let rest = value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}
