import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checksum } from "../../src/wire/checksum.ts";
import { decode } from "../../src/wire/decode.ts";
import {
  CE,
  decapEcn,
  ECN_DROP,
  ECT_0,
  ECT_1,
  encapTos,
  encapTosNormal,
  NOT_ECT,
  setEcn,
} from "../../src/wire/ecn.ts";
import { IPV4 } from "../../src/wire/ipv4.ts";
import { IPV6 } from "../../src/wire/ipv6.ts";
import { ipTos } from "../../src/wire/views.ts";
import { ipv4, ipv6 } from "./frames.ts";

const ALL = [NOT_ECT, ECT_1, ECT_0, CE];

describe("RFC 6040 section 4.2, figure 4: decap", () => {
  // rows: inner; columns: outer not-ECT, ECT(0), ECT(1), CE
  it.each([
    [NOT_ECT, [NOT_ECT, NOT_ECT, NOT_ECT, ECN_DROP]],
    [ECT_0, [ECT_0, ECT_0, ECT_1, CE]],
    [ECT_1, [ECT_1, ECT_1, ECT_1, CE]],
    [CE, [CE, CE, CE, CE]],
  ])("inner %i", (inner, results) => {
    expect([NOT_ECT, ECT_0, ECT_1, CE].map((outer) => decapEcn(outer, inner))).toEqual(results);
  });

  it("looks at the ECN bits of a whole TOS byte only", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), (outer, inner) => {
        expect(decapEcn(outer, inner)).toBe(decapEcn(outer & 3, inner & 3));
      }),
    );
  });
});

describe("encap", () => {
  it("RFC 3168 section 9.1.1: as Linux does it, CE inside becomes ECT(0) outside", () => {
    expect(ALL.map((inner) => encapTos(0xb8, inner))).toEqual([0xb8, 0xb9, 0xba, 0xba]);
    expect(encapTos(0xff, NOT_ECT)).toBe(0xfc);
  });

  it("RFC 6040 section 4.1: normal mode copies the inner field", () => {
    expect(ALL.map((inner) => encapTosNormal(0xbb, inner))).toEqual([0xb8, 0xb9, 0xba, 0xbb]);
  });

  it("takes nothing of the inner DSCP", () => {
    expect(encapTos(0, 0xfe)).toBe(2);
    expect(encapTosNormal(0, 0xff)).toBe(3);
  });
});

describe("setEcn", () => {
  const values = { dscp: 0x2e, ecn: ECT_0, ttl: 7, flowLabel: 0xabcde };

  it("RFC 1624: keeps an IPv4 header checksum right", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), fc.nat(0xffff), fc.nat(63), (from, to, identification, dscp) => {
        const packet = ipv4(17, new Uint8Array(0), { ecn: from, identification, dscp });
        setEcn(packet, 0, to);
        expect(checksum(packet, 0, 20)).toBe(0);
        const { headerChecksum: _, ...rest } = decode(IPV4, packet).values;
        expect(rest).toMatchObject({ ecn: to, dscp, identification, version: 4, headerLength: 5 });
      }),
    );
  });

  it("does not repair a wrong one", () => {
    const packet = ipv4(17, new Uint8Array(0), { headerChecksum: 0x1234 });
    setEcn(packet, 0, CE);
    expect(checksum(packet, 0, 20)).not.toBe(0);
  });

  it("changes two bits of IPv6 and nothing else", () => {
    for (const ecn of ALL) {
      const { ttl: _, ...given } = values;
      const before = ipv6(17, new Uint8Array(3), given);
      const packet = new Uint8Array(before.length + 2).fill(0xa5);
      packet.set(before, 2);
      setEcn(packet, 2, ecn);
      expect(decode(IPV6, packet, 2).values).toEqual({ ...decode(IPV6, before).values, ecn });
      expect(ipTos(packet, 2)).toBe((0x2e << 2) | ecn);
      expect(packet.subarray(6)).toEqual(before.subarray(4));
    }
  });
});
