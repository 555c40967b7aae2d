/** flannel's contract on a Node object, byte for byte. */
import { describe, expect, it } from "vitest";
import { type LeaseAttributes, vxlanData } from "../../../src/control/flannel/node-lease.ts";
import {
  Annotations,
  differenceOf,
  hintsOf,
  isManaged,
  leaseOf,
  type NodeFacts,
  PrefixError,
  patched,
  subnetsOf,
} from "../../../src/stores/kubernetes/annotations.ts";

const annotations = new Annotations();

const ATTRIBUTES: LeaseAttributes = {
  publicIp: "192.168.64.3",
  publicIpv6: null,
  backendType: "vxlan",
  backendData: vxlanData(1, "c6:d2:32:6f:8f:44"),
  backendV6Data: null,
};

/** A node as `kubectl get -o json` shows it, with flannel's annotations and somebody else's. */
function node(values: Record<string, string>, spec: object = { podCIDR: "10.244.3.0/24" }): NodeFacts {
  const own = Object.entries(values).map(([key, value]) => [`flannel.alpha.coreos.com/${key}`, value]);
  const others = { "node.alpha.kubernetes.io/ttl": "0" };
  const facts = annotations.facts({
    kind: "Node",
    metadata: { name: "worker", annotations: { ...others, ...Object.fromEntries(own) } },
    spec,
  });
  if (facts === null) throw new Error("it is a node");
  return facts;
}

describe("the names of annotations", () => {
  it.each([
    ["flannel.alpha.coreos.com", "flannel.alpha.coreos.com/public-ip"],
    ["example.org/second", "example.org/second-public-ip"],
    ["example.org/second-", "example.org/second-public-ip"],
    ["example.org/", "example.org/public-ip"],
  ])("with the prefix %s: %s", (prefix, name) => {
    expect(new Annotations(prefix).full("public-ip")).toBe(name);
  });

  it.each(["", "a/b/c", "with space", "/x"])("refuses the prefix %j", (prefix) => {
    expect(() => new Annotations(prefix)).toThrow(PrefixError);
  });
});

describe("what a node is made to say", () => {
  it("is byte for byte what flanneld writes", () => {
    expect(annotations.patch(differenceOf(node({}), ATTRIBUTES))).toEqual({
      "flannel.alpha.coreos.com/backend-type": "vxlan",
      "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}',
      "flannel.alpha.coreos.com/public-ip": "192.168.64.3",
      "flannel.alpha.coreos.com/kube-subnet-manager": "true",
    });
  });

  it("has both families where both are on", () => {
    const dual = {
      ...ATTRIBUTES,
      publicIpv6: "2001:db8::3",
      backendV6Data: vxlanData(1, "0e:11:22:33:44:55"),
    };
    expect(Object.entries(annotations.patch(differenceOf(node({}), dual))).slice(3, 5)).toEqual([
      ["flannel.alpha.coreos.com/backend-v6-data", '{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}'],
      ["flannel.alpha.coreos.com/public-ipv6", "2001:db8::3"],
    ]);
  });

  it("is only what differs, and nothing where nothing does", () => {
    const said = patched(node({}), differenceOf(node({}), ATTRIBUTES));
    expect(differenceOf(said, ATTRIBUTES).size).toBe(0);
    const moved = { ...ATTRIBUTES, publicIp: "192.168.64.4" };
    expect([...differenceOf(said, moved)]).toEqual([["public-ip", "192.168.64.4"]]);
  });

  it("has an administrator's address instead of ours, in what is published alone", () => {
    const overwritten = node({ "public-ip-overwrite": "203.0.113.9" });
    expect(differenceOf(overwritten, ATTRIBUTES).get("public-ip")).toBe("203.0.113.9");
    expect(() => differenceOf(node({ "public-ip-overwrite": "here" }), ATTRIBUTES)).toThrow(
      'its annotation public-ip-overwrite is "here", and no IPv4 address',
    );
  });

  it("loses a family that is off now", () => {
    const before = node({ "public-ipv6": "2001:db8::3", "backend-v6-data": "{}" });
    const difference = differenceOf(before, ATTRIBUTES);
    expect([difference.get("public-ipv6"), difference.get("backend-v6-data")]).toEqual([null, null]);
  });

  it("is taken away whole, and nothing else is", () => {
    expect(annotations.removal()).toEqual({
      "flannel.alpha.coreos.com/backend-type": null,
      "flannel.alpha.coreos.com/backend-data": null,
      "flannel.alpha.coreos.com/backend-v6-data": null,
      "flannel.alpha.coreos.com/public-ip": null,
      "flannel.alpha.coreos.com/public-ipv6": null,
      "flannel.alpha.coreos.com/kube-subnet-manager": null,
    });
  });
});

describe("what a node says", () => {
  const SAID = {
    "kube-subnet-manager": "true",
    "backend-type": "vxlan",
    "backend-data": '{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}',
    "public-ip": "192.168.64.3",
  };

  it("is a lease", () => {
    expect(isManaged(node(SAID))).toBe(true);
    expect(leaseOf(node(SAID))).toEqual({
      key: "worker",
      subnets: { ipv4: "10.244.3.0/24", ipv6: null },
      attributes: ATTRIBUTES,
    });
  });

  it("is a lease of a load balancer's, written by hand and without a VNI", () => {
    const lease = leaseOf(node({ ...SAID, "backend-data": '{"VtepMAC": "c6:d2:32:6f:8f:44"}' }));
    expect(lease).toMatchObject({ attributes: { backendData: { VtepMAC: "c6:d2:32:6f:8f:44" } } });
  });

  it.each(["True", "false", "1", ""])("is none with kube-subnet-manager %j", (value) => {
    expect(isManaged(node({ ...SAID, "kube-subnet-manager": value }))).toBe(false);
  });

  it("takes the first podCIDR of each family", () => {
    const dual = { podCIDR: "fd00:10:244:3::/64", podCIDRs: ["fd00:10:244:3::/64", "10.244.3.0/24"] };
    expect(subnetsOf(node({}, dual))).toEqual({ ipv4: "10.244.3.0/24", ipv6: "fd00:10:244:3::/64" });
    expect(subnetsOf(node({}, { podCIDRs: ["10.1.0.0/24", "10.2.0.0/24"] }))).toEqual({
      ipv4: "10.1.0.0/24",
      ipv6: null,
    });
  });

  it.each([
    ["no JSON", { ...SAID, "backend-data": '{"VNI":1,' }, undefined, /backend-data is no JSON: \{"VNI":1,/],
    [
      "1 MB",
      { ...SAID, "backend-data": "x".repeat(2 ** 20) },
      undefined,
      /backend-data has 1048576 characters/,
    ],
    ["no address", { ...SAID, "public-ip": "somewhere" }, undefined, /public-ip is "somewhere"/],
    ["another family", { ...SAID, "public-ip": "2001:db8::1" }, undefined, /and no IPv4 address/],
    ["no podCIDR", SAID, {}, /no podCIDR/],
    ["a broken podCIDR", SAID, { podCIDR: "10.244.3.0" }, /no prefix length/],
    ["three podCIDRs", SAID, { podCIDRs: ["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"] }, /3 podCIDRs/],
  ])("is no lease with %s, and says why", (_, values, spec, reason) => {
    expect(leaseOf(node(values, spec))).toMatch(reason);
  });

  it("can be an address for us", () => {
    expect(hintsOf(node({ "node-public-ip": "192.0.2.7" }))).toMatchObject({
      publicIp: "192.0.2.7",
      publicIpv6: null,
    });
  });

  it.each([null, 1, "x", [], {}, { metadata: null }, { metadata: { name: 1 } }])("is none: %j", (value) => {
    expect(annotations.facts(value)).toBe(null);
  });

  it("is looked at whatever shape it has", () => {
    const facts = annotations.facts({
      metadata: { name: "x", annotations: { "flannel.alpha.coreos.com/public-ip": 1 } },
      spec: { podCIDRs: "10.0.0.0/24", podCIDR: 7 },
    });
    expect(facts).toEqual({ name: "x", annotations: new Map(), tooLong: null, podCidrs: [] });
  });
});
