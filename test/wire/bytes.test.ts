import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatIpv4,
  formatIpv6,
  formatMac,
  formatMacKey,
  fromHex,
  hex,
  i32,
  macHi,
  macLo,
  parseMac,
  putMac,
  putU16,
  putU32,
  u16,
  u32,
} from "../../src/wire/bytes.ts";

const noise = () => new Uint8Array(16).fill(0xa5);

describe("numbers", () => {
  it("are read as DataView reads them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(4), (bytes, at) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        expect(u16(bytes, at)).toBe(view.getUint16(at));
        expect(u32(bytes, at)).toBe(view.getUint32(at));
        expect(i32(bytes, at)).toBe(view.getInt32(at));
      }),
    );
  });

  it("are written as DataView writes them, and nothing beside them", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), fc.nat(12), (value, at) => {
        const ours = noise();
        const theirs = noise();
        putU16(ours, at, value);
        new DataView(theirs.buffer).setUint16(at, value);
        expect(ours).toEqual(theirs);
        putU32(ours, at, value);
        new DataView(theirs.buffer).setUint32(at, value);
        expect(ours).toEqual(theirs);
      }),
    );
  });
});

describe("MAC addresses", () => {
  it("come back from their two halves", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (mac) => {
        const hi = macHi(mac, 0);
        const lo = macLo(mac, 0);
        expect(lo).toBe(lo | 0);
        const bytes = noise();
        putMac(bytes, 3, hi, lo);
        expect(hex(bytes)).toBe(`a5a5a5${hex(mac)}${"a5".repeat(7)}`);
        expect(formatMacKey(hi, lo)).toBe(formatMac(mac, 0));
        expect(parseMac(formatMac(mac, 0))).toEqual({ hi, lo });
        expect(parseMac(hex(mac, 0, 6, "-").toUpperCase())).toEqual({ hi, lo });
      }),
    );
  });

  it.each([
    "",
    "aa:bb:cc:dd:ee",
    "aa:bb:cc:dd:ee:ff:00",
    "aa:bb:cc:dd:ee:fg",
    "a:b:c:d:e:f",
    "aabbccddeeff",
    "aa:bb:cc-dd:ee:ff",
    " aa:bb:cc:dd:ee:ff",
  ])("refuses %j with a code and a remedy", (text) => {
    expect(() => parseMac(text)).toThrow(
      expect.objectContaining({
        code: "WIRE_BAD_MAC",
        message: expect.stringContaining("aa:bb:cc:dd:ee:ff"),
      }),
    );
  });
});

describe("IP addresses", () => {
  it("IPv4 is dotted decimal", () => {
    expect(formatIpv4(fromHex("00 ac130002"), 1)).toBe("172.19.0.2");
  });

  it.each([
    ["20010db8000000000000000000000001", "2001:db8::1", "4.2.1: as short as possible"],
    ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1", "4.2.2: one zero group stays"],
    ["20010000000000010000000000000001", "2001:0:0:1::1", "4.2.3: the longest run"],
    ["20010db8000000000001000000000001", "2001:db8::1:0:0:1", "4.2.3: the first of equal runs"],
    ["00000000000000000000000000000000", "::", "unspecified"],
    ["00000000000000000000000000000001", "::1", "loopback"],
    ["fe800000000000000000000000000000", "fe80::", "a run at the end"],
    [
      "20010db8aaaabbbbccccddddeeee00ab",
      "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ab",
      "4.1 and 4.3: no leading zeros, lower case",
    ],
    ["00000000000000000000ffffc0000201", "::ffff:192.0.2.1", "5: IPv4-mapped"],
  ])("RFC 5952: %s is %s (section %s)", (digits, text) => {
    expect(formatIpv6(fromHex(digits), 0)).toBe(text);
  });
});

describe("hexadecimal", () => {
  it("comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom("", " ", ":", "-", "\n"), (bytes, separator) => {
        expect(fromHex(hex(bytes, 0, bytes.length, separator))).toEqual(bytes);
      }),
    );
  });

  it("may carry notes", () => {
    expect(fromHex("45 00 # version\n00:54 // length 84\n")).toEqual(Uint8Array.of(0x45, 0, 0, 0x54));
  });

  it.each(["0", "0g", "0x00"])("refuses %j", (text) => {
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: "WIRE_BAD_HEX" }));
  });
});
