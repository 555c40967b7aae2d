/** flannel's rules: what its plugin delegates, for each thing that a configuration or subnet.env can say. */
import { describe, expect, it } from "vitest";
import { parseConf } from "../../src/cni/conf.ts";
import { delegateConf } from "../../src/cni/delegate-conf.ts";
import { parsePodNetwork } from "../../src/cni/pod-network.ts";

const V4 = ["FLANNEL_NETWORK=10.244.0.0/16", "FLANNEL_SUBNET=10.244.1.1/24"];
const V6 = ["FLANNEL_IPV6_NETWORK=fd00:10:244::/48", "FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64"];
const REST = ["FLANNEL_MTU=1450", "FLANNEL_IPMASQ=true"];

/** @param conf beside name and type */
function delegated(conf: object = {}, env: readonly string[] = [...V4, ...REST]) {
  const text = JSON.stringify({ name: "cbr0", type: "flannel", ...conf });
  return delegateConf(parseConf(text), parsePodNetwork(env.join("\n"), "subnet.env"));
}

const IPAM = {
  type: "host-local",
  ranges: [[{ subnet: "10.244.1.0/24" }]],
  routes: [{ dst: "10.244.0.0/16" }],
};

describe("what is delegated", () => {
  it("is all of it: a bridge that is the pods' gateway, with the node's subnet", () => {
    expect(delegated()).toEqual({
      name: "cbr0",
      type: "bridge",
      ipMasq: false,
      mtu: 1450,
      isGateway: true,
      ipam: IPAM,
    });
  });

  it("is what kube-flannel's configuration asks for", () => {
    const conf = { cniVersion: "0.3.1", delegate: { hairpinMode: true, isDefaultGateway: true } };
    expect(delegated(conf)).toEqual({
      ...{ name: "cbr0", cniVersion: "0.3.1", type: "bridge", ipMasq: false, mtu: 1450, isGateway: true },
      hairpinMode: true,
      isDefaultGateway: true,
      ipam: IPAM,
    });
  });

  it.each<[string, object, readonly string[], object]>([
    [
      "masquerades where the node does not",
      {},
      [...V4, "FLANNEL_MTU=1450", "FLANNEL_IPMASQ=false"],
      { ipMasq: true },
    ],
    [
      "masquerades for any other word",
      {},
      [...V4, "FLANNEL_MTU=1450", "FLANNEL_IPMASQ=True"],
      { ipMasq: true },
    ],
    ["has the operator's ipMasq", { delegate: { ipMasq: true } }, [...V4, ...REST], { ipMasq: true }],
    ["has the operator's mtu", { delegate: { mtu: 1300 } }, [...V4, ...REST], { mtu: 1300 }],
    ["keeps even an mtu that is null", { delegate: { mtu: null } }, [...V4, ...REST], { mtu: null }],
    [
      "has the operator's isGateway",
      { delegate: { isGateway: false } },
      [...V4, ...REST],
      { isGateway: false },
    ],
    [
      "passes on what it does not know",
      { delegate: { bridge: "x0", new: [1] } },
      [...V4, ...REST],
      { bridge: "x0", new: [1] },
    ],
    [
      "overrules a cniVersion in delegate",
      { cniVersion: "1.0.0", delegate: { cniVersion: "0.2.0" } },
      [...V4, ...REST],
      { cniVersion: "1.0.0" },
    ],
    [
      "leaves delegate's cniVersion where none is said",
      { delegate: { cniVersion: "0.2.0" } },
      [...V4, ...REST],
      { cniVersion: "0.2.0" },
    ],
    [
      "copies runtimeConfig",
      { runtimeConfig: { mac: "02:00:00:00:00:01" } },
      [...V4, ...REST],
      { runtimeConfig: { mac: "02:00:00:00:00:01" } },
    ],
    [
      "takes runtimeConfig for delegate's",
      { runtimeConfig: { a: 1 }, delegate: { runtimeConfig: { b: 2 } } },
      [...V4, ...REST],
      { runtimeConfig: { a: 1 } },
    ],
  ])("%s", (_what, conf, env, expected) => {
    expect(delegated(conf, env)).toMatchObject(expected);
  });

  it("is gateway of bridges alone", () => {
    const ipvlan = delegated({ delegate: { type: "ipvlan", master: "eth0" } });
    expect(ipvlan).toEqual({
      name: "cbr0",
      type: "ipvlan",
      master: "eth0",
      ipMasq: false,
      mtu: 1450,
      ipam: IPAM,
    });
  });

  it.each<[string, object, readonly string[], object]>([
    [
      "both families, IPv4 first",
      {},
      [...V6, ...V4, ...REST],
      {
        ranges: [[{ subnet: "10.244.1.0/24" }], [{ subnet: "fd00:10:244:1::/64" }]],
        routes: [{ dst: "10.244.0.0/16" }, { dst: "fd00:10:244::/48" }],
      },
    ],
    [
      "IPv6 alone",
      {},
      [...V6, ...REST],
      { ranges: [[{ subnet: "fd00:10:244:1::/64" }]], routes: [{ dst: "fd00:10:244::/48" }] },
    ],
    [
      "several networks, each once",
      {},
      ["FLANNEL_NETWORK=10.244.0.0/16,10.245.0.0/16,10.244.0.0/16", V4[1]!, ...REST],
      {
        routes: [{ dst: "10.244.0.0/16" }, { dst: "10.245.0.0/16" }],
      },
    ],
    ["another type of ipam", { ipam: { type: "dhcp" } }, [...V4, ...REST], { type: "dhcp" }],
    [
      "the operator's routes first, as they are",
      { ipam: { routes: [{ dst: "10.0.0.0/8", gw: "10.244.1.9", mtu: 9 }] } },
      [...V4, ...REST],
      {
        routes: [{ dst: "10.0.0.0/8", gw: "10.244.1.9", mtu: 9 }, { dst: "10.244.0.0/16" }],
      },
    ],
    [
      "no ranges but the node's",
      { ipam: { ranges: [[{ subnet: "1.2.3.0/24" }]], routes: null } },
      [...V4, ...REST],
      IPAM,
    ],
    [
      "what else the operator says",
      { ipam: { dataDir: "/run/ipam", resolvConf: "/x" } },
      [...V4, ...REST],
      { dataDir: "/run/ipam", resolvConf: "/x" },
    ],
  ])("ipam has %s", (_what, conf, env, expected) => {
    expect(delegated(conf, env).ipam).toMatchObject(expected);
  });
});

describe("subnet.env", () => {
  it.each<[string, readonly string[], RegExp]>([
    [
      "nothing",
      [],
      /is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ$/,
    ],
    ["no network", [V4[1]!, ...REST], /is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK$/],
    ["no subnet", [V4[0]!, ...REST], /is missing FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET$/],
    ["no MTU", [...V4, REST[1]!], /is missing FLANNEL_MTU$/],
    ["an empty word for masquerading", [...V4, REST[0]!, "FLANNEL_IPMASQ="], /is missing FLANNEL_IPMASQ$/],
    ["an MTU that is none", [...V4, "FLANNEL_MTU=-1", REST[1]!], /no number in FLANNEL_MTU/],
    [
      "a network that is none",
      ["FLANNEL_NETWORK=10.244.0.0/33", V4[1]!, ...REST],
      /no CIDR in FLANNEL_NETWORK: /,
    ],
    ["a subnet that is none", [V4[0]!, "FLANNEL_SUBNET=10.244.1", ...REST], /no CIDR in FLANNEL_SUBNET: /],
  ])("with %s is refused", (_what, lines, said) => {
    expect(() => parsePodNetwork(lines.join("\n"), "/run/x.env")).toThrow(
      expect.objectContaining({
        code: 7,
        message: expect.stringMatching(said),
        details: expect.stringMatching(/flanneld writes it/),
      }),
    );
  });
});

describe("a configuration", () => {
  it.each<[string, string, number, RegExp]>([
    ["that is no JSON", "{", 6, /no JSON/],
    ["that is no object", "[]", 6, /no JSON object/],
    ["without a name", "{}", 7, /no name/],
    ["with a name of other characters", '{"name":"a/b"}', 7, /no name/],
    ["of a version that is none", '{"name":"a","cniVersion":"2.0.0"}', 1, /"2.0.0" is not known/],
    ["with a delegate that is none", '{"name":"a","delegate":[]}', 7, /`delegate` is no JSON object/],
    ["whose delegate has a type that is none", '{"name":"a","delegate":{"type":3}}', 7, /`delegate.type`/],
    ["whose delegate has no type", '{"name":"a","delegate":{"type":null}}', 7, /`delegate.type`/],
    ["that delegates to itself", '{"name":"a","delegate":{"type":"flannel"}}', 7, /flannel itself/],
    ["whose delegate has a name", '{"name":"a","delegate":{"name":"b"}}', 7, /`name`.*leave it out/],
    ["whose delegate has an ipam", '{"name":"a","delegate":{"ipam":{}}}', 7, /`ipam` beside `delegate`/],
    ["with an ipam that is none", '{"name":"a","ipam":"dhcp"}', 7, /`ipam` is no JSON object/],
    ["with routes that are none", '{"name":"a","ipam":{"routes":[{"gw":"1.2.3.4"}]}}', 7, /`ipam.routes`/],
    ["with a dataDir that is none", '{"name":"a","dataDir":"here"}', 7, /`dataDir` is no absolute path/],
    ["with a subnetFile that is none", '{"name":"a","subnetFile":5}', 7, /`subnetFile` is no absolute path/],
  ])("%s is refused", (_what, text, code, said) => {
    expect(() => parseConf(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(said) }),
    );
  });

  it("has flannel's places, and takes null for nothing", () => {
    const text = '{"name":"a","delegate":null,"ipam":null,"runtimeConfig":null,"dataDir":null}';
    expect(parseConf(text)).toEqual({
      name: "a",
      subnetFile: "/run/flannel/subnet.env",
      dataDir: "/var/lib/cni/flannel",
      delegate: {},
      ipam: {},
    });
  });
});
