/** Header table + values → bytes. The twin of `decode`, as plain and as slow. */
import { fromHex } from "./bytes.ts";
import { WireError } from "./errors.ts";
import type { Field, FieldValue, HeaderTable } from "./field.ts";

/**
 * Writes a header. Every bit of it is written; a field without a value becomes its usual value, or 0. Lengths and
 * checksums are written as given: whoever wants a broken packet gets one.
 * @param values by field name; numbers up to 48 bits, hexadecimal digits above and for a `rest` field
 * @param into where to write, at `at`; by default a new array of the right length
 * @returns the header's bytes: a new array, or the part of `into` that was written
 * @throws WireError `WIRE_BAD_VALUE` for a name that the table does not have, and a value that does not fit
 */
export function encode(
  table: HeaderTable,
  values: Readonly<Record<string, FieldValue>>,
  into?: Uint8Array,
  at = 0,
): Uint8Array {
  for (const name of Object.keys(values)) {
    if (!table.fields.some((field) => field.name === name)) {
      throw new WireError(
        "WIRE_BAD_VALUE",
        `${table.name} has no field "${name}": it has ${fieldNames(table)}`,
      );
    }
  }
  const rest = table.fields.find((field) => field.width === "rest");
  const restBytes = rest ? toBytes(table, rest, values[rest.name] ?? "") : new Uint8Array(0);
  const length = table.length + restBytes.length;
  const bytes = into ?? new Uint8Array(at + length);
  if (at + length > bytes.length) {
    throw new WireError("WIRE_BAD_VALUE", `${table.name} needs ${length} bytes at ${at} of ${bytes.length}`);
  }
  for (const field of table.fields) {
    const bit = at * 8 + field.at;
    if (field.width === "rest") bytes.set(restBytes, bit / 8);
    else if (field.width > 48) bytes.set(toBytes(table, field, values[field.name] ?? ""), bit / 8);
    else putBits(bytes, bit, field.width, toNumber(table, field, values[field.name] ?? field.usual ?? 0));
  }
  return into ? bytes.subarray(at, at + length) : bytes;
}

function fieldNames(table: HeaderTable): string {
  return table.fields.map((field) => field.name).join(", ");
}

function toNumber(table: HeaderTable, field: Field, value: FieldValue): number {
  const most = 2 ** (field.width as number) - 1;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
    throw new WireError(
      "WIRE_BAD_VALUE",
      `${table.name}.${field.name} is ${value}: it takes a whole number from 0 to ${most}`,
    );
  }
  return value;
}

function toBytes(table: HeaderTable, field: Field, value: FieldValue): Uint8Array {
  const width = field.width === "rest" ? "any number of" : field.width / 8;
  const wrong = `${table.name}.${field.name} is ${value}: it takes ${width} bytes in hexadecimal`;
  if (typeof value !== "string" || !/^([0-9a-f]{2})*$/i.test(value))
    throw new WireError("WIRE_BAD_VALUE", wrong);
  if (field.width === "rest") return fromHex(value);
  if (value === "") return new Uint8Array(field.width / 8);
  if (value.length !== field.width / 4) throw new WireError("WIRE_BAD_VALUE", wrong);
  return fromHex(value);
}

/** Writes `width` bits (up to 48) from bit `bit` on; bit 0 is the most significant of byte 0. */
export function putBits(bytes: Uint8Array, bit: number, width: number, value: number): void {
  let left = value;
  for (let i = bit + width - 1; i >= bit; i--) {
    const mask = 1 << (7 - (i & 7));
    if (left % 2 === 1) bytes[i >>> 3]! |= mask;
    else bytes[i >>> 3]! &= ~mask;
    left = Math.floor(left / 2);
  }
}
