import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressOf, cidrsOverlap, parseCidr } from "../../../src/control/address.ts";
import {
  describeExhausted,
  freeSubnets,
  inPool,
  pickSubnet,
  type SubnetPool,
} from "../../../src/control/flannel/subnets.ts";
import { netConf } from "./samples.ts";

const SEED = 875;

const pool = netConf().ipv4!.pool!;
const six = netConf({ EnableIPv6: true, IPv6Network: "fd00:10:244::/48" }).ipv6!.pool!;

describe("freeSubnets", () => {
  it("gives the first hundred, from the second subnet of the network on", () => {
    const free = freeSubnets(pool, []);
    expect(free).toHaveLength(100);
    expect([free[0], free[99]]).toEqual(["10.244.1.0/24", "10.244.100.0/24"]);
    expect(freeSubnets(six, []).slice(0, 2)).toEqual(["fd00:10:244:1::/64", "fd00:10:244:2::/64"]);
  });

  it("leaves out whatever overlaps, in any order and of any length, and does not mind the other family", () => {
    const taken = ["10.244.4.0/23", "10.244.1.0/24", "10.244.2.8/30", "10.0.0.0/30", "fd00::/8"];
    expect(freeSubnets(pool, taken, 4)).toEqual([
      "10.244.3.0/24",
      "10.244.6.0/24",
      "10.244.7.0/24",
      "10.244.8.0/24",
    ]);
  });

  it("jumps over a reservation of nearly everything", () => {
    const taken = ["fd00:10:244::/49", "fd00:10:244:8000::/50", "fd00:10:244:c000::/51"];
    expect(freeSubnets(six, taken, 1)).toEqual(["fd00:10:244:e000::/64"]);
  });

  it("agrees with a look at each subnet and each that is taken", () => {
    const network = fc.constantFrom(
      { family: 4, bits: 32, base: 0x0af40000n } as const,
      {
        family: 6,
        bits: 128,
        base: 0xfd00n << 112n,
      } as const,
    );
    const setup = fc.tuple(
      network,
      fc.integer({ min: 2, max: 6 }),
      fc.nat(30),
      fc.nat(30),
      fc.array(fc.tuple(fc.nat(63), fc.integer({ min: 0, max: 6 }), fc.nat(3)), { maxLength: 12 }),
    );
    fc.assert(
      fc.property(
        setup,
        fc.integer({ min: 1, max: 70 }),
        ([{ family, bits, base }, cut, from, to, held], most) => {
          // A network of 64 × 4 addresses, cut into 2^cut subnets.
          const length = bits - 8 + cut;
          const size = 1n << BigInt(8 - cut);
          const count = 1 << cut;
          const [low, high] = [from % count, to % count].sort((a, b) => a - b) as [number, number];
          const first = base + size * BigInt(low);
          const last = base + size * BigInt(high);
          const small: SubnetPool = { family, length, first, last };
          const taken = held.map(([at, up, low]) => {
            const { network, prefix } = parseCidr(
              `${addressOf(family, base + BigInt(at * 4 + low))}/${bits - up}`,
            );
            return `${network}/${prefix}`;
          });
          const expected: string[] = [];
          for (let subnet = first; subnet <= last; subnet += size) {
            const text = `${addressOf(family, subnet)}/${length}`;
            if (!taken.some((one) => cidrsOverlap(parseCidr(one), parseCidr(text)))) expected.push(text);
          }
          expect(freeSubnets(small, taken, most)).toEqual(expected.slice(0, most));
          for (const subnet of expected) expect(inPool(small, subnet)).toBe(true);
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });
});

describe("pickSubnet", () => {
  it("takes any of the first hundred, by the number it is given", () => {
    expect(pickSubnet(pool, [], () => 0)).toBe("10.244.1.0/24");
    expect(pickSubnet(pool, [], () => 0.999999)).toBe("10.244.100.0/24");
  });

  it("finds the only one left", () => {
    const all = freeSubnets(pool, [], 255);
    expect(all).toHaveLength(255);
    expect(pickSubnet(pool, all.toSpliced(200, 1))).toBe(all[200]);
    expect(pickSubnet(pool, all)).toBeNull();
  });
});

describe("inPool", () => {
  it.each([
    ["10.244.1.0/24", true],
    ["10.244.255.0/24", true],
    ["10.244.0.0/24", false],
    ["10.244.1.0/25", false],
    ["10.245.1.0/24", false],
    ["fd00:10:244:1::/64", false],
  ])("%s: %s", (subnet, inside) => {
    expect(inPool(pool, subnet)).toBe(inside);
  });
});

describe("describeExhausted", () => {
  it("says how many there are, and which", () => {
    expect(describeExhausted(pool)).toBe("all 255 subnets from 10.244.1.0/24 to 10.244.255.0/24 are taken");
    const one = netConf({ SubnetMin: "10.244.7.0", SubnetMax: "10.244.7.0" }).ipv4!.pool!;
    expect(describeExhausted(one)).toBe("the only subnet, 10.244.7.0/24, is taken");
  });
});
