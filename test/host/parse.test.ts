/** What iproute2 6.1 prints, recorded, and what we make of it. */
import { describe, expect, it } from "vitest";
import { vtepMac } from "../../src/agent/config/addresses.ts";
import { addressLine } from "../../src/host/address.ts";
import { parseDirectRoutes } from "../../src/host/direct.ts";
import { plainReason } from "../../src/host/ip.ts";
import { decideDevice, type Link, parseLinks } from "../../src/host/link.ts";
import { randomMac } from "../../src/host/mac.ts";
import { neighbourLine, parseNeighbours } from "../../src/host/neighbour.ts";
import { parseOnLink } from "../../src/host/reach.ts";
import { linkRepairs } from "../../src/host/repair.ts";
import { parseRoutes, routeLine } from "../../src/host/route.ts";
import { parseUplinks } from "../../src/host/uplink.ts";

const TAP = JSON.parse(
  '[{"ifindex":2,"ifname":"flannel.1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"mq","operstate":"UP","group":"default","txqlen":1000,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","promiscuity":0,"allmulti":0,"min_mtu":68,"max_mtu":65521,"linkinfo":{"info_kind":"tun","info_data":{"type":"tap","pi":false,"vnet_hdr":true,"multi_queue":true,"numqueues":1,"numdisabled":0,"persist":true}},"num_tx_queues":256,"num_rx_queues":256,"addr_info":[{"family":"inet","local":"10.244.1.0","prefixlen":32,"scope":"global","label":"flannel.1","valid_life_time":4294967295,"preferred_life_time":4294967295},{"family":"inet6","local":"fe80::ff:fe00:1","prefixlen":64,"scope":"link","tentative":true,"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]',
);
const VXLAN = JSON.parse(
  '[{"ifindex":3,"ifname":"flannel.1","flags":["BROADCAST","MULTICAST"],"mtu":1500,"qdisc":"noop","operstate":"DOWN","link_type":"ether","address":"a2:94:18:fb:50:74","linkinfo":{"info_kind":"vxlan","info_data":{"id":1,"local":"127.0.0.1","port":8472,"learning":true}},"addr_info":[]}]',
);
const ETHERNET = JSON.parse(
  '[{},{"ifindex":1,"ifname":"eth0","flags":["UP"],"mtu":1500,"link_type":"ether","address":"02:42:00:00:00:02","addr_info":[]}]',
);

const [tap] = parseLinks(TAP) as [Link];

function withTun(change: Partial<NonNullable<Link["tun"]>>): Link {
  return { ...tap, tun: { ...tap.tun!, queues: 0, ...change } };
}

describe("parseLinks", () => {
  it("reads a TAP, its state, and the addresses somebody gave it", () => {
    expect(tap).toEqual({
      name: "flannel.1",
      index: 2,
      kind: "tun",
      tun: {
        mode: "tap",
        multiQueue: true,
        vnetHeader: true,
        persistent: true,
        packetInfo: false,
        queues: 1,
      },
      mac: "02:00:00:00:00:01",
      mtu: 1450,
      up: true,
      addresses: ["10.244.1.0/32"],
    });
  });

  it("skips the empty objects that iproute2 prints for what a filter leaves out", () => {
    expect(parseLinks(ETHERNET).map(({ name, kind }) => [name, kind])).toEqual([["eth0", null]]);
  });
});

describe("addresses of scope link", () => {
  const addr_info = [
    { family: "inet", local: "192.0.2.1", prefixlen: 24, scope: "global" },
    { family: "inet", local: "169.254.7.7", prefixlen: 16, scope: "link" },
    { family: "inet6", local: "fd00::1", prefixlen: 64, scope: "global" },
    { family: "inet6", local: "fe80::1", prefixlen: 64, scope: "link" },
  ];

  it("can be the underlay's over IPv4, and not over IPv6", () => {
    expect(
      parseUplinks([{}, { ifname: "eth0", mtu: 1500, addr_info }, { ifname: "lo", mtu: 65_536 }]),
    ).toEqual([
      { device: "eth0", mtu: 1500, sources: ["192.0.2.1", "169.254.7.7", "fd00::1"] },
      { device: "lo", mtu: 65_536, sources: [] },
    ]);
  });

  it("are nothing of ours on our device", () => {
    expect(parseLinks([{ ...ETHERNET[1], addr_info }])[0]!.addresses).toEqual(["192.0.2.1/24", "fd00::1/64"]);
  });
});

describe("decideDevice", () => {
  it.each<[string, Link | null, string]>([
    ["nothing", null, "create"],
    ["our own TAP", withTun({}), "reuse"],
    [
      "our own TAP that would not last: opening it makes it persistent",
      withTun({ persistent: false }),
      "reuse",
    ],
    ["a TAP somebody reads from", tap, "busy"],
    ["a TAP without queues", withTun({ multiQueue: false }), "recreate"],
    ["a TAP without vnet header", withTun({ vnetHeader: false }), "recreate"],
    ["a TAP with packet information", withTun({ packetInfo: true }), "recreate"],
    ["a TUN", withTun({ mode: "tun" }), "recreate"],
    ["a TUN somebody reads from", withTun({ mode: "tun", queues: 1 }), "busy"],
    ["the kernel's VXLAN device", parseLinks(VXLAN)[0]!, "recreate"],
    ["a network card", parseLinks(ETHERNET)[0]!, "taken"],
    ["a bridge", { ...tap, kind: "bridge", tun: null }, "taken"],
  ])("%s: %o → %s", (_what, link, action) => {
    expect(decideDevice(link).action).toBe(action);
  });
});

describe("linkRepairs", () => {
  it("names only what differs", () => {
    expect(linkRepairs(tap, { mac: tap.mac, mtu: tap.mtu })).toEqual([]);
    expect(linkRepairs({ ...tap, up: false }, { mac: "0e:2a:00:00:00:01", mtu: 1400 })).toEqual([
      "address",
      "0e:2a:00:00:00:01",
      "mtu",
      "1400",
      "up",
    ]);
  });
});

describe("parseRoutes", () => {
  const ours = {
    type: "unicast",
    dst: "10.244.2.0/24",
    gateway: "10.244.2.0",
    table: "main",
    protocol: "boot",
    scope: "global",
    flags: ["onlink"],
  };

  it("knows flannel's form in both families, and single addresses, of which iproute2 hides the length", () => {
    const six = { ...ours, dst: "fd00:2::/64", gateway: "fd00:2::", metric: 1024, pref: "medium" };
    const { type: _type, table: _table, ...short } = { ...ours, dst: "10.9.9.9", gateway: "10.9.9.9" };
    expect(parseRoutes([ours, six, short, { ...six, dst: "fd00::9", gateway: "fd00::9" }])).toEqual([
      { subnet: "10.244.2.0/24", via: "10.244.2.0" },
      { subnet: "fd00:2::/64", via: "fd00:2::" },
      { subnet: "10.9.9.9/32", via: "10.9.9.9" },
      { subnet: "fd00::9/128", via: "fd00::9" },
    ]);
  });

  it.each([
    ["the kernel's", { protocol: "kernel" }],
    ["a routing daemon's", { protocol: "bird" }],
    ["another table's", { table: "100" }],
    ["a local one", { type: "local", table: "local" }],
    ["one via another gateway", { gateway: "10.244.2.1" }],
    ["one that is not onlink", { flags: [] }],
  ])("leaves %s alone", (_what, change) => {
    expect(parseRoutes([{ ...ours, ...change }])).toEqual([]);
  });

  it("leaves one without gateway alone", () => {
    const { gateway: _gateway, ...rest } = ours;
    expect(parseRoutes([rest])).toEqual([]);
  });
});

describe("parseDirectRoutes", () => {
  const where = { uplink: "eth0", networks: ["10.244.0.0/16", "fd00:10:244::/48"] };
  const ours = { type: "unicast", dst: "10.244.2.0/24", gateway: "192.168.0.2", protocol: "boot", flags: [] };
  const six = { ...ours, dst: "fd00:10:244:2::/64", gateway: "fd00:10::2", metric: 1024, pref: "medium" };

  it("knows routes into the networks via a gateway, in both families, also while the link is down", () => {
    const one = { ...ours, dst: "10.244.9.9", flags: ["dead", "linkdown"] };
    expect(parseDirectRoutes([ours, six, one], where)).toEqual([
      { subnet: "10.244.2.0/24", via: "192.168.0.2", dev: "eth0" },
      { subnet: "fd00:10:244:2::/64", via: "fd00:10::2", dev: "eth0" },
      { subnet: "10.244.9.9/32", via: "192.168.0.2", dev: "eth0" },
    ]);
  });

  it.each([
    ["the kernel's", { protocol: "kernel" }],
    ["a routing daemon's", { protocol: "bird" }],
    ["an operator's", { protocol: "static" }],
    ["another table's", { table: "100" }],
    ["one outside the networks", { dst: "10.245.2.0/24" }],
    ["one of the other family", { dst: "fd00:10:245::/64" }],
    ["one to a whole network", { dst: "10.244.0.0/16" }],
    ["one to more than a network", { dst: "10.244.0.0/15" }],
    ["the default route", { dst: "default" }],
    ["one with a metric", { metric: 100 }],
    ["one with a source", { prefsrc: "192.168.0.1" }],
    ["one with an MTU", { metrics: [{ mtu: 1400 }] }],
    ["one that is onlink", { flags: ["onlink"] }],
  ])("leaves %s alone", (_what, change) => {
    expect(parseDirectRoutes([{ ...ours, ...change }], where)).toEqual([]);
  });

  it("leaves one without gateway alone, and all of them where there is no network", () => {
    const { gateway: _gateway, ...rest } = ours;
    expect(parseDirectRoutes([rest], where)).toEqual([]);
    expect(parseDirectRoutes([ours, six], { ...where, networks: [] })).toEqual([]);
  });
});

describe("parseOnLink", () => {
  const way = { dst: "192.168.0.2", dev: "eth0", prefsrc: "192.168.0.1", flags: [], uid: 0, cache: [] };

  it("takes those that are reached through the uplink without a gateway", () => {
    const ways = [
      way,
      { ...way, dst: "192.168.7.7", gateway: "192.168.0.9" },
      { ...way, dst: "192.168.7.8", via: { family: "inet6", host: "fe80::1" } },
      { ...way, dst: "192.168.9.1", dev: "eth1" },
      { ...way, dst: "192.168.0.1", type: "local", dev: "lo" },
      { ...way, dst: "192.168.0.255", type: "broadcast" },
      { ...way, dst: "fd00:10::2", from: "::" },
    ];
    const text = `${ways.map((one) => JSON.stringify([one])).join("\n")}\n`;
    expect(parseOnLink(text, "eth0")).toEqual(new Set(["192.168.0.2", "fd00:10::2"]));
    expect(parseOnLink("", "eth0")).toEqual(new Set());
  });

  it("leaves one with several ways to the overlay, as flannel does", () => {
    expect(parseOnLink(JSON.stringify([way, way]), "eth0")).toEqual(new Set());
  });
});

describe("parseNeighbours", () => {
  it("takes permanent ones", () => {
    expect(
      parseNeighbours([
        { dst: "10.244.2.0", lladdr: "02:00:00:00:00:02", state: ["PERMANENT"] },
        { dst: "10.244.3.0", lladdr: "02:00:00:00:00:03", state: ["REACHABLE"] },
        { dst: "10.244.4.0", state: ["FAILED"] },
      ]),
    ).toEqual([{ address: "10.244.2.0", mac: "02:00:00:00:00:02" }]);
  });
});

describe("lines for ip -batch", () => {
  const neighbour = { table: "neighbour", address: "10.244.2.0", mac: "0e:2a:00:00:00:02" } as const;
  const route = { table: "route", subnet: "10.244.2.0/24", via: "10.244.2.0" } as const;

  it.each([
    [
      neighbourLine("flannel.1", { ...neighbour, op: "replace" }),
      "neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02 nud permanent dev flannel.1",
    ],
    [neighbourLine("flannel.1", { ...neighbour, op: "del" }), "neigh del 10.244.2.0 dev flannel.1"],
    [
      routeLine("flannel.1", { ...route, op: "add" }),
      "route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto boot",
    ],
    [
      routeLine("flannel.1", { ...route, op: "replace" }),
      "route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto boot",
    ],
    [
      routeLine("flannel.1", { ...route, via: "192.168.0.2", dev: "eth0", op: "replace" }),
      "route replace 10.244.2.0/24 via 192.168.0.2 dev eth0 proto boot",
    ],
    [
      routeLine("flannel.1", { ...route, via: "192.168.0.2", dev: "eth0", op: "del" }),
      "route del 10.244.2.0/24 via 192.168.0.2 dev eth0 proto boot",
    ],
    [
      routeLine("flannel.1", { ...route, op: "del" }),
      "route del 10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto boot",
    ],
    [
      addressLine("flannel.1", { table: "address", op: "replace", cidr: "fd00:1::/128" }),
      "addr replace fd00:1::/128 dev flannel.1 nodad",
    ],
    [
      addressLine("flannel.1", { table: "address", op: "del", cidr: "fd00:1::/128" }),
      "addr del fd00:1::/128 dev flannel.1",
    ],
  ])("%s", (line, expected) => {
    expect(line).toBe(expected);
  });
});

describe("plainReason", () => {
  it("keeps what matters", () => {
    expect(plainReason("RTNETLINK answers: File exists\nCommand failed -:3\n")).toBe("File exists");
    expect(plainReason("Error: mtu greater than device maximum.\n")).toBe("mtu greater than device maximum");
    expect(plainReason("")).toBe("");
  });
});

describe("randomMac", () => {
  it("is a MAC that a VTEP can have, locally administered, and not twice the same", () => {
    const macs = Array.from({ length: 200 }, randomMac);
    for (const mac of macs) {
      expect(vtepMac(mac)).toEqual({ ok: true, value: mac });
      expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2);
    }
    expect(new Set(macs).size).toBe(200);
  });
});
