import { describe, expect, it } from "vitest";
import { loadConfig, resolveConfig } from "../../../src/agent/config/load.ts";
import { type FamilyNode, flannelConfig, refuseDecided } from "../../../src/agent/flannel/config.ts";
import { formerOf } from "../../../src/agent/flannel/former.ts";
import { gatewayOf } from "../../../src/agent/flannel/host-setup.ts";

const BACKEND = { vni: 1, port: 8472, mtu: null, gbp: false, learning: false, directRouting: false };
const NODE: FamilyNode = {
  family: 4,
  network: "10.244.0.0/16",
  subnet: "10.244.3.0/24",
  local: "172.19.0.2",
  vtepMac: "02:00:00:00:00:01",
};

function base(env: Record<string, string> = {}) {
  return loadConfig({ profile: "flannel", env }).config;
}

describe("the configuration of a node of a flannel cluster", () => {
  it("has device, address and VNI as flanneld has them, and looks at the inner MAC of who sends", () => {
    expect(flannelConfig(base(), BACKEND, NODE, [])).toMatchObject({
      ...{ device: "flannel.1", vni: 1, port: 8472, address: ["10.244.3.0/32"], mtu: null, learning: false },
      ...{ local: "172.19.0.2", vtepMac: "02:00:00:00:00:01", family: 4, senderCheck: "mac", gbp: "off" },
    });
  });

  it("is the overlay's in all places", () => {
    const config = flannelConfig(base(), BACKEND, NODE, []);
    const { overlays, ...first } = config;
    expect(overlays).toEqual([first]);
  });

  it.each([
    [4, 1500, 1450],
    [6, 1500, 1430],
  ] as const)(
    "takes what net-conf.json says as the underlay's MTU: over IPv%i %i leave %i",
    (family, mtu, left) => {
      expect(flannelConfig(base(), { ...BACKEND, mtu }, { ...NODE, family }, []).mtu).toBe(left);
    },
  );

  it("has a second device for IPv6, with a /128", () => {
    const node: FamilyNode = { ...NODE, family: 6, subnet: "fd00:10:244:3::/64", local: "fd00:172:19::2" };
    expect(flannelConfig(base(), { ...BACKEND, vni: 7, port: 4789 }, node, [])).toMatchObject({
      ...{ device: "flannel-v6.7", vni: 7, port: 4789, address: ["fd00:10:244:3::/128"], family: 6 },
    });
  });

  it("takes the dataplane's settings from the environment", () => {
    const config = base({ POPLIN_SENDER_CHECK: "strict", POPLIN_QUEUES: "2" });
    expect(() => refuseDecided(config)).not.toThrow();
    expect(flannelConfig(config, BACKEND, NODE, [])).toMatchObject({ senderCheck: "strict", queues: 2 });
  });

  it("learning and group policies are the network's to decide", () => {
    const config = flannelConfig(base(), { ...BACKEND, learning: true, gbp: true }, NODE, []);
    expect(config.learning).toBe(true);
    expect(config.gbp).toEqual({ group: 0, dontLearn: false, applied: false });
  });

  it("what the cluster decides is a mistake elsewhere, and all of them are named", () => {
    const text = "vni: 3\nmtu: 1400\npeers: []\n";
    const { config } = resolveConfig({ profile: "flannel", file: { name: "node.yaml", text } });
    expect(() => refuseDecided(config!)).toThrow(
      /node\.yaml:1:\d+: vni: a node of a flannel cluster cannot choose this; the cluster decides it: Backend\.VNI[\s\S]*node\.yaml:2:\d+: mtu/,
    );
  });
});

describe("what a node had before", () => {
  it("is its subnets without their gateways, and their networks", () => {
    const env = { ipv4: { network: "10.244.0.0/16", subnet: "10.244.3.1/24" }, ipv6: null };
    expect(formerOf(env)).toEqual({
      subnets: { ipv4: "10.244.3.0/24", ipv6: null },
      networks: [{ family: 4, network: "10.244.0.0/16", subnet: "10.244.3.0/24" }],
    });
  });

  it("is nothing where subnet.env says nothing", () => {
    expect(formerOf({ ipv4: null, ipv6: null })).toEqual({ subnets: null, networks: [] });
  });
});

it("the gateway of a subnet is its first address", () => {
  expect([gatewayOf("10.244.3.0/24"), gatewayOf("fd00:10:244:3::/64")]).toEqual([
    "10.244.3.1/24",
    "fd00:10:244:3::1/64",
  ]);
});
