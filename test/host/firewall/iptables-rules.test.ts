/** flannel's rules for iptables: their text, and the way back to them from whatever somebody made of the tables. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chainLines,
  iptablesChains,
  parseRules,
  type SavedTable,
  wipeLines,
} from "../../../src/host/firewall/iptables-rules.ts";
import type { FirewallWish, Masqueraded } from "../../../src/host/firewall/wish.ts";
import { FILTER, NAT } from "../../helpers/flannel-chains.ts";
import { restored } from "./restore-model.ts";

const V4: Masqueraded = { family: 4, network: "10.244.0.0/16", subnet: "10.244.0.0/24" };
const V6: Masqueraded = { family: 6, network: "fd00:10:244::/48", subnet: "fd00:10:244:1::/64" };
const WISH: FirewallWish = { networks: [V4, V6], masquerade: true, forward: true, randomFully: true };
const OTHER: Masqueraded = { family: 4, network: "10.5.0.0/16", subnet: "10.5.1.0/24" };

const nat = (wish = WISH, former: Masqueraded[] = []) => iptablesChains(4, wish, former)[0]!;
const filter = (wish = WISH, former: Masqueraded[] = []) => iptablesChains(4, wish, former)[1]!;

/** As on a node of a real cluster of kind: its `iptables -t nat -S`, what is not flannel's shortened. */
const REAL_NAT = `
-P PREROUTING ACCEPT
-P POSTROUTING ACCEPT
-N KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -d 172.19.0.1/32 -j DOCKER_POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
${NAT}-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
`;
const REAL_FILTER = `
-P FORWARD ACCEPT
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
${FILTER}`;

describe("the rules", () => {
  it("are those that flanneld left on a real node: there is nothing to do", () => {
    expect(chainLines(nat(), parseRules(REAL_NAT))).toEqual([]);
    expect(chainLines(filter(), parseRules(REAL_FILTER))).toEqual([]);
  });

  it("for IPv6 are the same with the groups of IPv6", () => {
    const masq = '-m comment --comment "flanneld masq"';
    const [chain] = iptablesChains(6, { ...WISH, randomFully: false });
    expect(chain!.rules).toEqual([
      `-s fd00:10:244:1::/64 -d fd00:10:244::/48 ${masq} -j RETURN`,
      `-s fd00:10:244::/48 -d fd00:10:244:1::/64 ${masq} -j RETURN`,
      `! -s fd00:10:244::/48 -d fd00:10:244:1::/64 ${masq} -j RETURN`,
      `-s fd00:10:244::/48 ! -d ff00::/8 ${masq} -j MASQUERADE`,
      `! -s fd00:10:244::/48 -d fd00:10:244::/48 ${masq} -j MASQUERADE`,
    ]);
  });

  it("are none where nothing is wished, or no network has that family", () => {
    const rules = (family: 4 | 6, wish: FirewallWish) =>
      iptablesChains(family, wish).map((chain) => chain.rules.length);
    expect(rules(4, { ...WISH, masquerade: false })).toEqual([0, 2]);
    expect(rules(4, { ...WISH, forward: false })).toEqual([5, 0]);
    expect(rules(6, { ...WISH, networks: [V4] })).toEqual([0, 0]);
  });
});

describe("what puts them right", () => {
  const masq = '-m comment --comment "flanneld masq"';
  const marked = `-m mark --mark 0x4000/0x4000 ${masq} -j RETURN`;

  it("makes all of it where there is nothing", () => {
    expect(chainLines(filter(), parseRules("-P FORWARD ACCEPT\n"))).toEqual([
      ":FLANNEL-FWD - [0:0]",
      '-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
      '-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
      '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
    ]);
    expect(chainLines(nat(), parseRules("-P POSTROUTING ACCEPT\n")).slice(0, 3)).toEqual([
      ":FLANNEL-POSTRTG - [0:0]",
      `-I FLANNEL-POSTRTG 1 ${marked}`,
      `-A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 ${masq} -j RETURN`,
    ]);
  });

  it("sets a jump that is gone, and takes away one that is there twice", () => {
    const jump = '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG';
    expect(chainLines(nat(), parseRules(REAL_NAT.replace(jump, "")))).toEqual([jump]);
    expect(chainLines(nat(), parseRules(REAL_NAT.replace(jump, `${jump}\n${jump}\n${jump}`)))).toEqual([
      jump.replace("-A", "-D"),
      jump.replace("-A", "-D"),
    ]);
  });

  it("moves the rule of kube-proxy's mark to the front, and leaves the others where they are", () => {
    const last = parseRules(
      `${REAL_NAT.replace(`-A FLANNEL-POSTRTG ${marked}\n`, "")}-A FLANNEL-POSTRTG ${marked}\n`,
    );
    expect(chainLines(nat(), last)).toEqual([
      `-D FLANNEL-POSTRTG ${marked}`,
      `-I FLANNEL-POSTRTG 1 ${marked}`,
    ]);
  });

  it("removes rules of a subnet and of a port choice from before", () => {
    const former: Masqueraded = { ...V4, subnet: "10.244.7.0/24" };
    const then = parseRules(restoredText(nat({ ...WISH, networks: [former], randomFully: false })));
    const lines = chainLines(nat(WISH, [former]), then);
    expect(lines.filter((line) => line.startsWith("-D")).length).toBe(5);
    const now = restored(then, lines);
    expect(now.get("FLANNEL-POSTRTG")).toEqual([marked, ...nat().rules]);
  });

  it("removes what is no longer wished, with the chain where nobody else has rules in it", () => {
    const off = { ...WISH, masquerade: false, forward: false };
    const now = restored(parseRules(REAL_NAT), chainLines(nat(off), parseRules(REAL_NAT)));
    expect(now.has("FLANNEL-POSTRTG")).toBe(false);
    expect(now.get("POSTROUTING")).toHaveLength(2);

    const two = restored(
      parseRules(REAL_NAT),
      chainLines(nat({ ...WISH, networks: [OTHER] }), parseRules(REAL_NAT)),
    );
    const left = restored(two, chainLines(nat(off), two));
    expect(left.get("FLANNEL-POSTRTG")).toEqual([marked, ...nat({ ...WISH, networks: [OTHER] }).rules]);
    expect(left.get("POSTROUTING")).toHaveLength(3);
    expect(chainLines(nat(off), parseRules("-P POSTROUTING ACCEPT"))).toEqual([]);
  });

  it("takes a chain away with whatever jumps to it from the kernel's own", () => {
    const odd = parseRules(`${REAL_FILTER}-A FORWARD -i eth0 -j FLANNEL-FWD\n`);
    const now = restored(odd, wipeLines(filter(), odd));
    expect([...now]).toEqual([
      ["FORWARD", ['-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD']],
    ]);
    expect(wipeLines(filter(), now)).toEqual([]);
  });
});

describe("from any state", () => {
  const ours = nat();
  const theirs = nat({ ...WISH, networks: [OTHER] });
  const foreign = ["-s 192.0.2.0/24 -j RETURN", "-p tcp -m tcp --dport 53 -j RETURN"];
  /** Rules of all sorts, any number of times, in any order. */
  const chain = fc.array(
    fc.constantFrom(ours.shared!, ...ours.rules, ...ours.stale, ...theirs.rules, ...foreign),
    {
      maxLength: 25,
    },
  );
  const outer = fc.array(
    fc.constantFrom(ours.jump, "-o eth0 -j KUBE-POSTROUTING", "-s 192.0.2.1/32 -j ACCEPT"),
    {
      maxLength: 6,
    },
  );
  const state = fc
    .tuple(fc.option(chain), outer)
    .map(
      ([inner, from]): SavedTable =>
        new Map([["POSTROUTING", from], ...(inner === null ? [] : [["FLANNEL-POSTRTG", inner] as const])]),
    );

  it("our rules are there in order and once, others' are what they were, and there is nothing more to do", () => {
    fc.assert(
      fc.property(state, (before) => {
        const after = restored(before, chainLines(ours, before));
        const rules = after.get("FLANNEL-POSTRTG")!;
        expect(rules.filter((rule) => ours.rules.includes(rule))).toEqual(ours.rules);
        expect(rules.filter((rule) => rule === ours.shared)).toHaveLength(1);
        expect(rules.indexOf(ours.shared!)).toBeLessThan(rules.indexOf(ours.rules[0]!));
        const own = [ours.shared!, ...ours.rules, ...ours.stale];
        const others = (all: readonly string[]) => all.filter((rule) => !own.includes(rule));
        expect(others(rules)).toEqual(others(before.get("FLANNEL-POSTRTG") ?? []));
        const from = after.get("POSTROUTING")!;
        expect(from.filter((rule) => rule === ours.jump)).toHaveLength(1);
        expect(from.filter((rule) => rule !== ours.jump)).toEqual(
          before.get("POSTROUTING")!.filter((rule) => rule !== ours.jump),
        );
        expect(chainLines(ours, after)).toEqual([]);
      }),
    );
  });

  it("two nodes of two networks come to rest after one turn each, whoever begins", () => {
    fc.assert(
      fc.property(state, fc.boolean(), (before, first) => {
        const [a, b] = first ? [ours, theirs] : [theirs, ours];
        let now = restored(before, chainLines(a, before));
        now = restored(now, chainLines(b, now));
        expect(chainLines(a, now)).toEqual([]);
        expect(chainLines(b, now)).toEqual([]);
      }),
    );
  });
});

/** A table in which a chain is as it should be, as iptables prints it. */
function restoredText(own: ReturnType<typeof nat>): string {
  const table = restored(new Map([[own.from, []]]), chainLines(own, new Map([[own.from, []]])));
  return [...table]
    .flatMap(([chain, rules]) => [`-N ${chain}`, ...rules.map((rule) => `-A ${chain} ${rule}`)])
    .join("\n");
}
