/**
 * The choice of interface and public IP against the kernel's own addresses and routes.
 *
 *   ┌ poplin-<id>-uplink ───────────────────────────────────────────────────────────────┐
 *   │ eth0 192.168.0.1/24, .2/24 (secondary), fd00:10::1/64, MTU 1500; default routes   │
 *   │ eth1 10.0.0.1/24, fd00:20::1/64, MTU 9000; the way to 10.77.0.0/16 and fd00:77::  │
 *   │ down0 10.9.0.1/24, never up      bare0 up, IPv6 link-local only                   │
 *   └───────────────────────────────────────────────────────────────────────────────────┘
 */
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HostError } from "../../src/host/command.ts";
import { findPublicIp, type PublicIpWish } from "../../src/host/public-ip.ts";
import { addNamespace, ipBatch, ip as ipOf, removeNamespaces } from "../../src/lab/netns.ts";
import { describeWith, namespaces } from "../helpers/needs.ts";

const SETUP = [
  ...["eth0", "eth1", "down0", "bare0"].map((name) => `link add ${name} type veth peer name far-${name}`),
  "link set eth1 mtu 9000",
  ...["eth0", "eth1", "bare0"].flatMap((name) => [`link set far-${name} up`, `link set ${name} up`]),
  "addr add 192.168.0.1/24 dev eth0",
  "addr add 192.168.0.2/24 dev eth0",
  "addr add fd00:10::1/64 dev eth0 nodad",
  "addr add 10.0.0.1/24 dev eth1",
  "addr add fd00:20::1/64 dev eth1 nodad",
  "addr add 10.9.0.1/24 dev down0",
  "route add default via 192.168.0.254",
  "route add default via 10.0.0.254 metric 100",
  "route add default via fd00:10::ff",
  "route add 10.77.0.0/16 via 10.0.0.254",
  "route add fd00:77::/64 via fd00:20::ff",
];

describeWith([namespaces()], "the interface and the public IP", () => {
  let netns = "";

  function ip(line: string): void {
    ipOf(["-n", netns, ...line.split(" ")]);
  }

  /** @returns "eth0 1500 192.168.0.1 fd00:10::1"; what went wrong as "CODE: message → remedy" */
  async function find(more: Partial<PublicIpWish> = {}): Promise<string> {
    const nothing = { iface: [], ifaceRegex: [], canReach: null, publicIp: null, publicIpv6: null };
    try {
      const { device, mtu, ipv4, ipv6 } = await findPublicIp(
        { ...nothing, families: [4], ...more },
        { netns },
      );
      return [device, mtu, ...[ipv4, ipv6].flatMap((one) => one?.publicIp ?? [])].join(" ");
    } catch (error) {
      if (error instanceof HostError) return `${error.code}: ${error.message} → ${error.remedy}`;
      throw error;
    }
  }

  const dual = { families: [4, 6] } as const;

  beforeEach(() => {
    netns = `poplin-${randomBytes(4).toString("hex")}-uplink`;
    addNamespace(netns);
    ipBatch(netns, SETUP);
  });
  afterEach(() => removeNamespaces([netns]));

  it("are those of the default route, of the lowest metric", async () => {
    expect(await find()).toBe("eth0 1500 192.168.0.1");
    expect(await find({ families: [6] })).toBe("eth0 1500 fd00:10::1");
    expect(await find(dual)).toBe("eth0 1500 192.168.0.1 fd00:10::1");
    ip("route del default via 192.168.0.254");
    expect(await find()).toBe("eth1 9000 10.0.0.1");
    expect(await find(dual)).toMatch(
      /^HOST_NO_UPLINK: the default routes of IPv4 and IPv6 lead through eth1 and eth0/,
    );
  });

  it("have to be named where there is no default route", async () => {
    ip("route del default via 192.168.0.254");
    ip("route del default via 10.0.0.254");
    expect(await find()).toMatch(
      /^HOST_NO_UPLINK: there is no default route of IPv4, .* → say with --iface .*; this node has .*eth0 \(192\.168\.0\.1, 192/,
    );
    expect(await find({ families: [6] })).toBe("eth0 1500 fd00:10::1");
    ip("-6 route replace unreachable default metric 1");
    ip("route del default via fd00:10::ff");
    expect(await find({ families: [6] })).toMatch(/^HOST_NO_UPLINK: there is no default route of IPv6/);
    expect(await find({ iface: ["eth1"], ...dual })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
  });

  it("are found where the default route has several next hops", async () => {
    ip("route del default via 192.168.0.254");
    ip("route add default nexthop via 10.0.0.253 nexthop via 192.168.0.253");
    expect(await find()).toBe("eth1 9000 10.0.0.1");
  });

  it("are those of an interface that is named, by name, address or pattern", async () => {
    expect(await find({ iface: ["eth1"] })).toBe("eth1 9000 10.0.0.1");
    expect(await find({ iface: ["192.168.0.2"], ...dual })).toBe("eth0 1500 192.168.0.2 fd00:10::1");
    expect(await find({ iface: ["FD00:20:0::1"], ...dual })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(await find({ ifaceRegex: ["^10\\.0\\."] })).toBe("eth1 9000 10.0.0.1");
    expect(await find({ ifaceRegex: ["^10\\.0\\.|^fd00:20:"], ...dual })).toBe(
      "eth1 9000 10.0.0.1 fd00:20::1",
    );
    expect(await find({ ifaceRegex: ["(?i)^ETH1$"] })).toBe("eth1 9000 10.0.0.1");
  });

  it("are those of the way to another node", async () => {
    expect(await find({ canReach: "10.77.0.1" })).toBe("eth1 9000 10.0.0.1");
    expect(await find({ canReach: "10.77.0.1", ...dual })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    expect(await find({ canReach: "fd00:77::1", ...dual })).toBe("eth1 9000 10.0.0.1 fd00:20::1");
    ip("route add 10.78.0.0/16 via 192.168.0.254 src 192.168.0.2");
    expect(await find({ canReach: "10.78.0.1" })).toBe("eth0 1500 192.168.0.2");
    ip("route add unreachable 10.79.0.0/16");
    expect(await find({ canReach: "10.79.0.1" })).toMatch(/--iface-can-reach 10.79.0.1: No route to host →/);
    expect(await find({ canReach: "10.0.0.1" })).toMatch(/it is an address of this node itself/);
    expect(await find({ canReach: "node-b" })).toMatch(/--iface-can-reach node-b: it is no IP address/);
  });

  it("are those of --public-ip, which has to be local where nothing else names an interface", async () => {
    expect(await find({ publicIp: "10.0.0.1" })).toBe("eth1 9000 10.0.0.1");
    expect(await find({ publicIp: "203.0.113.7" })).toMatch(
      /^HOST_LOCAL_ADDRESS: no interface has the public IP 203/,
    );
    expect(await find({ publicIp: "203.0.113.7", iface: ["eth0"] })).toBe("eth0 1500 203.0.113.7");
  });

  it("are never those of an interface that is down, or has link-local addresses alone", async () => {
    expect(await find({ iface: ["down0"] })).toMatch(
      /--iface down0: down0 is down → .*down0 \(down, 10\.9\.0\.1\)/,
    );
    expect(await find({ iface: ["10.9.0.1", "eth1"] })).toBe("eth1 9000 10.0.0.1");
    expect(await find({ iface: ["bare0"], families: [6] })).toMatch(/bare0 has no IPv6 address at which/);
    ip("link set eth0 down"); // and its routes are gone with it
    expect(await find()).toBe("eth1 9000 10.0.0.1");
    expect(await find({ publicIp: "192.168.0.1" })).toMatch(/the public IP is 192.168.0.1, but eth0 is down/);
  });

  it("are the lasting address, not one that is about to end", async () => {
    ipBatch(netns, [
      "addr flush dev eth1",
      "addr add 10.0.0.5/24 dev eth1 valid_lft 1000 preferred_lft 0",
      "addr add 10.0.0.6/24 dev eth1 valid_lft 1000 preferred_lft 1000",
      "addr add 10.0.0.7/24 dev eth1",
      "addr add fd00:20::5/64 dev eth1 nodad",
      "addr add fd00:20::6/64 dev eth1 nodad valid_lft 1000 preferred_lft 1000",
    ]);
    expect(await find({ iface: ["eth1"], ...dual })).toBe("eth1 9000 10.0.0.7 fd00:20::5");
    ip("addr del 10.0.0.7/24 dev eth1");
    expect(await find({ iface: ["eth1"] })).toBe("eth1 9000 10.0.0.6");
  });

  it("are asked of a namespace that exists", async () => {
    removeNamespaces([netns]);
    expect(await find()).toMatch(/^HOST_IP_FAILED: .*Cannot open network namespace/);
  });
});
