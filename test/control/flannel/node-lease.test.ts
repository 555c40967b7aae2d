import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidr } from "../../../src/control/address.ts";
import {
  checkBackendData,
  formatAttributes,
  type LeaseAttributes,
  parseAttributes,
  parseSubnetKey,
  readVxlanData,
  subnetKey,
  vxlanData,
} from "../../../src/control/flannel/node-lease.ts";
import { attributesOf } from "./samples.ts";

const SEED = 563;

const ipv4Of = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join(".");

const ipv4Subnet = fc
  .tuple(fc.integer({ min: 1, max: 0xdfffffff }), fc.integer({ min: 0, max: 31 }))
  .map(([n, length]) => parseCidr(`${ipv4Of(n)}/${length}`))
  .map(({ network, prefix }) => `${network}/${prefix}`);
const ipv6Subnet = fc
  .tuple(fc.array(fc.nat(0xffff), { minLength: 7, maxLength: 7 }), fc.integer({ min: 16, max: 127 }))
  .map(([groups, length]) => parseCidr(`fd00:${groups.map((n) => n.toString(16)).join(":")}/${length}`))
  .map(({ network, prefix }) => `${network}/${prefix}`);

describe("the key of a lease", () => {
  it.each([
    ["10.12.13.0-24", { ipv4: "10.12.13.0/24", ipv6: null }],
    ["10.12.13.0-24&fd00:12:13::-56", { ipv4: "10.12.13.0/24", ipv6: "fd00:12:13::/56" }],
    ["fd00:12:13::-56", { ipv4: null, ipv6: "fd00:12:13::/56" }],
  ])("%s names %j, and the other way round", (key, subnets) => {
    expect(parseSubnetKey(key)).toEqual(subnets);
    expect(subnetKey(subnets)).toBe(key);
  });

  it("may name an address in the subnet", () => {
    expect(parseSubnetKey("10.12.13.7-24")).toEqual({ ipv4: "10.12.13.0/24", ipv6: null });
  });

  it.each([
    ...["", "config", "10.12.13.0", "10.12.13.0/24", "10.12.13-24", "10.12.13.0-", "-24", "10.12.13.0-32"],
    ...[
      "10.12.13.256-24",
      "10.12.13.0-24&",
      "&fd00::-56",
      "10.12.13.0-24&fd00::-128",
      "fd00::-56&10.12.13.0-24",
    ],
    ...[
      "10.12.13.0-24&10.12.14.0-24",
      "fd00::-56&fd01::-56",
      " 10.12.13.0-24",
      "10.12.13.0-24\n",
      "10.12.13.0-999",
    ],
    ...["fd00::zz-56", "1-24", ":-1", "x".repeat(1e6), "1".repeat(1e6), `10.12.13.0-24&${":".repeat(1e5)}`],
  ])("%.40j is none", (key) => {
    expect(parseSubnetKey(key)).toBeNull();
  });

  it("is read as what was written", () => {
    const subnets = fc.oneof(
      fc.record({ ipv4: ipv4Subnet, ipv6: fc.option(ipv6Subnet) }),
      fc.record({ ipv4: fc.constant(null), ipv6: ipv6Subnet }),
    );
    fc.assert(
      fc.property(subnets, (one) => {
        expect(parseSubnetKey(subnetKey(one))).toEqual(one);
      }),
      { seed: SEED },
    );
  });
});

describe("the value of a lease", () => {
  /** As flannel's documentation, the reference and its structs have it. */
  it.each<[string, LeaseAttributes, string]>([
    [
      "of IPv4",
      attributesOf(0, {
        publicIp: "192.168.64.3",
        publicIpv6: null,
        backendData: vxlanData(1, "c6:d2:32:6f:8f:44"),
        backendV6Data: null,
      }),
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
    ],
    [
      "of both families",
      attributesOf(0, {
        publicIp: "192.168.64.3",
        publicIpv6: "fd00:64::3",
        backendData: vxlanData(1, "c6:d2:32:6f:8f:44"),
        backendV6Data: vxlanData(1, "c6:d2:32:6f:8f:45"),
      }),
      '{"PublicIP":"192.168.64.3","PublicIPv6":"fd00:64::3","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:45"}}',
    ],
    [
      "of IPv6, where Go has a number for the other",
      attributesOf(0, {
        publicIp: null,
        publicIpv6: "fd00:64::3",
        backendData: null,
        backendV6Data: vxlanData(1, "c6:d2:32:6f:8f:44"),
      }),
      '{"PublicIP":"0.0.0.0","PublicIPv6":"fd00:64::3","BackendType":"vxlan","BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
    ],
  ])("%s is what Go writes, byte for byte, and is read back", (_what, attributes, text) => {
    expect(formatAttributes(attributes)).toBe(text);
    expect(parseAttributes(text)).toEqual(attributes);
  });

  it("is read with keys in any case, others ignored, and as older nodes write it", () => {
    const text =
      '{"publicip":"192.168.64.3","BackendType":"vxlan","BackendData":{"VtepMAC":"c6:d2:32:6f:8f:44"},"x":1}';
    expect(parseAttributes(text)).toEqual({
      publicIp: "192.168.64.3",
      publicIpv6: null,
      backendType: "vxlan",
      backendData: { VtepMAC: "c6:d2:32:6f:8f:44" },
      backendV6Data: null,
    });
  });

  it.each<[string, RegExp]>([
    ["", /^it is no JSON: /],
    ["\n\n{\n", /^it is no JSON: .+$/],
    ["null", /^it is no JSON object$/],
    ["[]", /^it is no JSON object$/],
    ['{"PublicIP":1}', /^PublicIP is 1, and no text$/],
    ['{"PublicIP":"fd00::1"}', /^PublicIP is "fd00::1", and no IPv4 address$/],
    ['{"PublicIP":"node"}', /^PublicIP is "node", and no IPv4 address$/],
    [`{"PublicIP":"${"9".repeat(1e6)}"}`, /^PublicIP is "9{50,60}…, and no IPv4 address$/],
    ['{"PublicIPv6":"10.0.0.1"}', /^PublicIPv6 is "10.0.0.1", and no IPv6 address$/],
    ['{"BackendType":{"toString":1}}', /^BackendType is an object, and no text$/],
    [`{"BackendData":${"[".repeat(9)}${"]".repeat(9)}}`, /^its backend data is nested too deep$/],
    [`{"BackendV6Data":${"[".repeat(1e5)}${"]".repeat(1e5)}}`, /^its backend data is nested too deep$/],
  ])("%.40s is none", (text, message) => {
    expect(() => parseAttributes(text)).toThrow(message);
  });

  it("is read as what was written, and never fails otherwise than with an Error", () => {
    const address = fc.integer({ min: 1, max: 0xdfffffff }).map(ipv4Of);
    const address6 = ipv6Subnet.map((subnet) => parseCidr(subnet).address);
    const data = fc.option(fc.record({ VNI: fc.nat(), VtepMAC: fc.string() }));
    const attributes: fc.Arbitrary<LeaseAttributes> = fc.record({
      publicIp: fc.option(address),
      publicIpv6: fc.option(address6),
      backendType: fc.string(),
      backendData: data,
      backendV6Data: data,
    });
    fc.assert(
      fc.property(attributes, fc.oneof(fc.string(), fc.json()), (one, text) => {
        expect(parseAttributes(formatAttributes(one))).toEqual(one);
        try {
          parseAttributes(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe("data of the VXLAN backend", () => {
  it("has the MAC as the last and only text, without a space, since flanneld cuts it at its quotes", () => {
    const text = JSON.stringify(vxlanData(1, "c6:d2:32:6f:8f:44"));
    expect(text).toBe('{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}');
    expect(text.split(':"')).toEqual(['{"VNI":1,"VtepMAC"', 'c6:d2:32:6f:8f:44"}']);
  });

  it("is read as it was written, and as others write it", () => {
    const mac = "c6:d2:32:6f:8f:44";
    expect(readVxlanData(vxlanData(4096, mac))).toEqual({ vni: 4096, vtepMac: mac });
    expect(readVxlanData({ VtepMAC: "C6-D2-32-6F-8F-44" })).toEqual({ vni: null, vtepMac: mac });
    expect(readVxlanData({ vni: null, vtepmac: mac })).toEqual({ vni: null, vtepMac: mac });
  });

  it("is told from what is none", () => {
    fc.assert(
      fc.property(fc.anything(), (data) => {
        expect(typeof readVxlanData(data)).toBe("string");
      }),
      { seed: SEED },
    );
  });

  it("comes through unchanged, but for what is nested without end", () => {
    const data = { VNI: 1, more: [{ a: { b: [1] } }] };
    expect(checkBackendData(data)).toBe(data);
    expect(checkBackendData(undefined)).toBeNull();
    let deep: unknown = 1;
    for (let i = 0; i < 1e5; i++) deep = [deep];
    expect(() => checkBackendData(deep)).toThrow("nested too deep");
  });
});
