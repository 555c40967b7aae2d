/** What iptables does with a packet, judged from rulesets as `iptables-save -c` prints them. */
import { describe, expect, it } from "vitest";
import { blockedByIptables, savedTables } from "../../../src/doctor/firewall/iptables.ts";
import type { Packet } from "../../../src/doctor/firewall/packet.ts";

const VXLAN: Packet = {
  ...{ hook: "input", family: 4, iif: "eth0", oif: null, src: "172.19.0.3", dst: "172.19.0.2" },
  ...{ proto: "udp", sport: 50_000, dport: 8472 },
};
const POD: Packet = {
  ...{ hook: "forward", family: 4, iif: "cni0", oif: "flannel.1", src: "10.244.1.2", dst: "10.244.2.2" },
  ...{ proto: "tcp", sport: 40_000, dport: 40_000 },
};

function filter(policy: string, ...rules: string[]): string {
  const chains = [":INPUT", ":FORWARD", ":OUTPUT"].map((chain) => `${chain} ${policy} [5:300]`);
  const own = [...new Set(rules.map((rule) => /-A (\S+)/.exec(rule)![1]!))];
  const others = own.filter((name) => !["INPUT", "FORWARD", "OUTPUT"].includes(name));
  const declared = others.map((name) => `:${name} - [0:0]`);
  const counted = rules.map((rule) => `[12:1008] ${rule}`);
  return ["*filter", ...chains, ...declared, ...counted, "COMMIT", ""].join("\n");
}

function rule(saved: string, packet: Packet = VXLAN): string | null {
  return blockedByIptables(saved, packet, "iptables")?.rule ?? null;
}

const DROP = "-A INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP";

describe("a packet in iptables", () => {
  it("is stopped by a rule that it meets, whose counter and remedy are told", () => {
    expect(blockedByIptables(filter("ACCEPT", DROP), VXLAN, "iptables")).toEqual({
      rule: `iptables -t filter ${DROP}`,
      packets: 12,
      remedy: "iptables -t filter -D INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP",
    });
  });

  it.each([
    ["-A INPUT -i eth1 -p udp -m udp --dport 8472 -j DROP"],
    ["-A INPUT -i eth0 -p udp -m udp --dport 8473 -j DROP"],
    ["-A INPUT -i eth0 -p tcp -m tcp --dport 8472 -j DROP"],
    ["-A INPUT ! -i eth0 -j DROP"],
    ["-A INPUT -s 172.20.0.0/16 -j DROP"],
    ["-A INPUT ! -s 172.19.0.0/16 -j DROP"],
    ["-A INPUT -p udp -m multiport --dports 53,4789:4790 -j REJECT"],
    ["-A INPUT -m conntrack --ctstate INVALID -j DROP"],
    ["-A INPUT -m mark --mark 0x8000/0x8000 -j DROP"],
    ["-A INPUT -m limit --limit 5/min -j DROP"],
    ["-A OUTPUT -p udp -j DROP"],
  ])("passes %s", (text) => {
    expect(rule(filter("ACCEPT", text))).toBeNull();
  });

  it.each([
    ["-A INPUT -i eth+ -j DROP"],
    ["-A INPUT ! -i lo -j REJECT --reject-with icmp-port-unreachable"],
    ["-A INPUT -s 172.19.0.0/16 -j DROP"],
    ['-A INPUT -p udp -m comment --comment "no -j ACCEPT here" -m multiport --dports 53,8000:9000 -j DROP'],
    ["-A INPUT -m state --state NEW -j DROP"],
  ])("does not pass %s", (text) => {
    expect(rule(filter("ACCEPT", text))).toContain(text.slice(0, 20));
  });

  it("goes by the order of rules, through chains and back", () => {
    const jump = "-A INPUT -j GUARD";
    const accepted = "-A GUARD -p udp -m udp --dport 8472 -j ACCEPT";
    expect(rule(filter("ACCEPT", jump, accepted, "-A GUARD -j DROP"))).toBeNull();
    expect(rule(filter("ACCEPT", jump, "-A GUARD -j DROP", accepted))).toBe(
      "iptables -t filter -A GUARD -j DROP",
    );
    const back = "-A GUARD -p udp -j RETURN";
    expect(rule(filter("ACCEPT", jump, back, "-A GUARD -j DROP"))).toBeNull();
    expect(rule(filter("ACCEPT", jump, back, "-A GUARD -j DROP", DROP))).toContain(DROP);
  });

  it("meets a chain's policy where no rule decides", () => {
    expect(blockedByIptables(filter("DROP"), POD, "iptables")).toMatchObject({
      rule: ":FORWARD DROP (policy of table filter)",
      packets: 5,
    });
    const flannel = [
      '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
      "-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT",
    ];
    expect(rule(filter("DROP", ...flannel), POD)).toBeNull();
  });

  it("is not said to be stopped where that hangs on what is not known", () => {
    const unsure = "-A FORWARD -m set --match-set pods src -j ACCEPT";
    expect(rule(filter("DROP", unsure), POD)).toBeNull();
    expect(rule(filter("DROP", "-A FORWARD -j SOMEBODYS-TARGET"), POD)).toBeNull();
  });

  it("meets the raw table first", () => {
    const raw = "*raw\n:PREROUTING ACCEPT [0:0]\n[1:2] -A PREROUTING -i eth0 -p udp -j DROP\nCOMMIT\n";
    expect(rule(raw + filter("ACCEPT", DROP))).toContain("-t raw");
    expect(savedTables(raw + filter("ACCEPT"))).toEqual(["raw", "filter"]);
  });
});
