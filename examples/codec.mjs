/**
 * A packet put together and taken apart with the library: what is not said is filled in (types, lengths, checksums), and what
 * comes back covers every byte once.
 *
 *   node examples/codec.mjs        (after `npm run setup`)
 */
import {
  decodePacket,
  ETHERNET,
  encodePacket,
  formatValue,
  hex,
  ICMP_ECHO,
  IPV4,
  isHeader,
  UDP,
  VXLAN,
} from "poplin/wire";

const packet = encodePacket(
  [
    [ETHERNET, { destination: 0x0242ac130003, source: 0x0242ac130002 }],
    [IPV4, { source: 0xac130002, destination: 0xac130003 }],
    [UDP, { sourcePort: 50_300, checksum: 0 }],
    [VXLAN, { vni: 1 }],
    [ETHERNET, { destination: 0x3e0b61776d02, source: 0x7a219c045501 }],
    [IPV4, { source: 0x0af40102, destination: 0x0af40205, ttl: 63 }],
    [ICMP_ECHO, { type: 8, identifier: 1, sequence: 1 }],
  ],
  new TextEncoder().encode("hello"),
);
console.log(`${packet.length} bytes: ${hex(packet)}\n`);

for (const part of decodePacket(packet).parts) {
  const place = `${part.at} to ${part.at + part.length - 1}`;
  if (!isHeader(part)) console.log(`${part.what}, ${place}`);
  else
    console.log(
      `${part.table.title}, ${place}: ${part.fields.map(({ field, value }) => `${field.name} ${formatValue(field, value)}`).join(", ")}`,
    );
}
