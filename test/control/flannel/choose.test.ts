import { describe, expect, it } from "vitest";
import { type Choice, chooseSubnets } from "../../../src/control/flannel/choose.ts";
import { type NodeLease, type NodeSubnets, subnetKey } from "../../../src/control/flannel/node-lease.ts";
import { freeSubnets } from "../../../src/control/flannel/subnets.ts";
import { attributesOf, netConf } from "./samples.ts";

const conf = netConf();
const dual = netConf({ EnableIPv6: true, IPv6Network: "fd00:10:244::/48" });
const US = attributesOf(1);

/** A lease of node n with a subnet of IPv4, and maybe one of IPv6. */
function held(n: number, ipv4: string | null, ipv6: string | null = null): NodeLease {
  const subnets = { ipv4, ipv6 };
  return { key: subnetKey(subnets), subnets, attributes: attributesOf(n) };
}

function previous(ipv4: string | null, ipv6: string | null = null): NodeSubnets {
  return { ipv4, ipv6 };
}

function shown({ drop, reuse, create, exhausted }: Choice): string {
  const parts = [
    ...drop.map(({ key }) => `drop ${key}`),
    ...(reuse === null ? [] : [`reuse ${reuse.key}`]),
    ...(create === null ? [] : [`create ${subnetKey(create)}`]),
    ...(exhausted === null ? [] : [exhausted]),
  ];
  return parts.join(", ");
}

function choose(
  leases: readonly NodeLease[],
  before: NodeSubnets | null = null,
  { network = conf, ownKey = null as string | null, us = US, random = (): number => 0 } = {},
): string {
  return shown(chooseSubnets(network, us, before, leases, ownKey, random));
}

describe("chooseSubnets", () => {
  it("takes one of the first free subnets", () => {
    expect(choose([])).toBe("create 10.244.1.0-24");
    expect(choose([], null, { random: () => 0.999 })).toBe("create 10.244.100.0-24");
    expect(choose([held(2, "10.244.1.0/24")])).toBe("create 10.244.2.0-24");
    expect(choose([], null, { network: dual })).toBe("create 10.244.1.0-24&fd00:10:244:1::-64");
  });

  it("reuses the lease with our public IP, before what we had before", () => {
    const leases = [held(2, "10.244.2.0/24"), held(1, "10.244.9.0/24")];
    expect(choose(leases, previous("10.244.7.0/24"))).toBe("reuse 10.244.9.0-24");
  });

  it("takes what we had before where it is free and within the pool", () => {
    expect(choose([held(2, "10.244.2.0/24")], previous("10.244.7.0/24"))).toBe("create 10.244.7.0-24");
    expect(choose([held(2, "10.244.7.0/24")], previous("10.244.7.0/24"))).toBe("create 10.244.1.0-24");
    expect(choose([held(2, "10.244.6.0/23")], previous("10.244.7.0/24"))).toBe("create 10.244.1.0-24");
    for (const outside of ["10.244.0.0/24", "10.244.7.0/25", "10.245.7.0/24"]) {
      expect(choose([], previous(outside))).toBe("create 10.244.1.0-24");
    }
  });

  it("drops a lease of ours that does not suit the network any more, and takes another", () => {
    expect(choose([held(1, "10.250.9.0/25")])).toBe("drop 10.250.9.0-25, create 10.244.1.0-24");
    const moved = netConf({ Network: "10.250.0.0/16" });
    expect(choose([held(1, "10.244.9.0/24")], null, { network: moved })).toBe(
      "drop 10.244.9.0-24, create 10.250.1.0-24",
    );
  });

  it("keeps one family's subnet when the network gets the other, or loses it", () => {
    const options = { network: dual };
    expect(choose([held(1, "10.244.9.0/24")], null, options)).toBe(
      "drop 10.244.9.0-24, create 10.244.9.0-24&fd00:10:244:1::-64",
    );
    expect(choose([], previous("10.244.9.0/24"), options)).toBe("create 10.244.9.0-24&fd00:10:244:1::-64");
    expect(choose([held(1, "10.244.9.0/24", "fd00:10:244:9::/64")])).toBe(
      "drop 10.244.9.0-24&fd00:10:244:9::-64, create 10.244.9.0-24",
    );
  });

  it("keeps the lease of this process when our public IP or our MAC has changed", () => {
    const leases = [held(3, "10.244.3.0/24"), held(2, "10.244.9.0/24")];
    expect(choose(leases, null, { ownKey: "10.244.9.0-24" })).toBe("reuse 10.244.9.0-24");
  });

  it("knows the lease it had before by its MAC, when our public IP has changed", () => {
    const us = attributesOf(1, { publicIp: "172.19.77.77" });
    const leases = [held(1, "10.244.9.0/24")];
    expect(choose(leases, previous("10.244.9.0/24"), { us })).toBe("reuse 10.244.9.0-24");
    expect(choose(leases, previous("10.244.8.0/24"), { us })).toBe("create 10.244.8.0-24");
    const other = attributesOf(5, { publicIp: "172.19.77.77" });
    expect(choose(leases, previous("10.244.9.0/24"), { us: other })).toBe("create 10.244.1.0-24");
  });

  it("drops what a dead node left under our new address: two with one address would be in each other's way", () => {
    const us = attributesOf(1, { publicIp: attributesOf(2).publicIp });
    const leases = [held(2, "10.244.2.0/24"), held(1, "10.244.9.0/24")];
    expect(choose(leases, null, { us, ownKey: "10.244.9.0-24" })).toBe(
      "drop 10.244.2.0-24, reuse 10.244.9.0-24",
    );
    expect(choose(leases, previous("10.244.9.0/24"), { us })).toBe("drop 10.244.2.0-24, reuse 10.244.9.0-24");
  });

  it("knows a node by its IPv6 address in a network of IPv6 alone only", () => {
    const us = attributesOf(1, { publicIp: null });
    const six = netConf({ EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd00:10:244::/48" });
    const lease = held(1, null, "fd00:10:244:9::/64");
    expect(choose([lease], null, { us, network: six })).toBe("reuse fd00:10:244:9::-64");
    const same6 = { ...held(2, "10.244.9.0/24"), attributes: attributesOf(2, { publicIpv6: US.publicIpv6 }) };
    expect(choose([same6])).toBe("create 10.244.1.0-24");
  });

  it("says which subnets are all taken", () => {
    const all = freeSubnets(conf.ipv4!.pool!, [], 255).map((subnet) => held(2, subnet));
    expect(choose(all)).toBe("all 255 subnets from 10.244.1.0/24 to 10.244.255.0/24 are taken");
    expect(choose(all.slice(1))).toBe("create 10.244.1.0-24");
    const tight = netConf({
      EnableIPv6: true,
      IPv6Network: "fd00:10:244::/48",
      IPv6SubnetMin: "fd00:10:244:5::",
      IPv6SubnetMax: "fd00:10:244:5::",
    });
    const leases = [held(2, "10.244.2.0/24", "fd00:10:244:5::/64")];
    expect(choose(leases, null, { network: tight })).toBe("the only subnet, fd00:10:244:5::/64, is taken");
  });

  it("counts its own lease that it drops as free", () => {
    const { pool } = conf.ipv4!;
    const others = freeSubnets(pool!, [], 255)
      .slice(1)
      .map((subnet) => held(2, subnet));
    expect(choose([held(1, "10.244.1.0/24", "fd00:10:244:9::/64"), ...others])).toBe(
      "drop 10.244.1.0-24&fd00:10:244:9::-64, create 10.244.1.0-24",
    );
  });
});
