import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AddressError,
  addressBytes,
  addressKind,
  cidrContains,
  cidrsOverlap,
  familyOf,
  parseAddress,
  parseCidr,
} from "../../src/control/address.ts";
import { formatIpv4, formatIpv6 } from "../../src/wire/bytes.ts";

const ipv4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Many zero bytes, so that runs of zero groups are common; never an IPv4 address inside IPv6. */
const ipv6Bytes = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(255)), { minLength: 15, maxLength: 15 })
  .map((rest) => Uint8Array.from([0xfd, ...rest]));

describe("parseAddress", () => {
  it.each([
    ["192.168.0.1", "192.168.0.1"],
    ["FD00:0:0:0:0:0:0:ABCD", "fd00::abcd"],
    ["fd00:0:0:1:0:0:0:1", "fd00:0:0:1::1"],
    ["fd00:0:1:2:3:4:5:6", "fd00:0:1:2:3:4:5:6"],
    ["fd00:2::", "fd00:2::"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["::", "::"],
    ["::1", "::1"],
  ])("reads %s as %s", (text, canonical) => {
    expect(parseAddress(text)).toBe(canonical);
  });

  it.each([
    ["", /no IP address/],
    ["1.2.3", /no IP address/],
    ["01.2.3.4", /no IP address/], // octal to some, decimal to others
    ["1.2.3.4 ", /no IP address/],
    ["256.1.1.1", /no IP address/],
    ["fe80::1%eth0", /zone/],
    ["::ffff:1.2.3.4", /inside an IPv6 one/],
    ["::102:304", /inside an IPv6 one/],
    ["1::2::3", /no IPv6 address/],
    ["[::1]", /no IPv6 address/],
  ])("refuses %j", (text, message) => {
    expect(() => parseAddress(text)).toThrow(message);
  });

  it("takes what node:net takes, and nothing else", () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{0,24}$/),
      fc.stringMatching(/^(\d{1,4}\.){2,4}\d{1,4}$/),
    );
    fc.assert(
      fc.property(text, (address) => {
        let canonical: string | null = null;
        try {
          canonical = parseAddress(address);
        } catch (error) {
          expect(error).toBeInstanceOf(AddressError);
          if (/inside an IPv6 one/.test((error as Error).message)) return;
        }
        expect(canonical !== null).toBe(isIPv4(address) || isIPv6(address));
      }),
      { numRuns: 2000 },
    );
  });

  it("prints IPv6 as the URL standard does", () => {
    fc.assert(
      fc.property(ipv6Bytes, (bytes) => {
        const long = Array.from({ length: 8 }, (_, i) =>
          ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16),
        );
        expect(`[${parseAddress(long.join(":"))}]`).toBe(new URL(`http://[${long.join(":")}]/`).hostname);
      }),
    );
  });
});

describe("addressBytes", () => {
  it("is the way back from formatIpv4 and formatIpv6", () => {
    const [four, six] = [formatIpv4, formatIpv6].map((format) => (bytes: Uint8Array): void => {
      expect(addressBytes(format(bytes, 0))).toEqual(bytes);
    });
    fc.assert(fc.property(ipv4Bytes, four!));
    fc.assert(fc.property(ipv6Bytes, six!));
  });
});

describe("parseCidr", () => {
  it("keeps host bits and knows the network", () => {
    const cidr = parseCidr("10.244.2.5/24");
    expect(cidr).toMatchObject({ text: "10.244.2.5/24", address: "10.244.2.5", network: "10.244.2.0" });
    expect(parseCidr("FD00:2::5/64")).toMatchObject({ text: "fd00:2::5/64", network: "fd00:2::", family: 6 });
  });

  it.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129", "/8"])(
    "refuses %s",
    (text) => {
      expect(() => parseCidr(text)).toThrow(AddressError);
    },
  );

  it("says what is missing when there is no prefix length", () => {
    expect(() => parseCidr("10.244.1.0")).toThrow(
      expect.objectContaining({ code: "BAD_ADDRESS", remedy: "write 10.244.1.0/32 for this address alone" }),
    );
  });

  it("finds networks, members and overlaps as arithmetic does", () => {
    const cidr = fc.tuple(
      ipv4Bytes.map((b) => [10, b[1]! & 3, b[2]!, b[3]!]),
      fc.integer({ min: 8, max: 32 }),
    );
    const number = (b: readonly number[]): number => b.reduce((n, byte) => n * 256 + byte, 0);
    fc.assert(
      fc.property(cidr, cidr, ([a, aLength], [b, bLength]) => {
        const left = parseCidr(`${a.join(".")}/${aLength}`);
        const right = parseCidr(`${b.join(".")}/${bLength}`);
        const shorter = 2 ** (32 - Math.min(aLength, bLength));
        const same = Math.floor(number(a) / shorter) === Math.floor(number(b) / shorter);
        expect(cidrsOverlap(left, right)).toBe(same);
        const inLeft =
          Math.floor(number(a) / 2 ** (32 - aLength)) === Math.floor(number(b) / 2 ** (32 - aLength));
        expect(cidrContains(left, b.join("."))).toBe(inLeft);
        expect(Number(left.first)).toBe(Math.floor(number(a) / 2 ** (32 - aLength)) * 2 ** (32 - aLength));
        expect(parseCidr(`${left.network}/${aLength}`).first).toBe(left.first);
      }),
    );
  });

  it("never mixes the families", () => {
    expect(cidrsOverlap(parseCidr("0.0.0.0/0"), parseCidr("::/0"))).toBe(false);
    expect(cidrContains(parseCidr("::/0"), "10.0.0.1")).toBe(false);
  });
});

describe("addressKind and familyOf", () => {
  it.each([
    ["0.0.0.0", "unspecified"],
    ["::", "unspecified"],
    ["127.0.0.1", "loopback"],
    ["::1", "loopback"],
    ["224.0.0.1", "multicast"],
    ["ff02::1", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["169.254.1.1", "link-local"],
    ["fe80::1", "link-local"],
    ["10.244.2.0", "unicast"],
    ["fd00:2::", "unicast"],
  ])("%s is %s", (address, kind) => {
    expect(addressKind(address)).toBe(kind);
    expect(familyOf(address)).toBe(address.includes(":") ? 6 : 4);
  });
});
