/**
 * Gives every address another one, the same each time. Addresses that share a prefix share one of the same length
 * afterwards, as in Crypto-PAn: whether a bit is turned depends on the bits before it and on a key that nobody keeps.
 * So subnets stay subnets, and what is wrong with a route can still be seen. What an address is for stays, too:
 * private, link-local and multicast ones stay such, and those that name nobody (loopback, masks) stay what they are.
 */
import { createHmac, randomBytes } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { addressOf, addressValue, type Family } from "../../control/address.ts";

/** Addresses by their first bits: `keep` bits of them stay; all of them where they name nobody. */
const V4: readonly (readonly [range: string, keep: number])[] = [
  ["0.0.0.0/8", 32],
  ["10.0.0.0/8", 8],
  ["100.64.0.0/10", 10],
  ["127.0.0.0/8", 32],
  ["169.254.0.0/16", 16],
  ["172.16.0.0/12", 12],
  ["192.168.0.0/16", 16],
  ["224.0.0.0/4", 32],
  // Masks and broadcast.
  ["255.0.0.0/8", 32],
];
const V6: readonly (readonly [range: string, keep: number])[] = [
  ["::/127", 128],
  // The last 24 bits are those of an address that is asked for (RFC 4291, solicited-node).
  ["ff02::1:ff00:0/104", 104],
  ["ff00::/8", 128],
  ["fe80::/10", 10],
  ["fc00::/7", 8],
  ["2000::/3", 3],
  ["::/0", 128],
];
/** Public IPv4 addresses go to where none are (240.0.0.0/4), so that they are taken for nobody else's. */
const NOWHERE = 0xf0000000n;
const NOWHERE_BITS = 4;

const IPV4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)(?:[/-](?<length>\d{1,2})(?!\d))?/g;
const IPV6 =
  /(?<![\w:.])[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f]{0,4}(?![\w:]|\.\d)(?:[/](?<length>\d{1,3})(?!\d))?/gi;
const MAC = /(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:])/gi;

export class Anonymizer {
  readonly #key: Uint8Array;
  readonly #host: RegExp | null;
  readonly #known = new Map<string, string>();

  /**
   * @param host this machine's name, which becomes "this-host"
   * @param key for tests; a report takes one that nobody knows
   */
  constructor(host: string, key: Uint8Array = randomBytes(32)) {
    this.#key = key;
    const escaped = host.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    // A name of a few letters would be found in many words.
    this.#host =
      host.length < 4 || host === "localhost" ? null : new RegExp(`(?<![\\w.-])${escaped}(?![\\w-])`, "g");
  }

  anonymize(text: string): string {
    const named = this.#host === null ? text : text.replace(this.#host, "this-host");
    return named
      .replace(MAC, (mac) => this.#remember(mac.toLowerCase(), () => this.#mac(mac.toLowerCase())))
      .replace(IPV6, (...match) => this.#cidr(6, match))
      .replace(IPV4, (...match) => this.#cidr(4, match));
  }

  #remember(text: string, make: () => string): string {
    const known = this.#known.get(text) ?? make();
    this.#known.set(text, known);
    return known;
  }

  /** An address, with or without the length of its prefix, as written: "10.0.0.0/24", in etcd's keys "10.0.0.0-24". */
  #cidr(family: Family, match: readonly unknown[]): string {
    const whole = match[0] as string;
    const { length } = match.at(-1) as { length?: string };
    const tail = length === undefined ? "" : whole.slice(whole.length - length.length - 1);
    const address = whole.slice(0, whole.length - tail.length);
    if (!(family === 4 ? isIPv4(address) : isIPv6(address))) return whole;
    const bits = family === 4 ? 32 : 128;
    const prefix = length === undefined || Number(length) > bits ? bits : Number(length);
    return this.#remember(whole, () => this.#address(family, address, prefix)) + tail;
  }

  #address(family: Family, address: string, prefix: number): string {
    const bits = family === 4 ? 32 : 128;
    const value = numberOf(address);
    // An IPv4 address written inside an IPv6 one, which is not worth more.
    if (value === null) return "(address)";
    const rules = family === 4 ? V4 : V6;
    const [, keep] = rules.find(([range]) => inRange(range, value, bits)) ?? ["", 0];
    const turned = keep === bits ? value : this.#turn(value, bits, keep);
    const moved = family === 4 && keep === 0 ? (turned & 0x0fffffffn) | NOWHERE : turned;
    // A subnet stays one: without host bits where it had none.
    const host = (1n << BigInt(bits - prefix)) - 1n;
    return addressOf(family, (value & host) === 0n ? moved & ~host : moved);
  }

  /** Each bit from `keep` on is turned or not, as the bits before it say. */
  #turn(value: bigint, bits: number, keep: number): bigint {
    let out = value;
    for (let at = Math.max(keep, bits === 32 && keep === 0 ? NOWHERE_BITS : 0); at < bits; at++) {
      const place = BigInt(bits - 1 - at);
      if (this.#random(`${bits} ${at} ${value >> (place + 1n)}`)[0]! & 1) out ^= 1n << place;
    }
    return out;
  }

  /** A group's, or nobody's, stays; others keep the two bits that say whether they are a group's or made up. */
  #mac(mac: string): string {
    const bytes = mac.split(":").map((byte) => Number.parseInt(byte, 16));
    // 33:33 and the last bytes of a group of IPv6, which for a solicited node are those of its address.
    const keep = /^(?:00:00:00:00:00:00|ff:ff:ff:ff:ff:ff|01:)/.test(mac)
      ? 6
      : mac.startsWith("33:33:ff")
        ? 3
        : 0;
    const random = this.#random(mac);
    return bytes
      .map((byte, i) =>
        i < keep || mac.startsWith("33:33:00")
          ? byte
          : i === 0
            ? (random[0]! & 0xfc) | (byte & 3)
            : random[i]!,
      )
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(":");
  }

  #random(text: string): Uint8Array {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function numberOf(address: string): bigint | null {
  try {
    return addressValue(address);
  } catch {
    return null;
  }
}

function inRange(range: string, value: bigint, bits: number): boolean {
  const [start, length] = range.split("/") as [string, string];
  const rest = BigInt(bits - Number(length));
  return value >> rest === addressValue(start) >> rest;
}
