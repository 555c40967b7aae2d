/**
 * The rules of iptables against the kernel's tables, in a namespace: what is there after `ensure`, whatever was there
 * before, by both variants. What the rules do to packets is in `firewall-traffic.full.test.ts`.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openFirewall, removeFirewall } from "../../src/host/firewall/firewall.ts";
import { IptablesFirewall, removeIptables } from "../../src/host/firewall/iptables.ts";
import type { FirewallWish } from "../../src/host/firewall/wish.ts";
import { FILTER, FILTER6, NAT, NAT6 } from "../helpers/flannel-chains.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { FirewallStage, ONLY4, V6, WISH } from "./firewall-stage.ts";
import { DAMAGES, FOREIGN, FORWARD, POSTROUTING } from "./iptables-rules.ts";
import { ipv6 } from "./pods.ts";
import { whereIs } from "./programs.ts";

const OTHER: FirewallWish = {
  ...WISH,
  networks: [{ family: 4, network: "10.5.0.0/16", subnet: "10.5.1.0/24" }],
};

let stage: FirewallStage;

describe.each(["nft", "legacy"] as const)("iptables (%s)", (variant) => {
  const needs = [namespaces(), tool(`iptables-${variant}`), tool("nft")];
  const list = (table: string, ...chain: string[]) =>
    stage.inside(`iptables-${variant}`, ["-t", table, "-S", ...chain]);
  const whole = () => `${list("nat")}${list("filter")}`;

  describeWith(needs, "the chains", () => {
    beforeEach(() => {
      stage = new FirewallStage(variant);
      stage.inside(`iptables-${variant}-restore`, ["--noflush"], FOREIGN);
    });
    afterEach(() => stage.remove());

    it("are flannel's, word for word, after the first look, and the second finds nothing to do", async () => {
      const firewall = new IptablesFirewall(ONLY4);
      expect(await firewall.ensure()).toEqual(["iptables: 12 changes to flannel's rules"]);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
      expect(list("nat", "POSTROUTING")).toBe(POSTROUTING);
      expect(list("filter", "FLANNEL-FWD")).toBe(FILTER);
      expect(list("filter", "FORWARD")).toBe(FORWARD);
      stage.programs.calls();
      expect(await firewall.ensure()).toEqual([]);
      // Nobody asks for IPv6 where the network has none: its tables may not be there.
      expect(stage.programs.calls()).toEqual([
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
      for (const line of damage.split("\n")) stage.inside("sh", ["-c", `iptables-${variant} ${line}`]);
      expect(whole()).not.toBe(before);
      stage.programs.calls();
      expect(await firewall.ensure()).toHaveLength(1);
      expect(stage.programs.calls().filter((call) => call.includes("restore"))).toHaveLength(1);
      expect(whole()).toBe(before);
      expect(await firewall.ensure()).toEqual([]);
    });

    it("come back when everything was flushed, and others' rules stay as they are", async () => {
      const firewall = new IptablesFirewall(ONLY4);
      await firewall.ensure();
      stage.inside("sh", [
        "-c",
        `for t in nat filter; do iptables-${variant} -t $t -F; iptables-${variant} -t $t -X; done`,
      ]);
      stage.inside(`iptables-${variant}-restore`, ["--noflush"], FOREIGN);
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
      stage.inside(`iptables-${variant}`, ["-t", "nat", "-F", "FLANNEL-POSTRTG"]);
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
      stage.programs.calls();
      await firewall.ensure();
      expect(stage.programs.calls().filter((call) => call.includes("filter"))).toEqual([]);
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
      expect(stage.inside("nft", ["list", "ruleset"])).toContain("masquerade fully-random");

      const again = await openFirewall("iptables", { ...ONLY4, randomFully: false });
      await again.firewall.ensure();
      expect(stage.inside("nft", ["list", "tables"])).not.toContain("flannel");
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT.replaceAll(" --random-fully", ""));
      expect(await removeFirewall()).toEqual(["iptables: flannel's chains are gone"]);
    });

    it("are set by an old iptables without what it does not know", async () => {
      const real = `ip netns exec ${stage.netns} ${whereIs(`iptables-${variant}`)}`;
      stage.programs.stand(
        "iptables",
        `[ "$1" = --version ] && exec echo iptables v1.6.1; exec ${real} "$@"`,
      );
      const { firewall, warnings } = await openFirewall("iptables", ONLY4);
      expect(warnings).toEqual([expect.stringContaining("this iptables cannot choose")]);
      stage.programs.calls();
      await firewall.ensure();
      expect(stage.programs.calls()).toEqual(["iptables-restore --noflush"]);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT.replaceAll(" --random-fully", ""));
    });

    it("of IPv6 that this kernel does not have do not hinder a network of IPv4", async () => {
      // What ip6tables says there.
      const script =
        "echo \"ip6tables v1.8.9: can't initialize ip6tables table \\`nat': Table does not exist\" >&2; exit 3";
      stage.programs.stand("ip6tables", script);
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
      stage.inside(`iptables-${variant}`, ["-t", "nat", "-D", "FLANNEL-POSTRTG", "2"]);
      // The first change meets a chain that somebody has just flushed.
      const real = `ip netns exec ${stage.netns} iptables-${variant}`;
      const once = `[ -e "$0.done" ] || { touch "$0.done"; ${real} -t nat -F FLANNEL-POSTRTG; }`;
      stage.programs.stand("iptables-restore", `${once}\nexec ${real}-restore "$@"`);
      expect(await firewall.ensure()).toHaveLength(1);
      expect(list("nat", "FLANNEL-POSTRTG")).toBe(NAT);
    });
  });

  describeWith([...needs, ipv6()], "the chains of IPv6", () => {
    beforeAll(() => {
      stage = new FirewallStage(variant);
    });
    afterAll(() => stage.remove());

    it("are flannel's with the groups of IPv6", async () => {
      const firewall = new IptablesFirewall(WISH);
      expect(await firewall.ensure()).toHaveLength(2);
      expect(await firewall.ensure()).toEqual([]);
      const list6 = (...words: string[]) => stage.inside(`ip6tables-${variant}`, words);
      expect(list6("-t", "nat", "-S", "FLANNEL-POSTRTG")).toBe(NAT6);
      expect(list6("-t", "filter", "-S", "FLANNEL-FWD")).toBe(FILTER6);
      await removeIptables();
      expect(list6("-t", "nat", "-S")).not.toContain("FLANNEL");
    });
  });
});
