/** Header table + bytes → values. The slow and plain twin of the fast views: it allocates, and it is the oracle. */
import { hex } from "./bytes.ts";
import type { Field, FieldValue, HeaderTable } from "./field.ts";

/** A field as it was found. */
export interface DecodedField {
  readonly field: Field;
  readonly value: FieldValue;
  /** Bit position from the start of `bytes`; bit 0 is the most significant of byte 0. */
  readonly bit: number;
  /** Bits. */
  readonly width: number;
}

/** A header as it was found. */
export interface DecodedHeader {
  readonly table: HeaderTable;
  /** Where it starts in `bytes`. */
  readonly at: number;
  /** Bytes that its decoded fields touch. */
  readonly length: number;
  /** In the order of the wire. When the bytes end too early, those that are there completely. */
  readonly fields: readonly DecodedField[];
  /** The same values by name. */
  readonly values: Readonly<Record<string, FieldValue>>;
  /** Whether the bytes end before the header does. */
  readonly truncated: boolean;
}

/**
 * Reads the header at `at`. Never throws, whatever the bytes are.
 * @param end where the bytes that may be read end; a `rest` field reaches up to it
 */
export function decode(table: HeaderTable, bytes: Uint8Array, at = 0, end = bytes.length): DecodedHeader {
  const limit = Math.min(end, bytes.length);
  const fields: DecodedField[] = [];
  const values: Record<string, FieldValue> = {};
  let reached = at * 8;
  let truncated = false;
  for (const field of table.fields) {
    const bit = at * 8 + field.at;
    const width = field.width === "rest" ? limit * 8 - bit : field.width;
    if (width < 0 || bit + width > limit * 8) {
      truncated = true;
      break;
    }
    const value =
      width > 48 || field.width === "rest" ? hex(bytes, bit / 8, width / 8) : bits(bytes, bit, width);
    fields.push({ field, value, bit, width });
    values[field.name] = value;
    reached = bit + width;
  }
  return { table, at, length: Math.ceil(reached / 8) - at, fields, values, truncated };
}

/** `width` bits (up to 48) from bit `bit` on, first bit most significant. */
function bits(bytes: Uint8Array, bit: number, width: number): number {
  let value = 0;
  for (let i = bit; i < bit + width; i++) {
    // doubling instead of shifting: shifts end at 32 bits
    value = value * 2 + ((bytes[i >>> 3]! >>> (7 - (i & 7))) & 1);
  }
  return value;
}
