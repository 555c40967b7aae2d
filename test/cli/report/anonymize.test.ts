/** Addresses that stand for others, and what stays true of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Anonymizer } from "../../../src/cli/report/anonymize.ts";
import { addressValue, parseCidr } from "../../../src/control/address.ts";

const KEY = new Uint8Array(32).fill(7);
const make = () => new Anonymizer("worker-17", KEY);
const one = make();

/** How many bits two addresses begin with alike. */
function shared(a: string, b: string, bits: number): number {
  const [x, y] = [addressValue(a), addressValue(b)];
  let same = 0;
  while (same < bits && x >> BigInt(bits - same - 1) === y >> BigInt(bits - same - 1)) same++;
  return same;
}

describe("IPv4", () => {
  it("the same address is the same each time, in every text", () => {
    const text = one.anonymize("peer 172.19.0.3 is 172.19.0.3");
    const [, first, second] = /^peer (\S+) is (\S+)$/.exec(text)!;
    expect(first).toBe(second);
    expect(first).not.toBe("172.19.0.3");
    expect(one.anonymize("172.19.0.3:8472")).toBe(`${first}:8472`);
    expect(make().anonymize("172.19.0.3")).toBe(first);
    expect(new Anonymizer("", new Uint8Array(32)).anonymize("172.19.0.3")).not.toBe(first);
  });

  it("private ones share what they shared, and stay private; two are never one", () => {
    const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((rest) => `10.${rest.join(".")}`);
    fc.assert(
      fc.property(address, address, (a, b) => {
        const [x, y] = [one.anonymize(a), one.anonymize(b)];
        expect(x).toMatch(/^10\./);
        expect(shared(x, y, 32)).toBe(shared(a, b, 32));
      }),
    );
  });

  it("public ones go to where nobody is, and share what they shared", () => {
    const [a, b, c] = ["203.0.113.5", "203.0.113.9", "203.0.200.1"].map((text) => one.anonymize(text)) as [
      string,
      string,
      string,
    ];
    for (const text of [a, b, c]) expect(Number(text.split(".")[0])).toBeGreaterThanOrEqual(240);
    expect(shared(a, b, 32)).toBe(shared("203.0.113.5", "203.0.113.9", 32));
    expect(shared(a, c, 32)).toBe(shared("203.0.113.5", "203.0.200.1", 32));
  });

  it("a subnet stays one, and its addresses stay in it", () => {
    const subnet = one.anonymize("10.244.3.0/24");
    expect(parseCidr(subnet).first).toBe(addressValue(subnet.split("/")[0]!));
    expect(shared(subnet.split("/")[0]!, one.anonymize("10.244.3.77"), 32)).toBeGreaterThanOrEqual(24);
    // etcd's keys.
    expect(one.anonymize("subnets/10.244.3.0-24")).toBe(`subnets/${subnet.replace("/", "-")}`);
  });

  it.each(["0.0.0.0/0", "127.0.0.1", "255.255.255.0", "239.1.1.1", "ff02::1", "::1", "::", "::/0"])(
    "%s names nobody, and stays",
    (text) => {
      expect(one.anonymize(text)).toBe(text);
    },
  );

  it.each([
    "poplin 0.1.0",
    "at 12:34:56.789",
    "2026-11-26T20:48:20.736Z",
    "std::vector",
    "1.2.3.4.5",
    "a:b:c",
  ])("%s is no address", (text) => {
    expect(one.anonymize(text)).toBe(text);
  });
});

describe("IPv6", () => {
  it("stays link-local, local or global, and shares what it shared", () => {
    for (const [a, b] of [
      ["fe80::1", "fe80::42:acff:fe11:2"],
      ["fd00:10:244::5", "fd00:10:244:1::5"],
      ["2001:db8::1", "2001:db8:1::1"],
    ] as const) {
      const [x, y] = [one.anonymize(a), one.anonymize(b)];
      expect([x, y]).not.toEqual([a, b]);
      expect(shared(x, y, 128)).toBe(shared(a, b, 128));
      expect(x.slice(0, 1)).toMatch(/[f23]/);
    }
  });

  it("of a solicited node's group the part of the address is replaced", () => {
    const text = one.anonymize("ff02::1:ff00:1234");
    expect(text).toMatch(/^ff02::1:ff/);
    expect(text).not.toContain("1234");
  });

  it("one that holds an IPv4 address does not tell it", () => {
    expect(one.anonymize("::ffff:203.0.113.5")).toBe(`::ffff:${one.anonymize("203.0.113.5")}`);
    expect(one.anonymize("::ffff:cb00:7105 is")).toBe("(address) is");
  });
});

it("whatever stands there, it says something", () => {
  const words = fc.array(
    fc.constantFrom("::", "fe80", ":", ".", "10.0.0.1", "/", "24", "ff", " ", "%", "-", "0"),
  );
  fc.assert(fc.property(words, (some) => typeof one.anonymize(some.join("")) === "string"));
});

it("MACs: the same each time, a group's stay; this host has no name any more", () => {
  const text = one.anonymize(
    "0e:2a:00:00:00:01 0E:2A:00:00:00:01 ff:ff:ff:ff:ff:ff 01:00:5e:00:00:01 33:33:00:00:00:01",
  );
  const [first, second, ...groups] = text.split(" ");
  expect(first).toBe(second);
  expect(first).not.toBe("0e:2a:00:00:00:01");
  expect(Number.parseInt(first!.slice(0, 2), 16) & 3).toBe(2);
  expect(groups.join(" ")).toBe("ff:ff:ff:ff:ff:ff 01:00:5e:00:00:01 33:33:00:00:00:01");
  expect(one.anonymize("node worker-17, not worker-171")).toBe("node this-host, not worker-171");
});
