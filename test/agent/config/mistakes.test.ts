import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveConfig } from "../../../src/agent/config/load.ts";
import { formatProblem } from "../../../src/agent/config/problems.ts";
import { mistakes } from "./texts.ts";

const PEER = 'publicIp: 192.168.0.2, vtepMac: "0e:2a:00:00:00:02", subnet: 10.244.2.0/24';

describe("every mistake at once, with its place and what would be right", () => {
  it("in a file that has most of them", () => {
    const text = `vni: 16777216
sendercheck: strict
senderCheck: strikt
device: a/b
local: fd00::
local: 1.2.3.4
tos: inherti
receiveBuffer: 8MB
mtu:
colour: red
peers:
  - publicIp: 192.168.0.300
    vtepMac: 01:00:00:00:00:01
    subnets: 10.244.2.0/24
  - { publicIp: 192.168.0.2, vtepMac: "0e:2a:00:00:00:02", subnet: 10.244.2.5/24 }
  - 17
`;
    expect(
      mistakes(text, { env: { POPLIN_TTL: "256" }, flags: { df: "sett", address: ["10.244.1.0"] } }),
    ).toEqual([
      "f:1:6: vni: 16777216 is out of range; write a whole number from 0 to 16777215",
      "f:2:1: sendercheck: there is no such setting; did you mean `senderCheck`?",
      'f:3:14: senderCheck: "strikt" is none of strict, mac, off; did you mean `strict`?',
      'f:4:9: device: "a/b" is no device name; write letters, digits, `.`, `_` and `-`, as flannel.1',
      'f:5:8: a value with a colon needs quotes; if this is an IPv6 address or a MAC, put it in quotes, as "fd00::"',
      "f:6:1: local: is given twice; remove one of them",
      'f:7:6: tos: "inherti" is no whole number; did you mean `inherit`?',
      'f:8:16: receiveBuffer: "MB" is no unit that poplin knows; did you mean 8MiB?',
      "f:9:5: mtu: has no value; write one, as 1450",
      "f:10:1: colour: there is no such setting",
      'f:12:15: peers[0].publicIp: "192.168.0.300" is no IP address; write four numbers from 0 to 255 with dots between them, as 192.168.0.1, or an IPv6 address',
      "f:12:5: peers[0]: has no subnet; add `subnet: 10.244.2.0/24`",
      "f:13:14: peers[0].vtepMac: 01:00:00:00:00:01 is a multicast MAC; the first byte of a VTEP's MAC is even, as in 0e:…",
      "f:14:5: peers[0].subnets: a peer has no such setting; did you mean `subnet`?",
      "f:15:68: peers[1].subnet: 10.244.2.5/24 has host bits set; did you mean 10.244.2.0/24?",
      'f:16:5: peers[2]: a peer is a map of settings; write it as `- { publicIp: 192.168.0.2, vtepMac: "0e:2a:00:00:00:02", subnet: 10.244.2.0/24 }`',
      "POPLIN_TTL: ttl: 256 is out of range; write a whole number from 1 to 255, or `inherit`, or `auto`",
      '--address: address: "10.244.1.0" has no prefix length; write 10.244.1.0/32 for this address alone',
      '--df: df: "sett" is none of unset, set, inherit; did you mean `set`?',
    ]);
  });

  it.each([
    ["name: tap0", /did you mean `device`/],
    ["sndbuf: 8MiB", /did you mean `sendBuffer`/],
    ["sender_check: off", /did you mean `senderCheck`/],
    ["udp-checksum: zero", /did you mean `udpChecksum`/],
    ["Peers: []", /did you mean `peers`/],
    ["constructor: 1", /there is no such setting$/],
    ["receiveBuffer: 1constructor", /no unit/],
    ["ephemeral: constructor", /neither true nor false/],
    ["vni: 1.5", /no whole number/],
    ["vni: -1", /out of range/],
    ["vni: [1]", /takes one value; write it as `vni: 1`/],
    ["vni: { a: 1 }", /takes one value/],
    ["ephemeral: maybe", /neither true nor false/],
    ["gro: false", /there is no such setting; it is `offload: udp-gro=off` now/],
    ["offload: tap-tos=off", /"tap-tos" is no offload; did you mean `tap-tso`/],
    ["offload: TAP_TSO=off", /did you mean `tap-tso`/],
    ["offload: constructor=off", /is no offload; there are tap-csum, .*, all/],
    ["offload: tap-tso", /does not say on or off; write tap-tso=off or tap-tso=on/],
    ["offload: [tap-tso=off=on]", /does not say on or off/],
    ["offload: { tap-tso: sometimes }", /does not say on or off/],
    ["offload: { tap-tso: }", /does not say on or off/],
    ["offload: { tap-tso: [off] }", /a value or a list of values/],
    ["offload: 'tap-tso=off,'", /has no value/],
    ["sourcePorts: 49152", /no range of ports; write the first and the last/],
    ["sourcePorts: fixd", /did you mean `fixed`/],
    ["sourcePorts: 80-90", /out of range.*1024 to 65535/],
    ["sourcePorts: 60000-70000", /out of range/],
    ["sourcePorts: 65535-49152", /ends before it starts; did you mean 49152-65535/],
    ["sourcePorts: 8472-8472", /8472 is the VXLAN port.*fixed/],
    ["queues: 17", /out of range.*or `auto`/],
    ["queues: 0", /out of range/],
    ["spin: 1001", /out of range; write a whole number from 0 to 1000, or `off`, or `auto`/],
    ["device: interface-that-is-too-long", /has 26 characters.*up to 15/],
    ["device: all", /a meaning of its own/],
    ["device: lo", /a meaning of its own/],
    ["vni: 12345678", /the device's name would be flannel\.12345678/],
    ["address: 10.0.0.0/0", /everything into the overlay/],
    ["address: [[10.0.0.1/32]]", /a value or a list/],
    ["address: [10.0.0.1/32, 10.0.0.1/32]", /given twice/],
    ["vtepMac: 0e:2a:00:00:00", /no MAC/],
    ["vtepMac: 00:00:00:00:00:00", /zero MAC/],
    ["local: 224.0.0.1", /multicast/],
    ["local: 0.0.0.0", /no address in particular/],
    ["local: fe80::1", /needs a zone/],
    ["local: ::ffff:10.0.0.1", /write it as 10\.0\.0\.1/],
    ["receiveBuffer: 1KiB", /out of range/],
    ["receiveBuffer: lots", /no size/],
    ["receiveBuffer: 1.0000001MiB", /no size|no whole number/],
    [`socket: /${"a".repeat(120)}`, /121 bytes long/],
    ["peers: {publicIp: 1.2.3.4}", /takes a list of peers/],
    ["mtu: 1000\naddress: fd00::1/128", /too little for IPv6/],
    ["underlay: raw\nlocal: fd00::1", /raw sends over IPv4 only/],
    ["flowlabel: 5", /the flow label needs IPv6/],
    ["local: fd00::1\nflowlabel: 0x100000", /out of range/],
    ["df: inherit\nsourcePorts: fixed", /two sockets for each source port/],
    ["gbp: 65536", /no group policy: 65536 is out of range/],
    ["gbp: 1,dontlearn", /did you mean `dontLearn`/],
    ["gbp: 1,2", /has "2" in it/],
    ["gbp: {group: 1}", /./],
    ["vlan: strip", /none of pass, rfc/],
    ["ttl: inherited", /did you mean|inherit/],
    ["just words", /holds no settings/],
    ["- vni", /holds no settings/],
    ["? [a]\n: 1", /a key that is no plain word/],
    ["\tvni: 1", /indent with spaces/],
    ["vni: *nowhere", /nowhere/],
    ["vni: 'open", /./],
    ["local: {a: fd00::}", /put it in quotes/],
  ])("%j: %s", (text, message) => {
    const found = mistakes(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^f:\d+:\d+: /);
    expect(found[0]).toMatch(message);
  });

  it.each([
    ["- { publicIp: 192.168.0.2, subnet: 10.244.2.0/24 }", /has no vtepMac/],
    [`- { ${PEER}, port: 0 }`, /port: 0 is out of range/],
    [`- { ${PEER}, port: }`, /port: has no value/],
    ["- { publicIp: 192.168.0.2, vtepMac: 0e:2a:00:00:00:02, subnet: [] }", /a CIDR or a list/],
    [
      "- { publicIp: 192.168.0.2, vtepMac: 0e:2a:00:00:00:02, subnet: 0.0.0.0/0 }",
      /the address that means none/,
    ],
    ["- { publicIp: 192.168.0.2, vtepMac: 0e:2a:00:00:00:02, subnet: 224.0.0.0/8 }", /is multicast/],
    ["- { publicIp: 192.168.0.2, vtepMac: 0e:2a:00:00:00:02, subnet: fe80::/10 }", /is link-local/],
    [`- { ${PEER}, subnet: 10.244.3.0/24 }`, /given twice/],
    [`- { ${PEER}, via: x }`, /a peer has no such setting/],
  ])("peers: %s: %s", (peer, message) => {
    const found = mistakes(`peers:\n${peer}`);
    expect(found.map((one) => one.match(/^f:2:\d+: peers\[0\]/)?.[0])).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
});

describe("what is wrong together", () => {
  const peer = (n: number, more = ""): string =>
    `  - { publicIp: 192.168.0.${n}, vtepMac: 0e:2a:00:00:00:0${n}, subnet: 10.244.${n}.0/24${more} }\n`;

  it.each([
    [
      `peers:\n${peer(2)}${peer(3).replace("00:03", "00:02")}`,
      "f:3:39: peers[1].vtepMac: 0e:2a:00:00:00:02 is the MAC of peers[0], too; each VTEP has a MAC of its own",
    ],
    [
      `vtepMac: 0e:2a:00:00:00:02\npeers:\n${peer(2)}`,
      "f:3:39: peers[0].vtepMac: 0e:2a:00:00:00:02 is our own MAC; write the MAC of the peer's device, or remove the peer",
    ],
    [
      `local: 192.168.0.2\npeers:\n${peer(2)}`,
      "f:3:17: peers[0].publicIp: 192.168.0.2 is our own address; remove the peer: the list holds the other nodes",
    ],
    [
      `peers:\n${peer(2)}${peer(3).replace("10.244.3.0/24", "10.244.0.0/16")}`,
      "f:3:66: peers[1].subnet: 10.244.0.0/16 overlaps 10.244.2.0/24 of peers[0]; each address lives behind one peer",
    ],
    [
      `peers:\n${peer(2).replace("10.244.2.0/24", "[fd00::/32, fd00:0:5::/48]")}`,
      "f:2:78: peers[0].subnet: fd00:0:5::/48 overlaps fd00::/32 of the same peer; each address lives behind one peer",
    ],
    [
      `local: 192.168.0.1\npeers:\n${peer(2).replace("192.168.0.2", "fd00::2")}`,
      "f:3:17: peers[0].publicIp: fd00::2 is IPv6, and our own (local: 192.168.0.1) is IPv4; an overlay has one underlay family",
    ],
    [
      `peers:\n${peer(2)}${peer(3).replace("192.168.0.3", "fd00::3")}`,
      "f:3:17: peers[1].publicIp: fd00::3 is IPv6, and that of the peers before it is IPv4; an overlay has one underlay family",
    ],
    [
      `peers:\n${peer(2)}${peer(3).replace("10.244.3.0", "192.168.0.0")}`,
      "f:3:66: peers[1].subnet: 192.168.0.0/24 holds the underlay address 192.168.0.2 (publicIp of peers[0]); packets to it would loop into the overlay: use another subnet",
    ],
    [
      `local: 10.244.2.9\npeers:\n${peer(2)}`,
      "f:3:66: peers[0].subnet: 10.244.2.0/24 holds the underlay address 10.244.2.9 (local); packets to it would loop into the overlay: use another subnet",
    ],
    [
      `address: 10.244.2.0/32\npeers:\n${peer(2)}`,
      "f:1:10: address: 10.244.2.0 lies in 10.244.2.0/24, the subnet of peers[0]; the device's address is one of our own subnet",
    ],
  ])("%j", (text, message) => {
    expect(mistakes(text)).toEqual([message]);
  });

  it("what is only rare is a warning", () => {
    const { config, warnings } = resolveConfig({
      file: { name: "f", text: `peers:\n${peer(2)}${peer(3).replace("192.168.0.3", "192.168.0.2")}` },
    });
    expect(config?.peers).toHaveLength(2);
    expect(warnings.map(formatProblem)).toEqual([
      "f:3:17: peers[1].publicIp: 192.168.0.2 is the address of peers[0], too; two VTEPs at one address and port are rare",
    ]);
  });

  it("two VTEPs behind one address, on different ports, are fine; so is a second VTEP of our own host", () => {
    const text = `local: 192.168.0.2\npeers:\n${peer(2, ", port: 4789")}${peer(3, ", port: 4790")}`;
    expect(mistakes(text)).toEqual([]);
  });

  it("overlaps are found exactly where there are some", () => {
    const subnet = fc.tuple(fc.nat(15), fc.integer({ min: 20, max: 24 })).map(([net, length]) => {
      const size = 2 ** (24 - length);
      return { first: Math.floor(net / size) * size, size, length };
    });
    fc.assert(
      fc.property(fc.array(subnet, { minLength: 1, maxLength: 8 }), (subnets) => {
        const peers = subnets.map(({ first, length }, i) =>
          peer(i + 1).replace(/10\.244\.\d+\.0\/24/, `10.9.${first}.0/${length}`),
        );
        const overlapping = subnets.some((a, i) =>
          subnets.some((b, j) => j < i && a.first < b.first + b.size && b.first < a.first + a.size),
        );
        const found = mistakes(`peers:\n${peers.join("")}`);
        expect(found.some((one) => /overlaps/.test(one))).toBe(overlapping);
        expect(found.every((one) => /overlaps/.test(one))).toBe(true);
      }),
    );
  });
});
