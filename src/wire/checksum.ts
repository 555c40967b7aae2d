/**
 * The Internet checksum (RFC 1071), whole and incremental (RFC 1624). Nothing here allocates per packet.
 *
 * A *sum* is a ones-complement sum that is not folded to 16 bits yet: a small integer (below 2^30, so that V8 never
 * boxes it) that goes on as the `initial` of the next piece. Each piece but the last must have an even length,
 * since a piece is added as if it began at an even place of the packet. Where it lies in memory does not matter.
 *
 * Ones-complement arithmetic has two zeros. A sum over bytes that are not all zero never folds to 0, but to 0xffff:
 * the checksum of such bytes is then 0. UDP reserves 0 for "no checksum", so there 0 is sent as 0xffff
 * (RFC 768): use `udpChecksum`.
 */
import { u16 } from "./bytes.ts";

/** From this length on, the detour over 32-bit loads is worth its set-up. */
const WORDS_FROM = 96;
/** A `Uint8Array` of two bytes read as one 16-bit number says which end this machine's numbers start at. */
const LITTLE_ENDIAN = new Uint16Array(new Uint8Array([1, 0]).buffer)[0] === 1;

/** The last buffer summed over, in 32-bit words: a dataplane has one arena, so this is made once. */
let words: Int32Array = new Int32Array(0);

/**
 * Adds `length` bytes from `at` to `initial`.
 * @param length up to 2^17 bytes; when odd, a zero byte is thought after the last
 * @param initial a sum that this module returned
 * @returns the new sum, below 2^18
 */
export function sum(bytes: Uint8Array, at: number, length: number, initial = 0): number {
  return length < WORDS_FROM ? sumBytes(bytes, at, length, initial) : sumWords(bytes, at, length, initial);
}

/** Byte by byte. High and low bytes are added apart: one shift in all instead of one per 16-bit word. */
function sumBytes(bytes: Uint8Array, at: number, length: number, initial: number): number {
  let high = 0;
  let low = initial;
  const end = at + length;
  let i = at;
  for (; i < end - 1; i += 2) {
    high += bytes[i]!;
    low += bytes[i + 1]!;
  }
  if (i < end) high += bytes[i]!;
  return carry(((high & 0xff) << 8) + (high >>> 8) + low);
}

/**
 * By 32-bit words of the underlying buffer, three times as fast on 64 KB. The sum does not depend on byte order
 * (RFC 1071 section 2 B): words are added as this machine reads them, and the two bytes of the result swapped; once
 * more when the words start at an odd place of the packet.
 */
function sumWords(bytes: Uint8Array, at: number, length: number, initial: number): number {
  const start = bytes.byteOffset + at;
  if (words.buffer !== bytes.buffer || words.length << 2 < start + length - 3) {
    words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
  }
  const before = -start & 3;
  const count = (length - before) >> 2;
  const after = before + (count << 2);
  const aligned = fold(addWords((start + before) >> 2, count));
  const rest = sumBytes(bytes, at + after, length - after, LITTLE_ENDIAN ? swap(aligned) : aligned);
  return sumBytes(bytes, at, before, carry((before & 1 ? swap(fold(rest)) : rest) + initial));
}

function addWords(from: number, count: number): number {
  const w = words;
  const end = from + count;
  let high = 0;
  let low = 0;
  let i = from;
  for (; i < end - 7; i = (i + 8) | 0) {
    const a = w[i]!;
    const b = w[i + 1]!;
    const c = w[i + 2]!;
    const d = w[i + 3]!;
    const e = w[i + 4]!;
    const f = w[i + 5]!;
    const g = w[i + 6]!;
    const h = w[i + 7]!;
    const lows = (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff);
    low = (low + lows + (e & 0xffff) + (f & 0xffff) + (g & 0xffff) + (h & 0xffff)) | 0;
    const highs = (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16);
    high = (high + highs + (e >>> 16) + (f >>> 16) + (g >>> 16) + (h >>> 16)) | 0;
  }
  for (; i < end; i = (i + 1) | 0) {
    low = (low + (w[i]! & 0xffff)) | 0;
    high = (high + (w[i]! >>> 16)) | 0;
  }
  return carry(low) + carry(high);
}

/** Adds what is above 16 bits back in, once: small again, but perhaps not 16 bits yet. */
function carry(value: number): number {
  return (value & 0xffff) + (value >>> 16);
}

function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

/** @returns the sum in 16 bits, carries added back in. 0 only for bytes that are all zero, else 1 to 0xffff. */
export function fold(value: number): number {
  return carry(carry(value));
}

/**
 * What the checksum field holds when it was zero while `length` bytes from `at` were summed. Over bytes that carry
 * their checksum it returns 0 when that is right.
 */
export function checksum(bytes: Uint8Array, at: number, length: number, initial = 0): number {
  return ~fold(sum(bytes, at, length, initial)) & 0xffff;
}

/** As `checksum`, for UDP: a computed 0 is sent as 0xffff, since 0 says that there is none (RFC 768). */
export function udpChecksum(bytes: Uint8Array, at: number, length: number, initial = 0): number {
  return checksum(bytes, at, length, initial) || 0xffff;
}

/** Sum of the IPv4 pseudo-header (RFC 9293 section 3.1, RFC 768); `ipAt` is where the IPv4 header starts. */
export function pseudoSumV4(bytes: Uint8Array, ipAt: number, protocol: number, l4Length: number): number {
  return (
    u16(bytes, ipAt + 12) +
    u16(bytes, ipAt + 14) +
    u16(bytes, ipAt + 16) +
    u16(bytes, ipAt + 18) +
    protocol +
    (l4Length & 0xffff) +
    (l4Length >>> 16)
  );
}

/** Sum of the IPv6 pseudo-header (RFC 8200 section 8.1); `ipAt` is where the fixed IPv6 header starts. */
export function pseudoSumV6(bytes: Uint8Array, ipAt: number, protocol: number, l4Length: number): number {
  return sum(bytes, ipAt + 8, 32, protocol + (l4Length & 0xffff) + (l4Length >>> 16));
}

/**
 * The checksum after one 16-bit word under it changed (RFC 1624 section 3, equation 3). That equation, unlike the
 * one of RFC 1141, never turns a checksum into 0xffff by a change that does nothing.
 * @param old the checksum field as it was
 * @param from the word as it was
 * @param to the word as it is now
 */
export function updateChecksum(old: number, from: number, to: number): number {
  return ~fold((~old & 0xffff) + (~from & 0xffff) + to) & 0xffff;
}
