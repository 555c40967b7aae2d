/**
 * Big-endian numbers and addresses in bytes. Everything that takes `(bytes, at)` reads or writes in place, checks
 * no bounds (the caller has) and allocates nothing, except the functions that return text.
 */
import { WireError } from "./errors.ts";

/** @returns the 16 bits at `at`, 0 to 65535. */
export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** @returns the 32 bits at `at` as an unsigned number. For keys and comparisons `i32` is cheaper. */
export function u32(bytes: Uint8Array, at: number): number {
  return i32(bytes, at) >>> 0;
}

/** @returns the 32 bits at `at` as a signed 32-bit integer, the form in which V8 keeps numbers unboxed. */
export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Writes the low 16 bits of `value`. */
export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes the low 32 bits of `value`, signed or unsigned. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** @returns the first 16 bits of the MAC address at `at`: with `macLo` a table key without BigInt or text. */
export function macHi(bytes: Uint8Array, at: number): number {
  return u16(bytes, at);
}

/** @returns the last 32 bits of the MAC address at `at`, as a signed 32-bit integer. */
export function macLo(bytes: Uint8Array, at: number): number {
  return i32(bytes, at + 2);
}

/** Writes a MAC address given as `macHi` and `macLo` return it. */
export function putMac(bytes: Uint8Array, at: number, hi: number, lo: number): void {
  putU16(bytes, at, hi);
  putU32(bytes, at + 2, lo);
}

/** A MAC address in two numbers: the first 16 bits, and the last 32 as a signed 32-bit integer. */
export interface Mac {
  readonly hi: number;
  readonly lo: number;
}

/**
 * Reads "aa:bb:cc:dd:ee:ff" (or with "-", in either case).
 * @throws WireError `WIRE_BAD_MAC`
 */
export function parseMac(text: string): Mac {
  const separator = text.includes("-") ? "-" : ":";
  const parts = text.split(separator);
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{2}$/i.test(part))) {
    throw new WireError("WIRE_BAD_MAC", `"${text}" is no MAC address: write six bytes as aa:bb:cc:dd:ee:ff`);
  }
  const byte = parts.map((part) => Number.parseInt(part, 16));
  const lo = (byte[2]! << 24) | (byte[3]! << 16) | (byte[4]! << 8) | byte[5]!;
  return { hi: (byte[0]! << 8) | byte[1]!, lo };
}

/** @returns the six bytes at `at` as "aa:bb:cc:dd:ee:ff". */
export function formatMac(bytes: Uint8Array, at: number): string {
  return hex(bytes, at, 6, ":");
}

/** @returns a MAC address given as `macHi` and `macLo` return it, as "aa:bb:cc:dd:ee:ff". */
export function formatMacKey(hi: number, lo: number): string {
  const digits = hi.toString(16).padStart(4, "0") + (lo >>> 0).toString(16).padStart(8, "0");
  return digits.replace(/..(?!$)/g, "$&:");
}

/** @returns the four bytes at `at` in dotted decimal. */
export function formatIpv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** @returns the sixteen bytes at `at` in the canonical form of RFC 5952. */
export function formatIpv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(u16(bytes, at + i * 2));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${formatIpv4(bytes, at + 12)}`; // section 5: IPv4-mapped addresses end in dotted decimal
  }
  const text = groups.map((group) => group.toString(16));
  const { start, length } = longestZeroRun(groups);
  if (length < 2) return text.join(":"); // section 4.2.2: a single zero group is not shortened
  return `${text.slice(0, start).join(":")}::${text.slice(start + length).join(":")}`;
}

/** RFC 5952 section 4.2.3: the longest run of zero groups, the first of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = -1;
  groups.forEach((group, i) => {
    if (group !== 0) start = -1;
    else {
      if (start < 0) start = i;
      if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
    }
  });
  return best;
}

/** @returns `length` bytes from `at` in lower-case hexadecimal, with `separator` between bytes. */
export function hex(bytes: Uint8Array, at = 0, length = bytes.length - at, separator = ""): string {
  const parts: string[] = [];
  for (let i = at; i < at + length; i++) parts.push(bytes[i]!.toString(16).padStart(2, "0"));
  return parts.join(separator);
}

/**
 * Reads hexadecimal digits. White space, ":" and "-" are skipped, and so is what follows "#" or "//" on a line, so
 * that a packet can be written with notes beside its bytes.
 * @throws WireError `WIRE_BAD_HEX`
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/(#|\/\/).*/g, "").replace(/[\s:-]/g, "");
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) {
    throw new WireError(
      "WIRE_BAD_HEX",
      "not hexadecimal: an odd number of digits, or a character that is none",
    );
  }
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
