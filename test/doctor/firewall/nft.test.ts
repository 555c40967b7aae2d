/** What nftables does with a packet, judged from rulesets as `nft -j list ruleset` prints them (nftables 1.0.6). */
import { describe, expect, it } from "vitest";
import { blockedByNft } from "../../../src/doctor/firewall/nft.ts";
import type { Packet } from "../../../src/doctor/firewall/packet.ts";

const VXLAN: Packet = {
  ...{ hook: "input", family: 4, iif: "eth0", oif: null, src: "172.19.0.3", dst: "172.19.0.2" },
  ...{ proto: "udp", sport: 50_000, dport: 8472 },
};

const TABLE = { family: "inet", table: "guard" };
const chain = (name: string, base: object = {}) => ({ chain: { ...TABLE, name, handle: 1, ...base } });
const INPUT = chain("input", { type: "filter", hook: "input", prio: 0, policy: "accept" });
const rule = (expr: readonly object[], name = "input") => ({
  rule: { ...TABLE, chain: name, handle: 5, expr },
});
const match = (left: object, right: unknown, op = "==") => ({ match: { op, left, right } });
const DPORT = { payload: { protocol: "udp", field: "dport" } };
const COUNTER = { counter: { packets: 3, bytes: 200 } };
const DROP = { drop: null };

function blocked(...objects: object[]) {
  return blockedByNft({ nftables: [{ metainfo: {} }, { table: TABLE }, ...objects] }, VXLAN);
}

describe("a packet in nftables", () => {
  it("is stopped by a rule that it meets, which is named by its handle", () => {
    const iif = match({ meta: { key: "iifname" } }, "eth0");
    expect(blocked(INPUT, rule([iif, match(DPORT, 8472), COUNTER, DROP]))).toEqual({
      rule: "nft rule inet guard input handle 5: meta iifname eth0 udp dport 8472 drop",
      packets: 3,
      remedy: "nft delete rule inet guard input handle 5",
    });
  });

  it.each([
    ["another port", match(DPORT, 53)],
    ["another protocol's port", match({ payload: { protocol: "tcp", field: "dport" } }, 8472)],
    ["another interface", match({ meta: { key: "iifname" } }, "eth0", "!=")],
    [
      "another network",
      match({ payload: { protocol: "ip", field: "saddr" } }, { prefix: { addr: "10.0.0.0", len: 8 } }),
    ],
    ["a state that it is not in", match({ ct: { key: "state" } }, ["established", "related"], "in")],
    ["a named set", match({ payload: { protocol: "ip", field: "saddr" } }, "@bad")],
    ["a limit", { limit: { rate: 5, per: "minute" } }],
    ["what is not known here", { xt: null }],
  ])("passes a rule for %s", (_, test) => {
    expect(blocked(INPUT, rule([test, DROP]))).toBeNull();
  });

  it.each([
    ["a set of ports", match(DPORT, { set: [53, 8472] })],
    ["a range of ports", match(DPORT, { range: [8000, 9000] })],
    ["the port of any transport", match({ payload: { protocol: "th", field: "dport" } }, 8472)],
    [
      "its network",
      match({ payload: { protocol: "ip", field: "saddr" } }, { prefix: { addr: "172.19.0.0", len: 16 } }),
    ],
    ["its protocol", match({ meta: { key: "l4proto" } }, "udp")],
    ["what is new", match({ ct: { key: "state" } }, "new", "in")],
  ])("does not pass a rule for %s", (_, test) => {
    expect(blocked(INPUT, rule([test, { reject: { type: "icmp" } }]))).not.toBeNull();
  });

  it("goes by the order of rules and by jumps, and meets a policy", () => {
    const strict = chain("input", { type: "filter", hook: "input", prio: 0, policy: "drop" });
    expect(blocked(strict)?.rule).toBe("chain inet guard input { policy drop }");
    expect(blocked(strict, rule([match(DPORT, 8472), { accept: null }]))).toBeNull();
    const jump = rule([{ jump: { target: "more" } }]);
    expect(blocked(strict, chain("more"), jump, rule([{ accept: null }], "more"))).toBeNull();
    expect(blocked(INPUT, chain("more"), jump, rule([DROP], "more"))?.rule).toMatch(
      /guard more handle 5: drop/,
    );
    expect(blocked(strict, rule([{ vmap: { key: DPORT, data: "@verdicts" } }]))).toBeNull();
  });

  it("does not look at another family, another hook, NAT, another device, and tables that are left out", () => {
    const drops = rule([DROP]);
    const base = { type: "filter", hook: "input", prio: 0 };
    expect(blockedByNft({ nftables: [INPUT, drops] }, { ...VXLAN, hook: "output" })).toBeNull();
    expect(blocked(chain("input", { ...base, type: "nat" }), drops)).toBeNull();
    expect(blocked(chain("input", { ...base, hook: "ingress", dev: "eth9" }), drops)).toBeNull();
    expect(blockedByNft({ nftables: [INPUT, drops] }, VXLAN, ["inet guard"])).toBeNull();
    const six = { ...TABLE, family: "ip6" };
    const ip6 = [{ chain: { ...INPUT.chain, ...six } }, { rule: { ...drops.rule, ...six } }];
    expect(blocked(...ip6)).toBeNull();
    expect(blockedByNft(null, VXLAN)).toBeNull();
  });
});
