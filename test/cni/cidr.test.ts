import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkOf } from "../../src/cni/cidr.ts";
import { parseCidr } from "../../src/control/address.ts";

const SEED = 20_26;

/** What the agent makes of the same text; null where it refuses it. */
function oracle(text: string): string | null {
  try {
    const { network, prefix } = parseCidr(text);
    return `${network}/${prefix}`;
  } catch {
    return null;
  }
}

describe("a CIDR without host bits", () => {
  it.each([
    ["10.244.1.1/24", "10.244.1.0/24"],
    ["10.244.1.255/31", "10.244.1.254/31"],
    ["255.255.255.255/0", "0.0.0.0/0"],
    ["10.244.1.1/32", "10.244.1.1/32"],
    ["fd00:10:244:1::1/64", "fd00:10:244:1::/64"],
    ["FD00:0:0:1:2:3:4:5/49", "fd00::/49"],
    ["fd00:10:244:fff1::1/60", "fd00:10:244:fff0::/60"],
    ["::1/128", "::1/128"],
    ["::/0", "::/0"],
  ])("%s is %s", (text, network) => {
    expect([networkOf(text), oracle(text)]).toEqual([network, network]);
  });

  it.each([
    "",
    "10.244.1.1",
    "10.244.1.1/",
    "10.244.1.1/33",
    "10.244.1.1/08",
    "10.244.1/24",
    "10.244.01.1/24",
    "256.0.0.1/8",
    "fd00::1/129",
    "fd00:::1/64",
    "fd00::1%eth0/64",
    "::ffff:1.2.3.4/96",
    "1:2:3:4:5:6:7/64",
    "/24",
    "a/8",
    " 10.0.0.0/8",
  ])('"%s" is none', (text) => {
    expect([networkOf(text), oracle(text)]).toEqual([null, null]);
  });

  it("is what the agent reads, whatever the address", () => {
    const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 33 }));
    const v6 = fc.tuple(
      fc.ipV6().filter((text) => !text.includes(".")),
      fc.integer({ min: 0, max: 129 }),
    );
    fc.assert(
      fc.property(fc.oneof(v4, v6), ([address, prefix]) => {
        const text = `${address}/${prefix}`;
        const expected = oracle(text);
        // The agent refuses IPv4 addresses in IPv6's clothes, of which no pods' network consists.
        fc.pre(expected !== null || prefix > (address.includes(":") ? 128 : 32));
        expect(networkOf(text)).toBe(expected);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});
