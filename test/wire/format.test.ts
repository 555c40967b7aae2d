import { describe, expect, it } from "vitest";
import type { FieldValue, HeaderTable } from "../../src/wire/field.ts";
import { formatValue } from "../../src/wire/format.ts";
import * as wire from "../../src/wire/index.ts";

function text(table: HeaderTable, name: string, value: FieldValue): string {
  return formatValue(table.fields.find((field) => field.name === name)!, value);
}

describe("formatValue", () => {
  it.each<[HeaderTable, string, FieldValue, string]>([
    [wire.ETHERNET, "destination", 0x0242ac130003, "02:42:ac:13:00:03"],
    [wire.ETHERNET, "destination", 0xfffffffffffe, "ff:ff:ff:ff:ff:fe"],
    [wire.ETHERNET, "etherType", 0x0800, "0x0800 IPv4"],
    [wire.ETHERNET, "etherType", 0x1234, "0x1234"],
    [wire.IPV4, "headerLength", 5, "5 (20 bytes)"],
    [wire.IPV4, "ecn", 3, "3 CE"],
    [wire.IPV4, "totalLength", 84, "84 bytes"],
    [wire.IPV4, "ttl", 1, "1 hop"],
    [wire.IPV4, "dontFragment", 1, "set"],
    [wire.IPV4, "moreFragments", 0, "clear"],
    [wire.IPV4, "fragmentOffset", 185, "185 (1480 bytes)"],
    [wire.IPV4, "identification", 0x1a, "0x001a"],
    [wire.IPV4, "protocol", 17, "17 UDP"],
    [wire.IPV4, "protocol", 200, "200"],
    [wire.IPV4, "source", 0xffffff01, "255.255.255.1"],
    [wire.IPV6, "flowLabel", 0xabc, "0x00abc"],
    [wire.IPV6, "source", "fe800000000000000000000000000001", "fe80::1"],
    [wire.TCP, "sequence", 4294967295, "4294967295"],
    [wire.TCP_OPTION_SACK, "blocks", "0000000100000002", "8 bytes"],
    [wire.TCP_OPTION_SACK, "blocks", "", "none"],
    [wire.ND_OPTION_PREFIX, "validLifetime", 4294967295, "4294967295 for ever"],
    [wire.VXLAN, "vni", 1, "1"],
  ])("%#: %s %s", (table, name, value, expected) => {
    expect(text(table, name, value)).toBe(expected);
  });
});
