import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex } from "../../src/wire/bytes.ts";
import { decode } from "../../src/wire/decode.ts";
import { encode } from "../../src/wire/encode.ts";
import type { Field, FieldValue, HeaderTable } from "../../src/wire/field.ts";
import { IPV4 } from "../../src/wire/ipv4.ts";
import { IPV6 } from "../../src/wire/ipv6.ts";
import { TABLES } from "../../src/wire/tables.ts";
import { TCP_OPTION_SACK } from "../../src/wire/tcp-options.ts";
import { VXLAN } from "../../src/wire/vxlan.ts";

const digits = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => hex(bytes));

function anyValue(field: Field): fc.Arbitrary<FieldValue> {
  if (field.width === "rest") return digits(0, 40);
  if (field.width > 48) return digits(field.width / 8, field.width / 8);
  const most = 2 ** field.width - 1;
  return fc.oneof(
    fc.constantFrom(0, most),
    fc.maxSafeNat().map((n) => n % (most + 1)),
  );
}

function anyValues(table: HeaderTable): fc.Arbitrary<Record<string, FieldValue>> {
  return fc.record(Object.fromEntries(table.fields.map((field) => [field.name, anyValue(field)])));
}

/** A second opinion on where a field's bits are: the header as one long number. */
function bitsByBigInt(bytes: Uint8Array, bit: number, width: number): bigint {
  const all = BigInt(`0x0${hex(bytes)}`);
  return (all >> BigInt(bytes.length * 8 - bit - width)) & ((1n << BigInt(width)) - 1n);
}

describe.each(TABLES.map((table) => [table.name, table] as const))("%s", (_, table) => {
  it("decodes what was encoded", () => {
    fc.assert(
      fc.property(anyValues(table), fc.nat(5), (values, before) => {
        const header = encode(table, values);
        const bytes = new Uint8Array(before + header.length).fill(0xa5);
        bytes.set(header, before);
        const decoded = decode(table, bytes, before);
        expect(decoded.values).toEqual(values);
        expect(decoded.truncated).toBe(false);
        expect(decoded.length).toBe(header.length);
      }),
      { numRuns: 30 },
    );
  });

  it("encodes what was decoded", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: table.length, maxLength: table.length + 20 }), (bytes) => {
        const decoded = decode(table, bytes);
        expect(encode(table, decoded.values)).toEqual(bytes.subarray(0, decoded.length));
      }),
      { numRuns: 30 },
    );
  });

  it("writes every bit of itself into noise, and nothing beside it", () => {
    fc.assert(
      fc.property(anyValues(table), (values) => {
        const fresh = encode(table, values);
        const noise = new Uint8Array(fresh.length + 8).fill(0xa5);
        expect(encode(table, values, noise, 4)).toEqual(fresh);
        expect(hex(noise)).toBe(`a5a5a5a5${hex(fresh)}a5a5a5a5`);
      }),
      { numRuns: 30 },
    );
  });

  it("places each field where its bit offset says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: table.length, maxLength: table.length + 4 }), (bytes) => {
        for (const { value, bit, width, field } of decode(table, bytes).fields) {
          expect(bit).toBe(field.at);
          const same = typeof value === "number" ? BigInt(value) : BigInt(`0x0${value}`);
          expect(same, field.name).toBe(bitsByBigInt(bytes, bit, width));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("says so when the bytes end early, and reports no field that is not all there", () => {
    const whole = encode(table, {});
    for (let length = 0; length < table.length; length++) {
      const decoded = decode(table, whole, 0, length);
      expect(decoded.truncated).toBe(true);
      expect(decoded.length).toBeLessThanOrEqual(length);
      for (const { bit, width } of decoded.fields) expect(bit + width).toBeLessThanOrEqual(length * 8);
    }
  });
});

describe("encode", () => {
  it("fills in usual values", () => {
    expect(hex(encode(IPV4, {}))).toBe("4500000000000000401100000000000000000000");
    expect(hex(encode(VXLAN, { vni: 1 }))).toBe("0800000000000100");
  });

  it.each([
    ["a field that is not there", () => encode(VXLAN, { vnid: 1 }), "vni"],
    ["a number too large", () => encode(VXLAN, { vni: 2 ** 24 }), "16777215"],
    ["a negative number", () => encode(VXLAN, { vni: -1 }), "0 to"],
    ["a fraction", () => encode(VXLAN, { vni: 1.5 }), "whole number"],
    ["text for a number", () => encode(VXLAN, { vni: "1" }), "whole number"],
    ["a number for 128 bits", () => encode(IPV6, { source: 1 }), "16 bytes in hexadecimal"],
    ["too few digits", () => encode(IPV6, { source: "fe80" }), "16 bytes in hexadecimal"],
    ["half a byte", () => encode(TCP_OPTION_SACK, { blocks: "123" }), "hexadecimal"],
    ["no room", () => encode(IPV4, {}, new Uint8Array(20), 1), "20 bytes at 1 of 20"],
  ])("refuses %s", (_, act, message) => {
    expect(act).toThrow(
      expect.objectContaining({ code: "WIRE_BAD_VALUE", message: expect.stringContaining(message) }),
    );
  });
});
