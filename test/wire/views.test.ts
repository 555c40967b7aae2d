import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode } from "../../src/wire/decode.ts";
import { ETHERNET } from "../../src/wire/ethernet.ts";
import type { HeaderTable } from "../../src/wire/field.ts";
import { IPV4 } from "../../src/wire/ipv4.ts";
import { IPV6 } from "../../src/wire/ipv6.ts";
import { TCP } from "../../src/wire/tcp.ts";
import { UDP } from "../../src/wire/udp.ts";
import * as views from "../../src/wire/views.ts";
import { VLAN } from "../../src/wire/vlan.ts";

type Values = Record<string, number>;

/** Each view against what the generic decoder says. */
const VIEWS: [
  string,
  HeaderTable,
  (bytes: Uint8Array, at: number) => unknown,
  (values: Values) => unknown,
][] = [
  ["etherType", ETHERNET, views.etherType, (v) => v.etherType],
  ["ipVersion", IPV4, views.ipVersion, (v) => v.version],
  ["ipv4HeaderLength", IPV4, views.ipv4HeaderLength, (v) => v.headerLength! * 4],
  ["ipv4TotalLength", IPV4, views.ipv4TotalLength, (v) => v.totalLength],
  ["ipv4FragmentOffset", IPV4, views.ipv4FragmentOffset, (v) => v.fragmentOffset],
  ["ipv4IsFragment", IPV4, views.ipv4IsFragment, (v) => v.moreFragments === 1 || v.fragmentOffset! > 0],
  ["ipv4Protocol", IPV4, views.ipv4Protocol, (v) => v.protocol],
  ["ipv6PayloadLength", IPV6, views.ipv6PayloadLength, (v) => v.payloadLength],
  ["ipv6NextHeader", IPV6, views.ipv6NextHeader, (v) => v.nextHeader],
  ["tcpHeaderLength", TCP, views.tcpHeaderLength, (v) => v.dataOffset! * 4],
];

describe.each(VIEWS)("%s", (_, table, view, oracle) => {
  it("reads what the generic decoder reads", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: table.length + 4, maxLength: 64 }), fc.nat(4), (bytes, at) => {
        expect(view(bytes, at)).toBe(oracle(decode(table, bytes, at).values as Values));
      }),
    );
  });
});

describe.each([
  [4, IPV4, "ttl"],
  [6, IPV6, "hopLimit"],
] as const)("IPv%i", (version, table, ttl) => {
  it("ipTos and ipTtl read what the generic decoder reads", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 44, maxLength: 64 }), fc.nat(4), (bytes, at) => {
        bytes[at] = (version << 4) | (bytes[at]! & 0x0f);
        const values = decode(table, bytes, at).values as Values;
        expect(views.ipTos(bytes, at)).toBe(values.dscp! * 4 + values.ecn!);
        expect(views.ipTtl(bytes, at)).toBe(values[ttl]);
      }),
    );
  });
});

describe("lengths", () => {
  it("are those of the tables", () => {
    expect([
      views.ETHERNET_LENGTH,
      views.VLAN_LENGTH,
      views.IPV4_LENGTH,
      views.IPV6_LENGTH,
      views.UDP_LENGTH,
      views.TCP_LENGTH,
    ]).toEqual([ETHERNET.length, VLAN.length, IPV4.length, IPV6.length, UDP.length, TCP.length]);
  });
});
