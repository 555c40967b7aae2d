import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cidrsOverlap, parseCidr } from "../../../src/control/address.ts";
import type { LeaseAttributes, NodeLease } from "../../../src/control/flannel/node-lease.ts";
import { type Peers, peersOf } from "../../../src/control/flannel/peers.ts";
import { attributesOf, leaseOf, macOf, ours } from "./samples.ts";

const SEED = 4789;

/** The addresses and MACs of the study's cluster, in its network. */
const STUDY: readonly NodeLease[] = [
  ["myk8s-control-plane", "10.244.0.0/24", "172.19.0.4", "f6:2d:77:84:77:6c"],
  ["myk8s-worker", "10.244.1.0/24", "172.19.0.2", "92:2e:91:2c:81:b3"],
  ["myk8s-worker2", "10.244.2.0/24", "172.19.0.3", "9e:f2:78:e7:96:c2"],
].map(([key, ipv4, publicIp, mac]) => ({
  key: key!,
  subnets: { ipv4: ipv4!, ipv6: null },
  attributes: attributesOf(0, {
    publicIp: publicIp!,
    publicIpv6: null,
    backendData: { VNI: 1, VtepMAC: mac },
    backendV6Data: null,
  }),
}));

function one(attributes: Partial<LeaseAttributes>, subnet = "10.0.7.0/24"): NodeLease {
  return { ...leaseOf(7, attributes), subnets: { ipv4: subnet, ipv6: null } };
}

function badOf(peers: Peers): string[] {
  return peers.bad.map(({ key }) => key);
}

describe("peersOf", () => {
  it("makes the peers that a node of the study's cluster has", () => {
    const peers = peersOf(STUDY, {
      ...ours(4),
      key: "myk8s-worker2",
      subnet: "10.244.2.0/24",
      publicIp: "172.19.0.3",
      vtepMac: "9e:f2:78:e7:96:c2",
    });
    expect(Object.fromEntries(peers.leases)).toEqual({
      "myk8s-control-plane": {
        publicIp: "172.19.0.4",
        port: 8472,
        vtepMac: "f6:2d:77:84:77:6c",
        subnets: ["10.244.0.0/24"],
      },
      "myk8s-worker": {
        publicIp: "172.19.0.2",
        port: 8472,
        vtepMac: "92:2e:91:2c:81:b3",
        subnets: ["10.244.1.0/24"],
      },
    });
    expect(peers.bad).toEqual([]);
  });

  it("makes them of the other family from the other family's fields", () => {
    const lease = leaseOf(3, { backendV6Data: { VNI: 1, VtepMAC: macOf(9) } });
    expect([...peersOf([lease], ours(6)).leases.values()]).toEqual([
      { publicIp: "fd00:19::4", port: 8472, vtepMac: macOf(9), subnets: ["fd00:244:3::/64"] },
    ]);
  });

  it("says nothing of a lease without a subnet of this family", () => {
    const lease = { ...leaseOf(3), subnets: { ipv4: "10.0.3.0/24", ipv6: null } };
    expect(peersOf([lease], ours(6))).toEqual({ leases: new Map(), bad: [] });
  });

  it("takes what older nodes and other programs write: no VNI, other cases, MACs with dashes", () => {
    const leases = [
      one({ backendData: { VtepMAC: macOf(7) } }),
      one({ backendType: "VXLAN", backendData: { vni: 1, vtepmac: "0E-2A-00-00-00-07", more: [1] } }),
    ];
    for (const lease of leases) {
      expect([...peersOf([lease], ours(4)).leases.values()]).toMatchObject([{ vtepMac: macOf(7) }]);
    }
  });

  it.each<[string, NodeLease, RegExp]>([
    ["another backend", one({ backendType: "host-gw" }), /^its backend is "host-gw", and ours "vxlan"/],
    ["no backend", one({ backendType: "" }), /^its backend is "", and/],
    ["a megabyte for a backend", one({ backendType: "x".repeat(1e6) }), /^its backend is "x+…, and/],
    ["no public IP", one({ publicIp: null }), /no public IPv4 address/],
    [
      "a loopback address",
      one({ publicIp: "127.0.0.1" }),
      /^its public IP is "127.0.0.1", and no IPv4 address/,
    ],
    ["the other family's address", one({ publicIp: "fd00::1" }), /^its public IP is "fd00::1", and no/],
    ["no address at all", one({ publicIp: "node-7" }), /^its public IP is "node-7", and no/],
    ["a public IP inside its subnet", one({ publicIp: "10.0.7.9" }), /inside its own subnet 10.0.7.0\/24/],
    ["a subnet elsewhere", one({}, "11.0.7.0/24"), /not in the network 10.0.0.0\/8: see net-conf.json/],
    ["a subnet larger than all", one({}, "10.0.0.0/7"), /not in the network/],
    ["no subnet", one({}, "10.0.7.0"), /^its subnet is "10.0.7.0", and no IPv4 network$/],
    ["another VNI", one({ backendData: { VNI: 2, VtepMAC: macOf(7) } }), /^its VNI is 2, and ours 1/],
    ["a VNI in quotes", one({ backendData: { VNI: "1", VtepMAC: macOf(7) } }), /^its VNI is "1", and no/],
    ["no data", one({ backendData: null }), /^its backend data has no VtepMAC/],
    ["text for data", one({ backendData: "x" }), /has no VtepMAC/],
    ["a list for a MAC", one({ backendData: { VtepMAC: [1] } }), /^its VtepMAC is a list, and no text/],
    ["no MAC", one({ backendData: { VtepMAC: "x".repeat(1e6) } }), /^its VtepMAC "x{40,60}… is no MAC$/],
    ["a group's MAC", one({ backendData: { VtepMAC: "01:00:5e:00:00:01" } }), /a group's/],
    ["the MAC of nobody", one({ backendData: { VtepMAC: "00:00:00:00:00:00" } }), /nobody's/],
  ])("a lease with %s is bad, in one line, and no other is", (_what, lease, reason) => {
    const peers = peersOf([leaseOf(1), lease, leaseOf(2)], ours(4));
    expect([...peers.leases.keys()]).toEqual(["node-00001", "node-00002"]);
    expect(peers.bad).toEqual([{ key: "node-00007", reason: expect.stringMatching(reason) }]);
    expect(peers.bad[0]!.reason).toMatch(/^.{10,300}$/);
  });
});

describe("where two leases want the same", () => {
  const mac = (n: number) => ({ backendData: { VNI: 1, VtepMAC: macOf(n) } });

  it.each<[string, NodeLease, RegExp]>([
    ["MAC", leaseOf(2, mac(1)), /^its VtepMAC 0e:2a:00:00:00:01 is also that of node-00001/],
    [
      "subnet",
      { ...leaseOf(2), subnets: leaseOf(1).subnets },
      /^overlapping subnets: its 10.0.1.0\/24, and 10.0.1.0\/24 of node-00001$/,
    ],
    [
      "subnet in part",
      { ...leaseOf(2), subnets: { ipv4: "10.0.1.128/25", ipv6: null } },
      /^overlapping subnets: its 10.0.1.128\/25, and 10.0.1.0\/24/,
    ],
    [
      "public IP in its subnet",
      { ...leaseOf(2, { publicIp: "10.0.1.7" }) },
      /^its public IP 10.0.1.7 is inside the subnet 10.0.1.0\/24 of node-00001$/,
    ],
    ["subnet and more", { ...leaseOf(2), subnets: { ipv4: "10.0.1.0/22", ipv6: null } }, /of this node$/],
  ])("%s, the first has it", (_what, second, reason) => {
    const peers = peersOf([leaseOf(1), second, leaseOf(5)], ours(4));
    expect([...peers.leases.keys()]).toEqual(["node-00001", "node-00005"]);
    expect(peers.bad).toEqual([{ key: "node-00002", reason: expect.stringMatching(reason) }]);
  });

  it("nobody's subnet may hold an address of the underlay: what goes there would come back to us", () => {
    const us = { ...ours(4), publicIp: "10.200.0.1" };
    const first = leaseOf(1, { publicIp: "10.201.0.1" });
    const second = { ...leaseOf(2), subnets: { ipv4: "10.200.0.0/24", ipv6: null } };
    const third = { ...leaseOf(3), subnets: { ipv4: "10.201.0.0/24", ipv6: null } };
    const { leases, bad } = peersOf([first, second, third], us);
    expect([...leases.keys()]).toEqual(["node-00001"]);
    expect(bad.map(({ reason }) => reason)).toEqual([
      "its subnet 10.200.0.0/24 holds the public IP of this node, 10.200.0.1",
      "its subnet 10.201.0.0/24 holds the public IP of node-00001, 10.201.0.1",
    ]);
  });

  it("public IP, both have it: a node may have the address of one that is gone, and whose lease lingers", () => {
    const { leases, bad } = peersOf([leaseOf(1), leaseOf(2, { publicIp: "172.19.0.1" })], ours(4));
    expect([[...leases.keys()], bad]).toEqual([["node-00001", "node-00002"], []]);
  });

  it("this node comes before all others", () => {
    const copies = [leaseOf(1, mac(0)), leaseOf(2, { publicIp: "172.19.0.0" })];
    const { bad } = peersOf(copies, ours(4));
    expect(bad.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/that of this node: was a machine copied/),
      expect.stringMatching(/public IP 172\.19\.0\.0 is this node's own/),
    ]);
  });

  it("this node's address behind a router is its own, too: its lease of before it had a public IP lingers", () => {
    const us = { ...ours(4), local: "192.168.0.10" };
    const { leases, bad } = peersOf([leaseOf(1, { publicIp: "192.168.0.10" }), leaseOf(2)], us);
    expect([...leases.keys()]).toEqual(["node-00002"]);
    expect(bad[0]?.reason).toMatch(/public IP 192\.168\.0\.10 is this node's own/);
  });

  it("who has it keeps it when one that stands before it comes to want it", () => {
    const before = peersOf([leaseOf(1), leaseOf(2)], ours(4));
    const greedy = leaseOf(1, mac(2));
    expect(badOf(peersOf([greedy, leaseOf(2)], ours(4), before))).toEqual(["node-00001"]);
    expect(badOf(peersOf([greedy, leaseOf(2)], ours(4)))).toEqual(["node-00002"]);
  });

  it("who changes something else keeps it, too", () => {
    const rival = leaseOf(1, mac(2));
    const before = peersOf([leaseOf(2), rival], ours(4));
    expect(badOf(before)).toEqual(["node-00001"]);
    const moved = leaseOf(2, { publicIp: "172.19.99.1" });
    expect(badOf(peersOf([rival, moved], ours(4), before))).toEqual(["node-00001"]);
  });

  it("the other's turn comes when the holder is gone, and stays when it comes back", () => {
    const rival = leaseOf(2, mac(1));
    const both = peersOf([leaseOf(1), rival], ours(4));
    const alone = peersOf([rival], ours(4), both);
    expect([...alone.leases.keys()]).toEqual(["node-00002"]);
    expect(badOf(peersOf([leaseOf(1), rival], ours(4), alone))).toEqual(["node-00001"]);
  });

  it("one that gets nothing holds nothing against a third", () => {
    const second = leaseOf(2, { ...mac(1), publicIp: "172.19.0.3" });
    expect(badOf(peersOf([leaseOf(1), second, leaseOf(3)], ours(4)))).toEqual(["node-00002"]);
  });
});

describe("any leases", () => {
  /** Few values for everything, so that they meet; some are wrong. */
  const subnet = fc.oneof(
    fc.tuple(fc.nat(7), fc.constantFrom(22, 23, 24, 25)).map(([n, length]) => `10.0.${n}.0/${length}`),
    fc.constant("10.0.0.0/33"),
  );
  const lease = fc.record({
    subnet,
    ip: fc.nat(9),
    mac: fc.oneof({ weight: 9, arbitrary: fc.nat(9).map(macOf) }, { weight: 1, arbitrary: fc.anything() }),
  });
  const many = fc.array(lease, { maxLength: 12 }).map((all) =>
    all.map(({ subnet, ip, mac }, n): NodeLease => {
      const attributes = attributesOf(ip, { backendData: { VNI: 1, VtepMAC: mac } });
      return { key: `n${n}`, subnets: { ipv4: subnet, ipv6: null }, attributes };
    }),
  );

  it("never make two peers with one MAC or overlapping subnets, nor one with our own address, and each is a peer or bad", () => {
    fc.assert(
      fc.property(many, many, (first, leases) => {
        const before = peersOf(first, ours(4));
        const { leases: good, bad } = peersOf(leases, ours(4), before);
        const peers = [...good.values()];
        expect(new Set(peers.map(({ vtepMac }) => vtepMac)).size).toBe(peers.length);
        expect(peers.map(({ publicIp }) => publicIp)).not.toContain(ours(4).publicIp);
        const ranges = [ours(4).subnet, ...peers.flatMap(({ subnets }) => subnets)].map(parseCidr);
        ranges.forEach((a, i) => {
          for (const b of ranges.slice(i + 1)) expect(cidrsOverlap(a, b)).toBe(false);
        });
        expect([...good.keys(), ...bad.map(({ key }) => key)].sort()).toEqual(
          leases.map(({ key }) => key).sort(),
        );
      }),
      { seed: SEED, numRuns: 400 },
    );
  });

  it("that are refused could not have been taken: an oracle that compares each with each agrees", () => {
    fc.assert(
      fc.property(many, (leases) => {
        const { leases: good, bad } = peersOf(leases, ours(4));
        for (const { key, reason } of bad.filter((one) => /also that of|overlapping/.test(one.reason))) {
          const lease = leases.find((one) => one.key === key)!;
          const alone = peersOf([lease], ours(4)).leases.get(key);
          const rivals = [...good.values()].filter(
            (peer) =>
              alone === undefined ||
              peer.vtepMac === alone.vtepMac ||
              cidrsOverlap(parseCidr(peer.subnets[0]!), parseCidr(alone.subnets[0]!)),
          );
          expect(alone === undefined || rivals.length > 0, reason).toBe(true);
        }
      }),
      { seed: SEED, numRuns: 400 },
    );
  });

  it("are the same peers whatever bad ones stand among them, and again with what there was before", () => {
    const bad = fc.constantFrom<Partial<LeaseAttributes>>(
      { backendType: "udp" },
      { publicIp: null },
      { backendData: { VNI: 1 } },
    );
    const places = fc.array(fc.tuple(fc.nat(20), bad), { maxLength: 8 });
    fc.assert(
      fc.property(many, places, (leases, among) => {
        const mixed = [...leases];
        among.forEach(([at, attributes], n) => {
          mixed.splice(at % (mixed.length + 1), 0, { ...leaseOf(3, attributes), key: `bad${n}` });
        });
        const expected = peersOf(leases, ours(4));
        const found = peersOf(mixed, ours(4));
        expect([...found.leases]).toEqual([...expected.leases]);
        const again = peersOf(mixed, ours(4), found);
        expect([...again.leases]).toEqual([...found.leases]);
        expect(badOf(again)).toEqual(badOf(found));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe("5,000 leases", () => {
  const leases = Array.from({ length: 5000 }, (_, n) => leaseOf(n + 1));

  function best(rounds: number, run: () => void): number {
    const times = Array.from({ length: rounds }, () => {
      const start = performance.now();
      run();
      return performance.now() - start;
    });
    return Math.min(...times);
  }

  it.each([4, 6] as const)("of IPv%i take a small part of what each with each would take", (family) => {
    const us = ours(family);
    let before = peersOf(leases, us);
    const near = best(9, () => {
      before = peersOf(leases, us, before);
    });
    expect(before.leases.size).toBe(leases.length);
    const ranges = leases.map(({ subnets }) => parseCidr((family === 4 ? subnets.ipv4 : subnets.ipv6)!));
    const square = best(2, () => {
      for (const [i, range] of ranges.entries()) {
        for (let j = 0; j < i; j++) if (cidrsOverlap(range, ranges[j]!)) throw new Error("they overlap");
      }
    });
    console.log(
      `IPv${family}: 5,000 leases in ${near.toFixed(1)} ms; each with each ${square.toFixed(0)} ms`,
    );
    expect(near).toBeLessThan(square / 4);
  });
});
