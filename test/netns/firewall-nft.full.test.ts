/** The tables of nftables as the kernel has them, in a namespace: what is there after `ensure`, whatever was before. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { openFirewall } from "../../src/host/firewall/firewall.ts";
import { NftFirewall, removeNftables } from "../../src/host/firewall/nft.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { FirewallStage, ONLY4, WISH } from "./firewall-stage.ts";
import { whereIs } from "./programs.ts";

let stage: FirewallStage;

describeWith([namespaces(), tool("nft"), tool("iptables-nft")], "nftables", () => {
  beforeEach(() => {
    stage = new FirewallStage("nft");
    stage.inside("nft", ["-f", "-"], "table ip kube-proxy { chain x { counter; }; }\n");
  });
  afterEach(() => stage.remove());
  const ruleset = () => stage.inside("nft", ["-s", "list", "ruleset"]);
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
    expect(stage.inside("nft", ["list", "table", "ip", "flannel-ipv4"])).toBe(`table ip flannel-ipv4 {
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
    stage.programs.calls();
    expect(await firewall.ensure()).toEqual([]);
    expect(stage.programs.calls()).toEqual([
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
    stage.inside("nft", ["-f", "-"], `${damage}\n`);
    expect(ruleset()).not.toBe(before);
    expect(await firewall.ensure()).toEqual([
      "nftables: table ip flannel-ipv4 set again, somebody had changed it",
    ]);
    expect(tablesOf(ruleset())).toEqual(tablesOf(before));
    expect(await firewall.ensure()).toEqual([]);
  });

  it.each([
    ["both families", WISH],
    ["masquerading alone", { ...WISH, forward: false }],
    ["forwarding alone", { ...WISH, masquerade: false }],
    ["ports that are not random", { ...WISH, randomFully: false }],
  ])("is made once, with %s", async (_what, wish) => {
    const firewall = new NftFirewall(wish);
    expect(await firewall.ensure()).toHaveLength(2);
    expect(await firewall.ensure()).toEqual([]);
  });

  it.each([
    ["deleted", "delete table ip flannel-ipv4"],
    ["flushed", "flush table ip flannel-ipv4"],
  ])("is made again when it was %s in the moment after it had been made", async (_what, damage) => {
    await new NftFirewall(ONLY4).ensure();
    const before = ruleset();
    const real = `ip netns exec ${stage.netns} ${whereIs("nft")}`;
    // Between the script that makes it and the look at what that has come to. A table says that it has been done: once.
    const done = `${real} list table ip damaged > /dev/null 2>&1`;
    const once = `[ "$1" != -f ] || ${done} || { ${real} add table ip damaged; ${real} ${damage}; }`;
    stage.programs.stand("nft", `${real} "$@"; status=$?; ${once}; exit $status`);
    const firewall = new NftFirewall(ONLY4);
    for (const _time of ["the first", "another"]) {
      stage.inside("nft", ["delete", "table", "ip", "flannel-ipv4"]);
      await firewall.ensure();
      await firewall.ensure();
      stage.inside("nft", ["delete", "table", "ip", "damaged"]);
      expect(tablesOf(ruleset())).toEqual(tablesOf(before));
    }
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
    const real = `ip netns exec ${stage.netns} ${whereIs("nft")}`;
    stage.programs.stand("nft", `[ "$1" = --check ] && exec ${real} --check bad; exec ${real} "$@"`);
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
    const real = `ip netns exec ${stage.netns} ${whereIs("nft")}`;
    const without = 'case "$input" in *ip6*) echo "Error: Address family not supported" >&2; exit 1;; esac';
    const script = `[ "$1" = -f ] || exec ${real} "$@"\ninput=$(cat)\n${without}\necho "$input" | ${real} -f -`;
    stage.programs.stand("nft", script);
    const firewall = new NftFirewall(ONLY4);
    expect(await firewall.ensure()).toEqual(["nftables: table ip flannel-ipv4 set"]);
    expect(await firewall.ensure()).toEqual([]);
    await expect(new NftFirewall(WISH).ensure()).rejects.toMatchObject({
      message: "`nft -f -` failed: Address family not supported",
    });
  });
});
