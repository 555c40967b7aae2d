/** Values as people type them → the value of a field: the other way round than `formatValue`. */
import { type FieldValue, type Format, formatMacKey, parseMac } from "../wire/index.ts";

/** What has to be known of a field to read a value of it. */
export interface ValueField {
  /** As messages name it. */
  readonly id: string;
  /** Bits. */
  readonly width: number;
  readonly format: Format;
  readonly names?: Readonly<Record<number, string>> | undefined;
}

/** A value that a field cannot have. */
export class ValueError extends Error {
  override readonly name = "ValueError";
}

/**
 * Reads a value. Words and units behind it are passed over, so that what is shown can be typed: "64 hops", "0x0800 IPv4".
 * @returns a number for up to 48 bits, hexadecimal digits for more
 * @throws ValueError saying what the field takes
 */
export function parseValue(field: ValueField, text: string): FieldValue {
  const trimmed = text.trim();
  const value = readers[field.format]?.(trimmed, field) ?? readNumber(trimmed, field);
  if (value === null) throw new ValueError(`${field.id}: "${text}" is no value of it; write ${takes(field)}`);
  if (typeof value === "number" && value > 2 ** field.width - 1) {
    throw new ValueError(
      `${field.id}: ${trimmed} does not fit into ${field.width} bits; write ${takes(field)}`,
    );
  }
  return value;
}

type Reader = (text: string, field: ValueField) => FieldValue | null;

const FLAGS: Readonly<Record<string, number>> = { set: 1, on: 1, true: 1, clear: 0, off: 0, false: 0 };

const readers: Partial<Record<Format, Reader>> = {
  flag: (text) => FLAGS[text.toLowerCase()] ?? null,
  mac: (text) => {
    try {
      const { hi, lo } = parseMac(text);
      return hi * 2 ** 32 + (lo >>> 0);
    } catch {
      return null;
    }
  },
  ipv4: (text) => {
    const bytes = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)?.slice(1).map(Number);
    if (bytes === undefined || bytes.some((byte) => byte > 255)) return null;
    return bytes.reduce((value, byte) => value * 256 + byte, 0);
  },
  ipv6: (text) => readIpv6(text),
  bytes: (text, { width }) => {
    const digits = text.replace(/[\s:]/g, "").toLowerCase();
    return /^([0-9a-f]{2})+$/.test(digits) && digits.length * 4 === width ? digits : null;
  },
};

function readNumber(text: string, { names = {} }: ValueField): number | null {
  const named = Object.entries(names).find(([, name]) => name.toLowerCase() === text.toLowerCase());
  if (named !== undefined) return Number(named[0]);
  const digits = /^(0x[0-9a-f]+|\d+)(?=$|\s)/i.exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** RFC 4291 section 2.2, its last form (with an IPv4 address at the end) included. */
function readIpv6(text: string): string | null {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const tail = readers.ipv4!(dotted[2]!, { id: "", width: 32, format: "ipv4" });
    if (tail === null) return null;
    const digits = Number(tail).toString(16).padStart(8, "0");
    return readIpv6(`${dotted[1]}${digits.slice(0, 4)}:${digits.slice(4)}`);
  }
  const halves = text.toLowerCase().split("::");
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null;
  return groups.map((group) => group.padStart(4, "0")).join("");
}

function takes({ format, width, names }: ValueField): string {
  switch (format) {
    case "flag":
      return "0 or 1 (clear, set)";
    case "mac":
      return `six bytes, such as ${formatMacKey(0x0242, 0xac130003)}`;
    case "ipv4":
      return "an IPv4 address, such as 172.19.0.3";
    case "ipv6":
      return "an IPv6 address, such as fd00::3";
    case "bytes":
      return `${width / 8} bytes in hexadecimal`;
    default: {
      const known = Object.entries(names ?? {}).slice(0, 4);
      const such =
        known.length === 0 ? "" : `, such as ${known.map(([n, name]) => `${n} (${name})`).join(", ")}`;
      return `a whole number from 0 to ${2 ** width - 1}, decimal or 0x…${such}`;
    }
  }
}
