/** Packets for tests that want any: ours, what the codec can make, what is left of them, and any bytes at all. */
import fc from "fast-check";
import { EXAMPLES } from "../../src/teach/examples.ts";
import {
  ARP,
  ETHERNET,
  encodePacket,
  type FieldValue,
  type HeaderTable,
  IPV4,
  IPV6,
  type PacketLayer,
  TABLES,
  UDP,
  VLAN,
  VXLAN,
  VXLAN_GBP,
} from "../../src/wire/index.ts";
import { SAMPLES } from "../wire/samples.ts";

/** Each sample and each example, by name. */
export const VECTORS: Readonly<Record<string, Uint8Array>> = {
  ...SAMPLES,
  ...Object.fromEntries(Object.entries(EXAMPLES).map(([name, { bytes }]) => [`example ${name}`, bytes])),
};

/** Any values for some of a table's fields. Those that are left out are filled in, so that many packets make sense. */
function valuesOf(table: HeaderTable): fc.Arbitrary<Record<string, FieldValue>> {
  const fields = Object.fromEntries(
    table.fields.map(({ name, width }) => {
      if (width === "rest") return [name, fc.uint8Array({ maxLength: 12 }).map(digits)];
      if (width > 48)
        return [name, fc.uint8Array({ minLength: width / 8, maxLength: width / 8 }).map(digits)];
      return [name, fc.integer({ min: 0, max: 2 ** width - 1 })];
    }),
  );
  return fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Record<string, FieldValue>>;
}

function digits(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function layer(table: HeaderTable): fc.Arbitrary<PacketLayer> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant([table] as PacketLayer) },
    { weight: 1, arbitrary: valuesOf(table).map((values) => [table, values] as PacketLayer) },
  );
}

const LAYER_4 = TABLES.filter(({ name }) => /^(tcp|udp|icmp|icmpv6|nd-)/.test(name) && name !== "udp");

/** Headers of one side of a tunnel, from its Ethernet header to what IP carries. */
const side = fc
  .tuple(
    layer(ETHERNET),
    fc.array(layer(VLAN), { maxLength: 2 }),
    fc.oneof(
      layer(ARP).map((one) => [one]),
      fc.tuple(fc.oneof(layer(IPV4), layer(IPV6)), fc.oneof(...LAYER_4.map(layer), layer(UDP))),
    ),
  )
  .map(([ethernet, tags, rest]) => [ethernet, ...tags, ...rest]);

const tunnel = fc.tuple(
  layer(ETHERNET),
  fc.oneof(layer(IPV4), layer(IPV6)),
  layer(UDP),
  fc.oneof(layer(VXLAN), layer(VXLAN_GBP)),
);

/** A packet that the codec has put together, with a tunnel or without. */
export const made: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.option(tunnel, { nil: [] }), side, fc.uint8Array({ maxLength: 40 }))
  .filter(([outer, inner]) =>
    [...outer, ...inner].every(([table], i, all) => table.kind === "header" || i > 0 || all.length > 0),
  )
  .map(([outer, inner, payload]) => encodePacket([...outer, ...inner], payload));

/** One of ours with some bytes changed, cut off somewhere, or any bytes at all. */
export const anything: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...Object.values(VECTORS)),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      fc.nat(),
    )
    .map(([bytes, changes, length]) => {
      const changed = bytes.slice(0, length % 4 === 0 ? length % (bytes.length + 1) : bytes.length);
      for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
      return changed;
    }),
  made,
  fc.uint8Array({ maxLength: 200 }),
);
