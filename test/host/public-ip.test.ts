/** The choice of interface and public IP, on what iproute2 6.1 prints. */
import { describe, expect, it } from "vitest";
import { HostError } from "../../src/host/command.ts";
import { parseInterfaces } from "../../src/host/interfaces.ts";
import {
  choosePublicIp,
  type HostView,
  type PublicIpWish,
  parseDefaults,
  parseWay,
} from "../../src/host/public-ip.ts";

interface Address {
  readonly local: string;
  readonly [flag: string]: unknown;
}

/** A link as `ip -json addr show` prints it. */
function link(ifname: string, addresses: readonly (string | Address)[], more: Record<string, unknown> = {}) {
  return {
    ifname,
    flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    mtu: 1500,
    link_type: "ether",
    addr_info: addresses.map((one) => {
      const address = typeof one === "string" ? { local: one } : one;
      return {
        family: address.local.includes(":") ? "inet6" : "inet",
        prefixlen: 24,
        scope: "global",
        ...address,
      };
    }),
    ...more,
  };
}

const LO = link("lo", ["127.0.0.1", "::1"], { flags: ["LOOPBACK", "UP", "LOWER_UP"], mtu: 65_536 });
const LL = { local: "fe80::1", scope: "link" };
const ETH0 = link("eth0", ["192.168.0.1", "192.168.0.2", "fd00:10::1", LL]);
const ETH1 = link("eth1", ["10.0.0.1", "fd00:20::1", LL], { mtu: 9000 });
const V4 = link("v4", ["172.16.0.1", LL]);
const DOWN = link("down0", ["10.9.0.1", "fd00:90::1"], { flags: ["BROADCAST", "MULTICAST"] });
const BARE = link("bare0", []);

function view(links: readonly unknown[], more: Partial<HostView> = {}): HostView {
  return { interfaces: parseInterfaces(links), defaults: { 4: [], 6: [] }, way: "nobody asked", ...more };
}

const NODE = view([LO, ETH0, ETH1, V4, DOWN, BARE], { defaults: { 4: ["eth0"], 6: ["eth0"] } });

function wish(more: Partial<PublicIpWish> = {}): PublicIpWish {
  const nothing = { iface: [], ifaceRegex: [], canReach: null, publicIp: null, publicIpv6: null };
  return { ...nothing, families: [4], ...more };
}

const DUAL: Partial<PublicIpWish> = { families: [4, 6] };

/** @returns "eth0 1500 192.168.0.1 fd00:10::1"; "a for b" where an address and the public IP differ */
function choose(more: Partial<PublicIpWish>, seen = NODE): string {
  const { device, mtu, ipv4, ipv6 } = choosePublicIp(wish(more), seen);
  const addresses = [ipv4, ipv6].flatMap((one) => {
    if (one === null) return [];
    return one.address === one.publicIp ? one.address : `${one.address} as ${one.publicIp}`;
  });
  return [device, mtu, ...addresses].join(" ");
}

function refusal(more: Partial<PublicIpWish>, seen = NODE): string {
  try {
    choosePublicIp(wish(more), seen);
  } catch (error) {
    if (error instanceof HostError) return `${error.code}: ${error.message} → ${error.remedy}`;
    throw error;
  }
  return "chosen";
}

describe("with nothing said", () => {
  it("takes the interface of the default route", () => {
    expect(choose({})).toBe("eth0 1500 192.168.0.1");
    expect(choose({ families: [6] })).toBe("eth0 1500 fd00:10::1");
    expect(choose(DUAL)).toBe("eth0 1500 192.168.0.1 fd00:10::1");
    expect(choose({}, { ...NODE, defaults: { 4: ["eth1", "eth0"], 6: [] } })).toBe("eth1 9000 10.0.0.1");
  });

  it.each<[string, Partial<PublicIpWish>, HostView["defaults"], RegExp]>([
    [
      "no default route",
      {},
      { 4: [], 6: [] },
      /^HOST_NO_UPLINK: there is no default route of IPv4, and no interface/,
    ],
    [
      "none of the second family",
      DUAL,
      { 4: ["eth0"], 6: [] },
      /^HOST_NO_UPLINK: there is no default route of IPv6/,
    ],
    [
      "two interfaces",
      DUAL,
      { 4: ["eth0"], 6: ["eth1"] },
      /of IPv4 and IPv6 lead through eth0 and eth1, and a network/,
    ],
    ["loopback", {}, { 4: ["lo"], 6: [] }, /^HOST_NO_UPLINK: it leads through lo/],
    ["an interface that is down", {}, { 4: ["down0"], 6: [] }, /leads through down0, but down0 is down/],
    [
      "one without addresses",
      {},
      { 4: ["bare0"], 6: [] },
      /leads through bare0, but bare0 has no IPv4 address/,
    ],
    [
      "one with IPv6 link-local alone",
      { families: [6] },
      { 4: [], 6: ["v4"] },
      /v4 has no IPv6 address at which/,
    ],
  ])("refuses %s, and says what to do and what there is", (_what, more, defaults, message) => {
    const said = refusal(more, { ...NODE, defaults });
    expect(said).toMatch(message);
    expect(said).toMatch(
      /→ say with --iface which interface leads to the other nodes; this node has eth0 \(192/,
    );
  });

  it("refuses an interface without MTU", () => {
    const seen = view([link("eth0", ["192.168.0.1"], { mtu: 0 })], { defaults: { 4: ["eth0"], 6: [] } });
    expect(refusal({}, seen)).toMatch(/^HOST_NO_UPLINK: .* but eth0 has no MTU/);
  });
});

describe("--public-ip alone", () => {
  it("names the interface, and is our address there", () => {
    expect(choose({ publicIp: "192.168.0.2" })).toBe("eth0 1500 192.168.0.2");
    expect(choose({ publicIp: "10.0.0.1", ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(choose({ publicIpv6: "FD00:20:0::1", ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(choose({ publicIp: "10.0.0.1", publicIpv6: "fd00:20::1", ...DUAL })).toBe(
      "eth1 9000 10.0.0.1 fd00:20::1",
    );
  });

  it("may be empty, which is nothing; one of a family that is off says nothing", () => {
    expect(choose({ publicIp: "", publicIpv6: "" })).toBe("eth0 1500 192.168.0.1");
    expect(choose({ publicIpv6: "fd00:20::1" })).toBe("eth0 1500 192.168.0.1");
  });

  it("has to be one of this node's", () => {
    expect(refusal({ publicIp: "203.0.113.7" })).toMatch(
      /^HOST_LOCAL_ADDRESS: no interface has the public IP 203.0.113.7 → if it is that of a router .* --iface .*; this node has/,
    );
    expect(refusal({ publicIp: "192.168.0.1", publicIpv6: "fd00:99::1", ...DUAL })).toMatch(
      /public IP fd00:99::1/,
    );
  });

  it("has to be on the interface of the other family's", () => {
    expect(refusal({ publicIp: "192.168.0.1", publicIpv6: "fd00:20::1", ...DUAL })).toMatch(
      /^HOST_LOCAL_ADDRESS: the public IPs are on two interfaces: 192.168.0.1 on eth0, fd00:20::1 on eth1/,
    );
  });

  it("has to be on one that can be used", () => {
    expect(refusal({ publicIp: "10.9.0.1" })).toMatch(/the public IP is 10.9.0.1, but down0 is down/);
    expect(refusal({ publicIp: "172.16.0.1", ...DUAL })).toMatch(/but v4 has no IPv6 address at which/);
  });

  it.each<[Partial<PublicIpWish>, RegExp]>([
    [
      { publicIp: "eth0" },
      /^HOST_BAD_OPTION: --public-ip: "eth0" is no IPv4 address → write it as 192.168.0.1$/,
    ],
    [{ publicIp: "fd00::1" }, /--public-ip: "fd00::1" is no IPv4 address/],
    [{ publicIpv6: "10.0.0.1" }, /--public-ipv6: "10.0.0.1" is no IPv6 address/],
    [{ publicIpv6: "fe80::1%eth0" }, /is no IPv6 address/],
  ])("cannot be %j", (more, message) => {
    expect(refusal(more)).toMatch(message);
  });
});

describe("--iface", () => {
  it.each<[string, string]>([
    ["eth1", "eth1 9000 10.0.0.1"],
    ["10.0.0.1", "eth1 9000 10.0.0.1"],
    ["192.168.0.2", "eth0 1500 192.168.0.2"],
    ["fd00:20::1", "eth1 9000 10.0.0.1"],
  ])("%s names an interface", (entry, chosen) => {
    expect(choose({ iface: [entry] })).toBe(chosen);
  });

  it("is followed in both families", () => {
    expect(choose({ iface: ["192.168.0.2"], ...DUAL })).toBe("eth0 1500 192.168.0.2 fd00:10::1");
    expect(choose({ iface: ["FD00:20::1"], ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
  });

  it("may be repeated: the first that can be taken", () => {
    const iface = ["eth9", "10.1.1.1", "down0", "bare0", "v4", "eth1", "eth0"];
    expect(choose({ iface })).toBe("v4 1500 172.16.0.1");
    expect(choose({ iface, ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
  });

  it("goes with a public IP that this node does not have", () => {
    expect(choose({ iface: ["eth0"], publicIp: "203.0.113.7" })).toBe("eth0 1500 192.168.0.1 as 203.0.113.7");
    const both = { iface: ["eth0"], publicIp: "203.0.113.7", publicIpv6: "2001:DB8::7", ...DUAL };
    expect(choose(both)).toBe("eth0 1500 192.168.0.1 as 203.0.113.7 fd00:10::1 as 2001:db8::7");
  });

  it("takes loopback when it is asked to", () => {
    const anycast = view([link("lo", ["127.0.0.1", "10.255.0.1"], { flags: ["LOOPBACK", "UP"] }), ETH0]);
    expect(choose({ iface: ["lo"] }, anycast)).toBe("lo 1500 10.255.0.1");
    expect(choose({ iface: ["10.255.0.1"] }, anycast)).toBe("lo 1500 10.255.0.1");
    expect(refusal({ iface: ["lo"] })).toMatch(/lo has no IPv4 address/);
  });

  it("says of each that was tried why it is not taken, and what there is", () => {
    expect(refusal({ iface: ["eth9", "10.1.1.1", "down0"] })).toBe(
      "HOST_NO_DEVICE: no interface is as it was asked for: --iface eth9: there is no such interface; " +
        "--iface 10.1.1.1: no interface has this address; --iface down0: down0 is down → " +
        "this node has eth0 (192.168.0.1, 192.168.0.2, fd00:10::1), eth1 (10.0.0.1, fd00:20::1), v4 (172.16.0.1), " +
        "down0 (down, 10.9.0.1, fd00:90::1), bare0 (no address)",
    );
  });

  it("does not list hundreds of interfaces", () => {
    const many = view(Array.from({ length: 300 }, (_, n) => link(`veth${n}`, [])));
    expect(refusal({ iface: ["x"] }, many)).toMatch(/veth7 \(no address\) and 292 more$/);
    expect(refusal({ iface: ["x"] }, view([LO]))).toMatch(/→ this node has no interface but loopback$/);
  });
});

describe("--iface-regex", () => {
  it.each<[string, string]>([
    ["^10\\.", "eth1 9000 10.0.0.1"],
    ["\\.0\\.2$", "eth0 1500 192.168.0.2"],
    ["eth", "eth0 1500 192.168.0.1"],
    ["(?i)^ETH1$", "eth1 9000 10.0.0.1"],
    [".*", "eth0 1500 192.168.0.1"],
  ])("%s matches IPs, then names", (pattern, chosen) => {
    expect(choose({ ifaceRegex: [pattern] })).toBe(chosen);
  });

  it("matches IPs before names, whatever the order of interfaces", () => {
    const links = view([link("net10", ["192.168.0.1"]), link("eth7", ["10.0.0.1"])]);
    expect(choose({ ifaceRegex: ["10"] }, links)).toBe("eth7 1500 10.0.0.1");
  });

  it("has to match in both families on one interface, or a name", () => {
    expect(choose({ ifaceRegex: ["^10\\.|^fd00:20:"], ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(choose({ ifaceRegex: ["eth1"], ...DUAL })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(refusal({ ifaceRegex: ["^10\\.|^fd00:10:"], ...DUAL })).toMatch(
      /^HOST_NO_DEVICE: .*--iface-regex \^10\\.\|\^fd00:10:: no interface has both an IPv4 and an IPv6 address with a match, and no name has one → this node/,
    );
  });

  it("may be repeated, and comes after --iface", () => {
    expect(choose({ ifaceRegex: ["^8\\.", "^172\\.", "eth"] })).toBe("v4 1500 172.16.0.1");
    expect(choose({ iface: ["eth1"], ifaceRegex: ["eth0"] })).toBe("eth1 9000 10.0.0.1");
    expect(choose({ iface: ["eth9"], ifaceRegex: ["eth0"] })).toBe("eth0 1500 192.168.0.1");
  });

  it("passes over what cannot be taken", () => {
    expect(refusal({ ifaceRegex: ["^down0$"] })).toMatch(/--iface-regex \^down0\$: down0 is down →/);
    expect(choose({ ifaceRegex: ["^(down0|v4)$"] })).toBe("v4 1500 172.16.0.1");
    expect(refusal({ ifaceRegex: ["^lo$"] })).toMatch(/no interface has an address with a match/);
  });

  it("is refused when it is none, whatever else was given", () => {
    expect(refusal({ iface: ["eth0"], ifaceRegex: ["eth("] })).toMatch(
      /^HOST_BAD_OPTION: the pattern "eth\("/,
    );
  });
});

describe("--iface-can-reach", () => {
  const leading = { ...NODE, way: { device: "eth1", source: "10.0.0.1" } };

  it("takes the interface of the way there, and the address the kernel sends from", () => {
    expect(choose({ canReach: "10.0.0.99" }, leading)).toBe("eth1 9000 10.0.0.1");
    const second = { ...NODE, way: { device: "eth0", source: "192.168.0.2" } };
    expect(choose({ canReach: "192.168.0.99", ...DUAL }, second)).toBe("eth0 1500 192.168.0.2 fd00:10::1");
  });

  it("does not believe in a source that the interface does not have", () => {
    expect(
      choose({ canReach: "fd00:10::99", ...DUAL }, { ...NODE, way: { device: "eth0", source: "::1" } }),
    ).toBe("eth0 1500 192.168.0.1 fd00:10::1");
  });

  it("comes after --iface and --iface-regex, and before --public-ip names an interface", () => {
    expect(choose({ canReach: "10.0.0.99", ifaceRegex: ["^172"] }, leading)).toBe("v4 1500 172.16.0.1");
    expect(choose({ canReach: "10.0.0.99", iface: ["eth9"] }, leading)).toBe("eth1 9000 10.0.0.1");
    expect(choose({ canReach: "10.0.0.99", publicIp: "192.168.0.1" }, leading)).toBe(
      "eth1 9000 10.0.0.1 as 192.168.0.1",
    );
  });

  it("says why not", () => {
    const none = { ...NODE, way: "Network is unreachable" };
    expect(refusal({ canReach: "8.8.8.8", iface: ["eth9"] }, none)).toMatch(
      /--iface eth9: there is no such interface; --iface-can-reach 8.8.8.8: Network is unreachable →/,
    );
  });
});

describe("addresses of an interface", () => {
  it.each<[string, readonly (string | Address)[], string]>([
    ["global before link-local", ["169.254.1.1", "192.168.0.1"], "192.168.0.1"],
    ["link-local when there is no other", ["169.254.1.1"], "169.254.1.1"],
    ["permanent before dynamic", [{ local: "10.0.0.9", dynamic: true }, "10.0.0.1"], "10.0.0.1"],
    ["dynamic before link-local", ["169.254.1.1", { local: "10.0.0.9", dynamic: true }], "10.0.0.9"],
    ["primary before secondary", [{ local: "10.0.0.2", secondary: true }, "10.0.0.1"], "10.0.0.1"],
    [
      "secondary before dynamic",
      [
        { local: "10.0.0.1", dynamic: true },
        { local: "10.0.0.2", secondary: true },
      ],
      "10.0.0.2",
    ],
    [
      "none that is deprecated",
      [
        { local: "10.0.0.1", deprecated: true },
        { local: "10.0.0.2", dynamic: true },
      ],
      "10.0.0.2",
    ],
    ["the first of equals", ["10.0.0.7", "10.0.0.3"], "10.0.0.7"],
  ])("IPv4: %s", (_what, addresses, chosen) => {
    expect(choose({ iface: ["e"] }, view([link("e", addresses)]))).toBe(`e 1500 ${chosen}`);
  });

  const slaac = { local: "fd00::aaaa", dynamic: true, mngtmpaddr: true };
  const temporary = { local: "fd00::bbbb", dynamic: true, temporary: true };

  it.each<[string, readonly (string | Address)[], string]>([
    ["lasting before temporary", [temporary, slaac], "fd00::aaaa"],
    ["permanent before both", [temporary, slaac, "fd00::1"], "fd00::1"],
    ["tested before tentative", [{ local: "fd00::1", tentative: true }, "fd00::2"], "fd00::2"],
    ["tentative when there is no other", [{ local: "fd00::1", tentative: true }, LL], "fd00::1"],
    [
      "none that somebody else has",
      [{ local: "fd00::1", dadfailed: true, tentative: true }, slaac],
      "fd00::aaaa",
    ],
  ])("IPv6: %s", (_what, addresses, chosen) => {
    expect(choose({ iface: ["e"], families: [6] }, view([link("e", addresses)]))).toBe(`e 1500 ${chosen}`);
  });
});

describe("what iproute2 prints", () => {
  it("of default routes: the first of several, through the first of several next hops, and none that refuses", () => {
    const json = JSON.parse(
      '[{"type":"unreachable","dst":"default","dev":"lo","metric":1,"flags":[]},{"dst":"default","metric":5,"flags":[],"nexthops":[{"gateway":"192.168.0.7","dev":"eth1","weight":1,"flags":[]},{"gateway":"192.168.0.8","dev":"eth2","weight":1,"flags":[]}]},{"dst":"default","gateway":"192.168.0.9","dev":"eth0","metric":9,"flags":[]}]',
    );
    expect(parseDefaults(json)).toEqual(["eth1", "eth0"]);
    expect(parseDefaults([])).toEqual([]);
  });

  it("of a way", () => {
    const way =
      '[{"dst":"1.2.3.4","gateway":"192.168.0.9","dev":"up0","prefsrc":"192.168.0.1","flags":[],"uid":0,"cache":[]}]';
    expect(parseWay(JSON.parse(way))).toEqual({ device: "up0", source: "192.168.0.1" });
    const own =
      '[{"type":"local","dst":"192.168.0.1","dev":"lo","prefsrc":"192.168.0.1","flags":[],"cache":["local"]}]';
    expect(parseWay(JSON.parse(own))).toBe("it is an address of this node itself");
    expect(parseWay([])).toBe("there is no way");
  });
});
