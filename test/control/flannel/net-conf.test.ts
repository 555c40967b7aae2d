import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidr } from "../../../src/control/address.ts";
import {
  inNetwork,
  type NetConfResult,
  parseNetConf,
  type SubnetSource,
} from "../../../src/control/flannel/net-conf.ts";
import { netConf } from "./samples.ts";

const SEED = 841;

/** net-conf.json of the manifest, as the study's cluster has it. */
const MANIFEST = `{
  "Network": "10.244.0.0/16",
  "EnableNFTables": false,
  "Backend": {
    "Type": "vxlan"
  }
}
`;

function read(more: Readonly<Record<string, unknown>>, source: SubnetSource = "picked"): NetConfResult {
  return parseNetConf(
    JSON.stringify({ Network: "10.244.0.0/16", Backend: { Type: "vxlan" }, ...more }),
    source,
  );
}

function readBackend(more: Readonly<Record<string, unknown>>): NetConfResult {
  return read({ Backend: { Type: "vxlan", ...more } });
}

function problemOf({ conf, problems }: NetConfResult): string {
  expect(conf).toBeNull();
  return problems.map(({ message, remedy }) => `${message} → ${remedy}`).join("\n");
}

function poolOf(more: Readonly<Record<string, unknown>>, family: 4 | 6 = 4): string {
  const { ipv4, ipv6 } = netConf(more);
  const { first, last, length } = (family === 4 ? ipv4 : ipv6)!.pool!;
  const text = (value: bigint) => (family === 4 ? value.toString() : `0x${value.toString(16)}`);
  return `/${length} ${text(first)} ${text(last)}`;
}

describe("parseNetConf", () => {
  it("reads the manifest's", () => {
    const { conf, problems, warnings } = parseNetConf(MANIFEST, "assigned");
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(conf).toEqual({
      ipv4: { network: parseCidr("10.244.0.0/16"), pool: null },
      ipv6: null,
      nftables: false,
      backend: { vni: 1, port: 8472, mtu: null, gbp: false, learning: false, directRouting: false },
    });
  });

  it("reads all that there is", () => {
    const { conf, warnings } = read({
      EnableIPv6: true,
      EnableNFTables: true,
      IPv6Network: "fd00:10:244::/48",
      Backend: { Type: "VXLAN", VNI: 4096, Port: 4789, MTU: 9000, Learning: true, DirectRouting: true },
    });
    expect(warnings).toEqual([]);
    expect(conf!.nftables).toBe(true);
    expect(conf!.ipv6!.network.text).toBe("fd00:10:244::/48");
    expect(conf!.backend).toEqual({
      vni: 4096,
      port: 4789,
      mtu: 9000,
      gbp: false,
      learning: true,
      directRouting: true,
    });
  });

  it("matches keys in any case, ignores others, and takes null for nothing", () => {
    const text = `{"NETWORK": "10.5.0.0/16", "enableipv6": null, "SubnetLen": null, "Comment": [1],
      "backend": {"type": "vxlan", "vni": 7, "Port": null, "Psk": 1}}`;
    const { conf } = parseNetConf(text, "picked");
    expect(conf!.ipv4!.network.text).toBe("10.5.0.0/16");
    expect(conf!.ipv6).toBeNull();
    expect(conf!.backend).toMatchObject({ vni: 7, port: 8472 });
  });

  it("takes the last of a key that is given more than once, as Go does", () => {
    const text =
      '{"Network": "10.5.0.0/16", "network": "10.6.0.0/16", "Backend": {"Type": "udp", "Type": "vxlan"}}';
    expect(parseNetConf(text, "picked").conf!.ipv4!.network.text).toBe("10.6.0.0/16");
  });

  it("masks host bits off", () => {
    const { conf } = read({ Network: "10.244.9.9/16", EnableIPv6: true, IPv6Network: "fd00:10:244:1::5/48" });
    expect(conf!.ipv4!.network.text).toBe("10.244.0.0/16");
    expect(conf!.ipv6!.network.text).toBe("fd00:10:244::/48");
  });

  it("takes a network of IPv6 alone, and then needs no other", () => {
    const text =
      '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/56", "Backend": {"Type": "vxlan"}}';
    const { conf } = parseNetConf(text, "assigned");
    expect(conf!.ipv4).toBeNull();
    expect(conf!.ipv6!.network.text).toBe("fd00::/56");
  });

  it("takes port 0 and MTU 0 for the defaults, and VNI 0 for VNI 0", () => {
    expect(readBackend({ VNI: 0, Port: 0, MTU: 0 }).conf!.backend).toMatchObject({
      vni: 0,
      port: 8472,
      mtu: null,
    });
  });
});

describe("what is no configuration", () => {
  it.each<[string, string, RegExp]>([
    ["nothing", "", /^it is empty → the least there has to be is {"Network": "10.244.0.0\/16"/],
    ["white space", " \n", /^it is empty/],
    ["null", "null", /^it is no JSON object/],
    ["a list", "[]", /^it is no JSON object/],
    ["a text", '"Network"', /^it is no JSON object/],
    ["half of one", '{"Network": "10.244.0.0/16"', /^it is no JSON: .+/],
    ["more behind it", `${MANIFEST}x`, /^it is no JSON: .+ → the least/],
    ["a byte order mark", `\uFEFF${MANIFEST}`, /^it begins with a byte order mark.* → save it as UTF-8/],
    ["YAML", "Network: 10.244.0.0/16", /^it is no JSON/],
    ["a megabyte of anything", "x".repeat(1e6), /^it is no JSON: .{1,200} →/],
    ["a megabyte of brackets", "[".repeat(1e6), /^it is no JSON/],
  ])("%s", (_what, text, problem) => {
    expect(problemOf(parseNetConf(text, "picked"))).toMatch(problem);
  });

  it("a megabyte of comment does no harm", () => {
    expect(read({ Comment: "x".repeat(1e6) }).problems).toEqual([]);
  });

  it("deep nesting is a problem in few words", () => {
    const deep = `${"[".repeat(2e5)}${"]".repeat(2e5)}`;
    const text = MANIFEST.replace('"10.244.0.0/16"', deep);
    expect(problemOf(parseNetConf(text, "picked"))).toMatch(/^Network is a list → write text, in quotes/);
  });
});

describe("what Go would not unmarshal", () => {
  it.each<[Readonly<Record<string, unknown>>, RegExp]>([
    [{ EnableIPv4: "true" }, /^EnableIPv4 is "true" → write true or false, without quotes$/],
    [{ EnableIPv6: 1 }, /^EnableIPv6 is 1 → write true or false/],
    [{ EnableNFTables: {} }, /^EnableNFTables is an object/],
    [{ Network: 10 }, /^Network is 10 → write text, in quotes/],
    [{ SubnetLen: "24" }, /^SubnetLen is "24" → write a whole number from 0 to 32, without quotes$/],
    [{ SubnetLen: 24.5 }, /^SubnetLen is 24.5/],
    [{ SubnetLen: -1 }, /^SubnetLen is -1/],
    [{ SubnetMin: true }, /^SubnetMin is true/],
    [{ IPv6SubnetLen: "64" }, /^IPv6SubnetLen is "64"/], // though IPv6 is off
    [{ IPv6Network: 1 }, /^IPv6Network is 1/],
    [{ Backend: "vxlan" }, /^Backend is no JSON object → write "Backend": {"Type": "vxlan"}$/],
    [{ Backend: { Type: 1 } }, /^Backend.Type is 1/],
    [
      { Backend: { Type: "vxlan", VNI: "1" } },
      /^Backend.VNI is "1" → write a whole number from 0 to 16777215/,
    ],
    [{ Backend: { Type: "vxlan", GBP: "yes" } }, /^Backend.GBP is "yes"/],
  ])("%j", (more, problem) => {
    expect(problemOf(read(more))).toMatch(problem);
  });

  it("is told all at once", () => {
    const { problems } = read({
      EnableNFTables: 1,
      SubnetLen: "x",
      Backend: { Type: "vxlan", VNI: -1, Port: 1e6 },
    });
    expect(problems.map(({ message }) => message)).toEqual([
      'SubnetLen is "x"',
      "EnableNFTables is 1",
      "Backend.VNI is -1",
      "Backend.Port is 1000000",
    ]);
  });
});

describe("what cannot be", () => {
  it.each<[Readonly<Record<string, unknown>>, RegExp]>([
    [{ Network: undefined }, /^there is no Network → give the network of all pods, as "Network": "10.244/],
    [{ EnableIPv6: true }, /^there is no IPv6Network → .*"IPv6Network": "fd00:10:244::\/48"$/],
    [{ Network: "10.244.0.0" }, /^Network is "10.244.0.0" → write 10.244.0.0\/32/],
    [{ Network: "10.244.0.0/33" }, /^Network is "10.244.0.0\/33" → write a number from 0 to 32/],
    [{ Network: "10.244.0/16" }, /^Network is "10.244.0\/16" → write four numbers/],
    [{ Network: "fd00::/48" }, /^Network is "fd00::\/48" → write an IPv4 network/],
    [{ Network: "0.0.0.0/0" }, /^Network 0.0.0.0\/0 is every address there is/],
    [{ EnableIPv4: false }, /^both EnableIPv4 and EnableIPv6 are off → switch one of them on/],
    [{ Backend: undefined }, /^there is no Backend → .*without it flannel's is "udp"/],
    [{ Backend: {} }, /^Backend has no Type → /],
    [{ Backend: { Type: "host-gw" } }, /^the backend type "host-gw" is none of ours → .*run flanneld/],
    [{ Backend: { Type: "vxlan", VNI: 2 ** 24 } }, /^Backend.VNI is 16777216/],
    [{ Backend: { Type: "vxlan", Port: 65_536 } }, /^Backend.Port is 65536/],
    [{ Backend: { Type: "vxlan", MTU: 100 } }, /^Backend.MTU 100 is too small.* → write at least 118/],
    [
      { EnableIPv6: true, IPv6Network: "fd00::/48", Backend: { Type: "vxlan", MTU: 1300 } },
      /^Backend.MTU 1300 is too small: the overlay's is 50 less, and IPv6 needs 1280 → write at least 1330/,
    ],
  ])("%j", (more, problem) => {
    expect(problemOf(read(more))).toMatch(problem);
  });
});

describe("what is said, and stops nothing", () => {
  it("keys for Windows", () => {
    const { conf, warnings } = readBackend({ Name: "flannel.4096", macprefix: "0E-2A" });
    expect(conf).not.toBeNull();
    expect(warnings).toEqual([
      {
        message: "Backend.Name is for Windows nodes, and is ignored here",
        remedy: "on Linux the device is called flannel.VNI",
      },
      {
        message: "Backend.MacPrefix is for Windows nodes, and is ignored here",
        remedy: "on Linux the MAC is random, or the one that this node had before",
      },
    ]);
  });

  it("what a TAP cannot carry of GBP", () => {
    const { conf, warnings } = readBackend({ GBP: true });
    expect(conf!.backend.gbp).toBe(true);
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/TAP carries no socket mark/) }]);
  });

  it("nothing of Learning, which works", () => {
    const { conf, warnings } = readBackend({ Learning: true });
    expect(conf!.backend.learning).toBe(true);
    expect(warnings).toEqual([]);
  });
});

describe("the pool of subnets", () => {
  it.each<[string, number, string]>([
    ["10.244.0.0/16", 0, "/24 10.244.1.0 10.244.255.0"],
    ["10.0.0.0/8", 0, "/24 10.0.1.0 10.255.255.0"],
    ["10.244.0.0/22", 0, "/24 10.244.1.0 10.244.3.0"],
    ["10.244.0.0/23", 0, "/25 10.244.0.128 10.244.1.128"],
    ["10.244.0.0/28", 0, "/30 10.244.0.4 10.244.0.12"],
    ["10.244.0.0/16", 20, "/20 10.244.16.0 10.244.240.0"],
    ["10.244.0.0/16", 30, "/30 10.244.0.4 10.244.255.252"],
  ])("of %s with SubnetLen %i is %s", (network, length, pool) => {
    const dotted = pool.replace(/\d+\.\d+\.\d+\.\d+/g, (text) => parseCidr(`${text}/32`).first.toString());
    expect(poolOf({ Network: network, ...(length === 0 ? {} : { SubnetLen: length }) })).toBe(dotted);
  });

  it.each<[string, number, string]>([
    ["fd00:10:244::/48", 0, "/64 0xfd000010024400010000000000000000 0xfd0000100244ffff0000000000000000"],
    ["fd00::/62", 0, "/64 0xfd000000000000010000000000000000 0xfd000000000000030000000000000000"],
    ["fd00::/63", 0, "/65 0xfd000000000000008000000000000000 0xfd000000000000018000000000000000"],
    ["fd00::/124", 0, "/126 0xfd000000000000000000000000000004 0xfd00000000000000000000000000000c"],
    ["fd00:12::/48", 56, "/56 0xfd000012000001000000000000000000 0xfd0000120000ff000000000000000000"],
  ])("of %s with IPv6SubnetLen %i is %s", (network, length, pool) => {
    const more = {
      EnableIPv6: true,
      IPv6Network: network,
      ...(length === 0 ? {} : { IPv6SubnetLen: length }),
    };
    expect(poolOf(more, 6)).toBe(pool);
  });

  it("is as large as somebody says", () => {
    const [first, last] = ["10.244.16.0/32", "10.244.99.0/32"].map((text) => parseCidr(text).first);
    expect(poolOf({ SubnetMin: "10.244.16.0", SubnetMax: "10.244.99.0" })).toBe(`/24 ${first} ${last}`);
    expect(poolOf({ SubnetMin: "10.244.16.0", SubnetMax: "10.244.16.0" })).toBe(`/24 ${first} ${first}`);
    expect(poolOf({ SubnetMin: "0.0.0.0", SubnetMax: "" })).toBe(poolOf({}));
  });

  it.each<[Readonly<Record<string, unknown>>, RegExp]>([
    [
      { SubnetLen: 31 },
      /^SubnetLen 31 does not suit .* → write a number from 18, which makes four subnets, to 30$/,
    ],
    [{ SubnetLen: 17 }, /^SubnetLen 17 does not suit the network 10.244.0.0\/16/],
    [{ Network: "10.244.0.0/29" }, /^Network 10.244.0.0\/29 is too small.* → take a \/28 or larger$/],
    [{ Network: "10.244.0.0/29", SubnetLen: 30 }, /^SubnetLen 30 does not suit.* → take a network of \/28/],
    [{ SubnetMin: "10.245.0.0" }, /^SubnetMin "10.245.0.0" is not inside 10.244.0.0\/16/],
    [{ SubnetMax: "10.243.255.0" }, /^SubnetMax "10.243.255.0" is not inside/],
    [{ SubnetMin: "fd00::" }, /^SubnetMin "fd00::" is not inside/],
    [{ SubnetMin: "first" }, /^SubnetMin "first" is not inside/],
    [{ SubnetMin: "10.244.1.7" }, /^SubnetMin 10.244.1.7 is not where a \/24 begins → write 10.244.1.0$/],
    [{ SubnetMax: "10.244.9.128" }, /^SubnetMax 10.244.9.128 is not where a \/24 begins → write 10.244.9.0$/],
    [{ SubnetMin: "10.244.9.0", SubnetMax: "10.244.8.0" }, /^SubnetMin is after SubnetMax → exchange them$/],
    [{ EnableIPv6: true, IPv6Network: "fd00::/125" }, /^IPv6Network fd00::\/125 is too small.*\/124/],
    [
      { EnableIPv6: true, IPv6Network: "fd00::/48", IPv6SubnetLen: 127 },
      /^IPv6SubnetLen 127 does not suit.*50.*126$/,
    ],
    [
      { EnableIPv6: true, IPv6Network: "fd00::/48", IPv6SubnetMin: "fd01::" },
      /^IPv6SubnetMin "fd01::" is not in/,
    ],
    [
      {
        EnableIPv6: true,
        IPv6Network: "fd00::/48",
        IPv6SubnetMin: "fd00:0:0:2::",
        IPv6SubnetMax: "fd00:0:0:1::",
      },
      /^IPv6SubnetMin is after SubnetMax/,
    ],
  ])("cannot be with %j", (more, problem) => {
    expect(problemOf(read(more))).toMatch(problem);
  });

  it("is nobody's business where subnets are assigned: flannel does not look at these keys either", () => {
    const { conf } = read({ SubnetLen: 7, SubnetMin: "x", Network: "10.244.0.0/30" }, "assigned");
    expect(conf!.ipv4!.pool).toBeNull();
    expect(problemOf(read({ SubnetLen: "x" }, "assigned"))).toMatch(/^SubnetLen is "x"/);
  });
});

describe("any text", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("10.1.0.0/16", "fd00::/48", "10.1.2.0", 24, 64, true),
  );
  const keys = ["Network", "IPv6Network", "EnableIPv6", "EnableIPv4", "SubnetLen", "SubnetMin", "subnetmax"];
  const backend = fc.dictionary(fc.constantFrom("type", "VNI", "Port", "MTU", "GBP", "Name"), value);
  const nearly = fc
    .tuple(fc.dictionary(fc.constantFrom(...keys), value), fc.oneof(value, backend))
    .map(([fields, Backend]) => JSON.stringify({ Backend, ...fields }));

  it("gives a configuration, or a problem with a remedy, and never an error", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), nearly),
        fc.constantFrom<SubnetSource>("picked", "assigned"),
        (text, source) => {
          const { conf, problems, warnings } = parseNetConf(text, source);
          expect(conf === null).toBe(problems.length > 0);
          for (const { message, remedy } of [...problems, ...warnings]) {
            expect(message).toMatch(/^[^\n]+$/);
            expect(remedy).toMatch(/^[^\n]+$/);
          }
        },
      ),
      { seed: SEED, numRuns: 1000 },
    );
  });
});

describe("inNetwork", () => {
  const { ipv4 } = netConf();

  it.each([
    ["10.244.0.0/24", true],
    ["10.244.255.0/24", true],
    ["10.244.0.0/16", true],
    ["10.244.0.0/15", false],
    ["10.245.0.0/24", false],
    ["fd00::/64", false],
  ])("%s: %s", (subnet, inside) => {
    expect(inNetwork(ipv4!, subnet)).toBe(inside);
  });
});
