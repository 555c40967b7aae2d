/**
 * The firewall against the kernel's tables, in a namespace: what is there after `ensure`, whatever was there before, by
 * both variants of iptables and by nft. What the rules do to packets is in `firewall-traffic.full.test.ts`.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openFirewall, removeFirewall } from "../../src/host/firewall/firewall.ts";
import { IptablesFirewall, removeIptables } from "../../src/host/firewall/iptables.ts";
import { NftFirewall, removeNftables } from "../../src/host/firewall/nft.ts";
import type { FirewallWish } from "../../src/host/firewall/wish.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import { ipv6 } from "./pods.ts";
import { firewallPrograms, Programs, whereIs } from "./programs.ts";

const V4 = { family: 4, network: "10.244.0.0/16", subnet: "10.244.0.0/24" } as const;
const V6 = { family: 6, network: "fd00:10:244::/48", subnet: "fd00:10:244:1::/64" } as const;
const WISH: FirewallWish = { networks: [V4, V6], masquerade: true, forward: true, randomFully: true };
const ONLY4: FirewallWish = { ...WISH, networks: [V4] };
const OTHER: FirewallWish = {
  ...WISH,
  networks: [{ family: 4, network: "10.5.0.0/16", subnet: "10.5.1.0/24" }],
};

/** Somebody else's rules, before and after ours. */
const FOREIGN = `*nat
:KUBE-POSTROUTING - [0:0]
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
-A FORWARD -s 192.0.2.0/24 -j DROP
COMMIT
`;

/** As flanneld leaves it on a node of a real cluster. */
const NAT = `-N FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
`;
const POSTROUTING = `-P POSTROUTING ACCEPT
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
`;
const FILTER = `-N FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
`;
const FORWARD = `-P FORWARD ACCEPT
-A FORWARD -s 192.0.2.0/24 -j DROP
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
`;
const NAT6 = `-N FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s fd00:10:244:1::/64 -d fd00:10:244::/48 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s fd00:10:244::/48 -d fd00:10:244:1::/64 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s fd00:10:244::/48 -d fd00:10:244:1::/64 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s fd00:10:244::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s fd00:10:244::/48 -d fd00:10:244::/48 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
`;
const FILTER6 = `-N FLANNEL-FWD
-A FLANNEL-FWD -s fd00:10:244::/48 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d fd00:10:244::/48 -m comment --comment "flanneld forward" -j ACCEPT
`;

/** What one may do to the rules in the two chains, line by line. */
const DAMAGES: readonly (readonly [string, string])[] = [
  ["somebody flushed our chain", "-t nat -F FLANNEL-POSTRTG"],
  ["a rule is gone", "-t nat -D FLANNEL-POSTRTG 4"],
  ["the rule of kube-proxy's mark is gone", "-t nat -D FLANNEL-POSTRTG 1"],
  [
    "the rule of kube-proxy's mark is the last",
    `-t nat -D FLANNEL-POSTRTG 1
-t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN`,
  ],
  [
    "the order is wrong",
    `-t nat -D FLANNEL-POSTRTG 2
-t nat -A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN`,
  ],
  [
    "a rule is there twice",
    '-t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN',
  ],
  ["the jump is gone", '-t nat -D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG'],
  [
    "the jump is there twice",
    '-t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
  ],
  ["a rule of the other table is gone", "-t filter -D FLANNEL-FWD 1"],
  [
    "a chain is gone",
    `-t filter -D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-t filter -F FLANNEL-FWD
-t filter -X FLANNEL-FWD`,
  ],
];

let netns = "";
let programs: Programs;

function inside(command: string, args: readonly string[], input = ""): string {
  return execFileSync("ip", ["netns", "exec", netns, whereIs(command), ...args], {
    encoding: "utf8",
    input,
    stdio: "pipe",
    timeout: 60_000,
  });
}

function start(variant: "nft" | "legacy"): void {
  netns = `poplin-${randomBytes(4).toString("hex")}-fw`;
  execFileSync("ip", ["netns", "add", netns]);
  programs = new Programs(netns, firewallPrograms(variant));
}

function end(): void {
  programs.remove();
  execFileSync("ip", ["netns", "del", netns]);
}

describe.each(["nft", "legacy"] as const)("iptables (%s)", (variant) => {
  const needs = [namespaces(), tool(`iptables-${variant}`), tool("nft")];
  const list = (table: string, ...chain: string[]) =>
    inside(`iptables-${variant}`, ["-t", table, "-S", ...chain]);
  const whole = () => `${list("nat")}${list("filter")}`;

  describeWith(needs, "the chains", () => {
    beforeEach(() => {
      start(variant);
      inside(`iptables-${variant}-restore`, ["--noflush"], FOREIGN);
    });
    afterEach(end);

    it("are flannel's, word for word, after the first look, and the second finds nothing to do", async () => {
      const firewall = new IptablesFirewall(ONLY4);
      expect(await firewall.ensure()).toEqual(["iptables: 12 changes to flannel's rules"]);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("nat", "POSTROUTING")).toBe(POSTROUTING);
      expect(list("filter", "FLANNEL-FWD")).toBe(FILTER);
      expect(list("filter", "FORWARD")).toBe(FORWARD);
      programs.calls();
      expect(await firewall.ensure()).toEqual([]);
      // Nobody asks for IPv6 where the network has none: its tables may not be there.
      expect(programs.calls()).toEqual([
        "iptables --wait 10 -t nat -S POSTROUTING",
        "iptables --wait 10 -t nat -S FLANNEL-POSTRTG",
        "iptables --wait 10 -t filter -S FORWARD",
        "iptables --wait 10 -t filter -S FLANNEL-FWD",
      ]);
      expect(await new IptablesFirewall(ONLY4).ensure()).toEqual([]);
    });

    it.each(DAMAGES)("are put right when %s, by one transaction", async (_what, damage) => {
      const firewall = new IptablesFirewall(ONLY4);
      await firewall.ensure();
      const before = whole();
      for (const line of damage.split("\n")) inside("sh", ["-c", `iptables-${variant} ${line}`]);
      expect(whole()).not.toBe(before);
      programs.calls();
      expect(await firewall.ensure()).toHaveLength(1);
      expect(programs.calls().filter((call) => call.includes("restore"))).toHaveLength(1);
      expect(whole()).toBe(before);
      expect(await firewall.ensure()).toEqual([]);
    });

    it("come back when everything was flushed, and others' rules stay as they are", async () => {
      const firewall = new IptablesFirewall(ONLY4);
      await firewall.ensure();
      inside("sh", [
        "-c",
        `for t in nat filter; do iptables-${variant} -t $t -F; iptables-${variant} -t $t -X; done`,
      ]);
      inside(`iptables-${variant}-restore`, ["--noflush"], FOREIGN);
      await firewall.ensure();
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("nat", "POSTROUTING")).toBe(POSTROUTING);
    });

    it("hold the rules of two nodes of two networks, and both come to rest", async () => {
      const [one, two] = [new IptablesFirewall(ONLY4), new IptablesFirewall(OTHER)];
      await one.ensure();
      await two.ensure();
      const both = whole();
      expect(both).toContain("-s 10.5.0.0/16");
      expect([await one.ensure(), await two.ensure()]).toEqual([[], []]);
      inside(`iptables-${variant}`, ["-t", "nat", "-F", "FLANNEL-POSTRTG"]);
      await two.ensure();
      await one.ensure();
      expect([await two.ensure(), await one.ensure()]).toEqual([[], []]);
      expect(list("nat", "FLANNEL-POSTRTG").split("\n").sort()).toEqual(
        `${NAT}${both.match(/^-A FLANNEL-POSTRTG .*10\.5\..*\n/gm)?.join("")}`.split("\n").sort(),
      );
      // One of them has no rules any more: the other's stay.
      await new IptablesFirewall({ ...OTHER, masquerade: false, forward: false }).ensure();
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("filter", "FLANNEL-FWD")).toBe(FILTER);
    });

    it("lose the rules of the network before, and of what is no longer wished", async () => {
      await new IptablesFirewall({ ...OTHER, randomFully: false }).ensure();
      await new IptablesFirewall(ONLY4, OTHER.networks).ensure();
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("filter", "FLANNEL-FWD")).toBe(FILTER);
      await new IptablesFirewall({ ...ONLY4, masquerade: false }).ensure();
      expect(list("nat")).not.toContain("FLANNEL");
      expect(list("filter", "FLANNEL-FWD")).toBe(FILTER);
      const firewall = new IptablesFirewall({ ...ONLY4, forward: false });
      await firewall.ensure();
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("filter")).not.toContain("FLANNEL");
      programs.calls();
      await firewall.ensure();
      expect(programs.calls().filter((call) => call.includes("filter"))).toEqual([]);
    });

    it("go with all they hold, and what jumps to them", async () => {
      const before = whole();
      await new IptablesFirewall(ONLY4).ensure();
      await new IptablesFirewall(OTHER).ensure();
      expect(await removeIptables()).toEqual(["iptables: flannel's chains are gone"]);
      expect(whole()).toBe(before);
      expect(await removeIptables()).toEqual([]);
    });

    it("make way for the tables of nftables, and those for them", async () => {
      const before = whole();
      const iptables = await openFirewall("iptables", ONLY4);
      await iptables.firewall.ensure();
      expect(iptables).toMatchObject({ removed: [], warnings: [] });
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);

      const nftables = await openFirewall("nftables", ONLY4);
      await nftables.firewall.ensure();
      expect(nftables).toMatchObject({ removed: ["iptables: flannel's chains are gone"], warnings: [] });
      expect(whole()).toBe(before);
      expect(inside("nft", ["list", "ruleset"])).toContain("masquerade fully-random");

      const again = await openFirewall("iptables", { ...ONLY4, randomFully: false });
      await again.firewall.ensure();
      expect(inside("nft", ["list", "tables"])).not.toContain("flannel");
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT.replaceAll(" --random-fully", ""));
      expect(await removeFirewall()).toEqual(["iptables: flannel's chains are gone"]);
    });

    it("are set by an old iptables without what it does not know", async () => {
      const real = `ip netns exec ${netns} ${whereIs(`iptables-${variant}`)}`;
      programs.stand("iptables", `[ "$1" = --version ] && exec echo iptables v1.6.1; exec ${real} "$@"`);
      const { firewall, warnings } = await openFirewall("iptables", ONLY4);
      expect(warnings).toEqual([expect.stringContaining("this iptables cannot choose")]);
      programs.calls();
      await firewall.ensure();
      expect(programs.calls()).toEqual(["iptables-restore --noflush"]);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT.replaceAll(" --random-fully", ""));
    });

    it("of IPv6 that this kernel does not have do not hinder a network of IPv4", async () => {
      // What ip6tables says there.
      const script =
        "echo \"ip6tables v1.8.9: can't initialize ip6tables table \\`nat': Table does not exist\" >&2; exit 3";
      programs.stand("ip6tables", script);
      const { firewall } = await openFirewall("iptables", ONLY4, [V6]);
      expect(await firewall.ensure()).toHaveLength(1);
      expect(await firewall.ensure()).toEqual([]);
      await expect(new IptablesFirewall(WISH).ensure()).rejects.toMatchObject({
        code: "HOST_FIREWALL",
        message: expect.stringContaining("Table does not exist"),
      });
      expect(await removeIptables()).toEqual(["iptables: flannel's chains are gone"]);
    });

    it("are left as they are when a rule goes between look and change: it looks again", async () => {
      const firewall = new IptablesFirewall(ONLY4);
      await firewall.ensure();
      inside(`iptables-${variant}`, ["-t", "nat", "-D", "FLANNEL-POSTRTG", "2"]);
      // The first change meets a chain that somebody has just flushed.
      const real = `ip netns exec ${netns} iptables-${variant}`;
      const once = `[ -e "$0.done" ] || { touch "$0.done"; ${real} -t nat -F FLANNEL-POSTRTG; }`;
      programs.stand("iptables-restore", `${once}\nexec ${real}-restore "$@"`);
      expect(await firewall.ensure()).toHaveLength(1);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
    });
  });

  describeWith([...needs, ipv6()], "the chains of IPv6", () => {
    beforeAll(() => start(variant));
    afterAll(end);

    it("are flannel's with the groups of IPv6", async () => {
      const firewall = new IptablesFirewall(WISH);
      expect(await firewall.ensure()).toHaveLength(2);
      expect(await firewall.ensure()).toEqual([]);
      const list6 = (...words: string[]) => inside(`ip6tables-${variant}`, words);
      expect(list6("-t", "nat", "-S", "FLANNEL-POSTRTG")).toBe(NAT6);
      expect(list6("-t", "filter", "-S", "FLANNEL-FWD")).toBe(FILTER6);
      await removeIptables();
      expect(list6("-t", "nat", "-S")).not.toContain("FLANNEL");
    });
  });
});

describeWith([namespaces(), tool("iptables-legacy"), tool("flock")], "the lock of iptables", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-lock-"));
  const lock = join(folder, "xtables.lock");
  beforeAll(() => {
    start("legacy");
    process.env.XTABLES_LOCKFILE = lock;
  });
  afterAll(() => {
    delete process.env.XTABLES_LOCKFILE;
    end();
    rmSync(folder, { recursive: true });
  });

  it("is waited for, and who holds it for too long is named in words", async () => {
    // Holds the lock until there is a call, and for a while after.
    const until = `until [ -e "$1/called" ]; do sleep 0.05; done; sleep 0.5; touch "$1/released"`;
    const held = `flock "$1/xtables.lock" sh -c '${until}' sh "$1" & exec true`;
    execFileSync("sh", ["-c", held, "sh", folder], { stdio: "ignore" });
    execFileSync("sh", ["-c", `while flock -n ${lock} true; do sleep 0.05; done`], { timeout: 60_000 });
    const real = `ip netns exec ${netns} iptables-legacy`;
    programs.stand("iptables", `touch ${folder}/called; exec ${real} "$@"`);
    expect(await new IptablesFirewall(ONLY4).ensure()).toHaveLength(1);

    programs.stand("iptables", `shift 2; flock ${lock} ${real} --wait 1 "$@"`);
    await expect(new IptablesFirewall(ONLY4).ensure()).rejects.toMatchObject({
      code: "HOST_FIREWALL",
      message: expect.stringContaining("another program holds the lock of iptables"),
      remedy: "`fuser -v /run/xtables.lock` shows which one",
    });
  });
});

describeWith([namespaces(), tool("nft"), tool("iptables-nft")], "nftables", () => {
  beforeEach(() => {
    start("nft");
    inside("nft", ["-f", "-"], "table ip kube-proxy { chain x { counter; }; }\n");
  });
  afterEach(end);
  const ruleset = () => inside("nft", ["-s", "list", "ruleset"]);
  const tablesOf = (text: string) =>
    text
      .trim()
      .split(/\n(?=table )/)
      .sort();

  it("has flannel's two tables, whatever the families", async () => {
    const firewall = new NftFirewall(ONLY4);
    expect(await firewall.ensure()).toEqual([
      "nftables: table ip flannel-ipv4 set",
      "nftables: table ip6 flannel-ipv6 set",
    ]);
    expect(inside("nft", ["list", "table", "ip", "flannel-ipv4"])).toBe(`table ip flannel-ipv4 {
\tchain postrtg {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tmeta mark & 0x00004000 == 0x00004000 return
\t\tip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return
\t\tip saddr 10.244.0.0/16 ip daddr 10.244.0.0/24 return
\t\tip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/24 return
\t\tip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
\t\tip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tip saddr 10.244.0.0/16 accept
\t\tip daddr 10.244.0.0/16 accept
\t}
}
`);
    expect(ruleset()).toContain("table ip6 flannel-ipv6 {");
    programs.calls();
    expect(await firewall.ensure()).toEqual([]);
    expect(programs.calls()).toEqual([
      "nft -s list table ip flannel-ipv4",
      "nft -s list table ip6 flannel-ipv6",
    ]);
  });

  it.each([
    ["a table is gone", "delete table ip flannel-ipv4"],
    ["a chain is flushed", "flush chain ip flannel-ipv4 postrtg"],
    ["somebody added a rule", "insert rule ip flannel-ipv4 forward ip saddr 10.244.9.9 drop"],
    ["somebody added a chain", "add chain ip flannel-ipv4 mine"],
    ["the table was put to sleep", "add table ip flannel-ipv4 { flags dormant; }"],
  ])("is put right when %s", async (_what, damage) => {
    const firewall = new NftFirewall(ONLY4);
    await firewall.ensure();
    const before = ruleset();
    inside("nft", ["-f", "-"], `${damage}\n`);
    expect(ruleset()).not.toBe(before);
    expect(await firewall.ensure()).toEqual([
      "nftables: table ip flannel-ipv4 set again, somebody had changed it",
    ]);
    expect(tablesOf(ruleset())).toEqual(tablesOf(before));
    expect(await firewall.ensure()).toEqual([]);
  });

  it("loses both tables and nothing else", async () => {
    const before = ruleset();
    await new NftFirewall(WISH).ensure();
    expect(await removeNftables()).toHaveLength(2);
    expect(ruleset()).toBe(before);
    expect(await removeNftables()).toEqual([]);
  });

  it("goes without random ports where nft or the kernel cannot, and says so", async () => {
    const real = `ip netns exec ${netns} ${whereIs("nft")}`;
    programs.stand("nft", `[ "$1" = --check ] && exec ${real} --check bad; exec ${real} "$@"`);
    const { firewall, warnings } = await openFirewall("nftables", WISH);
    expect(warnings).toEqual([expect.stringContaining("this nft cannot choose")]);
    await firewall.ensure();
    expect(ruleset()).toMatch(/224\.0\.0\.0\/4 masquerade$/m);
  });

  it("is not needed where nothing is wished", async () => {
    const { firewall } = await openFirewall("nftables", { ...WISH, masquerade: false, forward: false });
    expect(await firewall.ensure()).toEqual([]);
    expect(ruleset()).not.toContain("flannel");
  });

  it("of IPv6 that this kernel does not have does not hinder a network of IPv4", async () => {
    const real = `ip netns exec ${netns} ${whereIs("nft")}`;
    const without = 'case "$input" in *ip6*) echo "Error: Address family not supported" >&2; exit 1;; esac';
    const script = `[ "$1" = -f ] || exec ${real} "$@"\ninput=$(cat)\n${without}\necho "$input" | ${real} -f -`;
    programs.stand("nft", script);
    const firewall = new NftFirewall(ONLY4);
    expect(await firewall.ensure()).toEqual(["nftables: table ip flannel-ipv4 set"]);
    expect(await firewall.ensure()).toEqual([]);
    await expect(new NftFirewall(WISH).ensure()).rejects.toMatchObject({
      message: "`nft -f -` failed: Address family not supported",
    });
  });
});

describeWith([namespaces(), tool("nft"), tool("iptables")], "a host with one kind only", () => {
  let host: Inside;
  beforeEach(() => {
    host = new Inside(new URL("./firewall-scenarios.ts", import.meta.url));
  });
  afterEach(() => host.remove());
  const nothing = { removed: [], done: [] };

  it("nftables: there is nothing of iptables to take away; iptables is missing only where it is needed", async () => {
    expect(await host.run("onlyNft")).toEqual([
      { removed: [], done: [expect.any(String), expect.any(String)] },
      {
        code: "HOST_IP_MISSING",
        message: "the command `iptables` is not there, and without it no firewall rules can be set",
        remedy: "install the package iptables, or set EnableNFTables in net-conf.json",
      },
      { ...nothing, removed: expect.any(Array) },
    ]);
  });

  it("iptables: the same the other way round", async () => {
    expect(await host.run("onlyIptables")).toEqual([
      { removed: [], done: [expect.any(String)] },
      {
        code: "HOST_IP_MISSING",
        message: "the command `nft` is not there, and without it no firewall rules can be set",
        remedy: "install the package nftables, or leave out EnableNFTables in net-conf.json",
      },
      { ...nothing, removed: expect.any(Array) },
    ]);
  });
});
