import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex, i32 } from "../../src/wire/bytes.ts";
import { decode } from "../../src/wire/decode.ts";
import { encode } from "../../src/wire/encode.ts";
import {
  gbpDontLearn,
  groupPolicyOf,
  hasGroup,
  hasReservedBits,
  hasReservedBitsBesideGroup,
  hasVni,
  readGroup,
  readVni,
  setVxlanHeader,
  VNI_MAX,
  VXLAN,
  VXLAN_FLAG_G,
  VXLAN_FLAG_I,
  VXLAN_GBP,
  VXLAN_GBP_A,
  VXLAN_GBP_D,
  VXLAN_LENGTH,
  VXLAN_PORT_IANA,
  VXLAN_PORT_LINUX,
  vxlanFlags,
  writeVxlanGbpHeader,
  writeVxlanHeader,
} from "../../src/wire/vxlan.ts";

const anyVni = fc.oneof(fc.constantFrom(0, 1, VNI_MAX), fc.nat(VNI_MAX));
const anyHeader = fc.uint8Array({ minLength: VXLAN_LENGTH, maxLength: VXLAN_LENGTH });

describe("RFC 7348 section 5: the header", () => {
  it("is 08 00 00 00, the VNI, 00", () => {
    const bytes = new Uint8Array(VXLAN_LENGTH).fill(0xa5);
    writeVxlanHeader(bytes, 0, 1);
    expect(hex(bytes)).toBe("0800000000000100");
    expect([VXLAN_PORT_IANA, VXLAN_PORT_LINUX]).toEqual([4789, 8472]);
  });

  it("written by the view is what the table writes, and nothing beside it", () => {
    fc.assert(
      fc.property(anyVni, fc.nat(8), (vni, at) => {
        const bytes = new Uint8Array(24).fill(0xa5);
        const oracle = bytes.slice();
        writeVxlanHeader(bytes, at, vni);
        encode(VXLAN, { i: 1, vni }, oracle, at);
        expect(bytes).toEqual(oracle);
        expect(readVni(bytes, at)).toBe(vni);
        expect(hasReservedBits(bytes, at)).toBe(false);
      }),
    );
  });

  it("read by the view is what the table reads, whatever the bytes", () => {
    fc.assert(
      fc.property(anyHeader, (bytes) => {
        const { values } = decode(VXLAN, bytes);
        expect(readVni(bytes, 0)).toBe(values.vni);
        expect(hasVni(bytes, 0)).toBe(values.i === 1);
        const reserved = [values.reserved1, values.reserved2, values.reserved3, values.reserved4];
        expect(hasReservedBits(bytes, 0)).toBe(reserved.some((value) => value !== 0));
      }),
    );
  });

  it("finds each single reserved bit", () => {
    for (let bit = 0; bit < 64; bit++) {
      const bytes = new Uint8Array(VXLAN_LENGTH);
      writeVxlanHeader(bytes, 0, 0);
      bytes[bit >> 3]! |= 0x80 >> (bit & 7);
      expect(hasReservedBits(bytes, 0), `bit ${bit}`).toBe(bit !== 4 && (bit < 32 || bit >= 56));
    }
  });
});

describe("group policy", () => {
  it("is written as the table writes it", () => {
    fc.assert(
      fc.property(anyVni, fc.nat(0xffff), (vni, group) => {
        const bytes = new Uint8Array(VXLAN_LENGTH).fill(0xa5);
        writeVxlanGbpHeader(bytes, 0, vni, group);
        expect(bytes).toEqual(encode(VXLAN_GBP, { vni, group }));
        expect(bytes[0]).toBe(0x88);
      }),
    );
  });

  it("is what a policy says, and the other way round; one that says nothing has no G", () => {
    const policy = fc.record({ group: fc.nat(0xffff), dontLearn: fc.boolean(), applied: fc.boolean() });
    fc.assert(
      fc.property(policy, anyVni, (said, vni) => {
        const bytes = new Uint8Array(VXLAN_LENGTH).fill(0xa5);
        setVxlanHeader(new DataView(bytes.buffer), 0, vxlanFlags(said), vni);
        const { group, dontLearn, applied } = said;
        const nothing = group === 0 && !dontLearn && !applied;
        const fields = { vni, group, d: dontLearn ? 1 : 0, a: applied ? 1 : 0, g: nothing ? 0 : 1 };
        expect(bytes).toEqual(encode(VXLAN_GBP, fields));
        expect(groupPolicyOf(i32(bytes, 0))).toEqual(nothing ? null : said);
        expect(gbpDontLearn(bytes, 0)).toBe(dontLearn);
        expect(hasReservedBitsBesideGroup(bytes, 0)).toBe(false);
      }),
    );
    expect(vxlanFlags()).toBe(VXLAN_FLAG_I << 24);
    expect(gbpDontLearn(Uint8Array.of(VXLAN_FLAG_I, VXLAN_GBP_D, 0, 0, 0, 0, 1, 0), 0)).toBe(false); // no G
  });

  it("owns G and the 24 bits after the flags, no other reserved bit (VXLAN_GBP_USED_BITS)", () => {
    for (let bit = 0; bit < 64; bit++) {
      const bytes = new Uint8Array(VXLAN_LENGTH);
      writeVxlanHeader(bytes, 0, 0);
      bytes[bit >> 3]! |= 0x80 >> (bit & 7);
      const owned = bit === 0 || bit === 4 || (bit >= 8 && bit < 56);
      expect(hasReservedBitsBesideGroup(bytes, 0), `bit ${bit}`).toBe(!owned);
    }
  });

  it("is read as the table reads it", () => {
    fc.assert(
      fc.property(anyHeader, (bytes) => {
        const { values } = decode(VXLAN_GBP, bytes);
        expect(hasGroup(bytes, 0)).toBe(values.g === 1);
        expect(readGroup(bytes, 0)).toBe(values.group);
        expect((bytes[1]! & VXLAN_GBP_D) !== 0).toBe(values.d === 1);
        expect((bytes[1]! & VXLAN_GBP_A) !== 0).toBe(values.a === 1);
        expect((bytes[0]! & VXLAN_FLAG_I) !== 0).toBe(values.i === 1);
        expect((bytes[0]! & VXLAN_FLAG_G) !== 0).toBe(values.g === 1);
      }),
    );
  });
});
