import { expect, it } from "vitest";
import { inTheWay, isNamed, leaseOfNobody, subnetsOverlap } from "../../src/stores/picked.ts";

const BOTH = { ipv4: "10.244.1.0/24", ipv6: "fd00:1::/64" };
const KEY = "10.244.1.0-24&fd00:1::-64";

it("says whether two nodes can have subnets at the same time", () => {
  expect(subnetsOverlap(BOTH, { ipv4: "10.244.0.0/22", ipv6: null })).toBe(true);
  expect(subnetsOverlap(BOTH, { ipv4: "10.244.2.0/24", ipv6: "fd00:1::/64" })).toBe(true);
  expect(subnetsOverlap(BOTH, { ipv4: "10.244.2.0/24", ipv6: "fd00:2::/64" })).toBe(false);
  expect(subnetsOverlap({ ...BOTH, ipv4: null }, { ...BOTH, ipv6: null })).toBe(false);
});

it("finds another lease that has a part of our subnets, be it nobody's, and not ours", () => {
  const own = leaseOfNobody(KEY, BOTH);
  const beside = leaseOfNobody("10.244.2.0-24", { ipv4: "10.244.2.0/24", ipv6: null });
  const over = leaseOfNobody("10.244.0.0-22", { ipv4: "10.244.0.0/22", ipv6: null });
  expect(inTheWay(own, [beside, own])).toBe(null);
  expect(inTheWay(own, [beside, own, over])).toBe(over);
});

it("finds among names another that names a part of our subnets", () => {
  const own = { key: KEY, subnets: BOTH };
  expect(isNamed(own, [KEY, "10.244.2.0-24", ".lock", ""])).toBe(false);
  expect(isNamed(own, ["10.244.2.0-24&fd00:1::-64"])).toBe(true);
});
