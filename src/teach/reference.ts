/** The document about the bytes of a packet, `docs/packet.md`: made of the tables that the codec reads and writes by. */
import { type Field, type HeaderTable, TABLES } from "../wire/index.ts";
import { asciiDiagram } from "./ascii-diagram.ts";
import { tableFields } from "./diagram.ts";
import { EXAMPLES } from "./examples.ts";
import { sizeLines } from "./explain-text.ts";
import { explain } from "./explanation.ts";
import { hexdump } from "./hexdump.ts";
import { painter } from "./paint.ts";

/** Headers that have a chapter, and a drawing in `docs/packet/`, from the outermost. */
export const CHAPTERS: readonly HeaderTable[] =
  "ethernet vlan arp ipv4 ipv6 udp vxlan vxlan-gbp icmp-echo tcp"
    .split(" ")
    .map((name) => TABLES.find((table) => table.name === name)!);

/** @returns Markdown */
export function packetReference(): string {
  const ping = explain(EXAMPLES.ping.bytes);
  const lines = [
    "# A packet, byte by byte",
    "",
    "Every header that poplin reads and writes, each field with its place, what it means, why it is there, and what happens when",
    "it is wrong. This file is made of the tables by which the dataplane's codec works (`src/wire/`), and a test fails where it is",
    "not up to date. `poplin explain` says the same of any packet, with its values.",
    "",
    "## One ping, 148 bytes",
    "",
    "What is on the wire when a pod on node A pings a pod on node B, `poplin explain --example ping`:",
    "",
    ...indented(hexdump(ping, painter())),
    "",
    ...indented(sizeLines(ping)),
    "",
    "Three lengths that people mean when they speak of this packet: 98 bytes leave the pod; tcpdump prints `length 106` on the",
    'underlay, because that is what UDP carries; 148 are on the wire. "50 bytes of overhead" means two things, too: 148 − 98, with',
    "the outer Ethernet header (14 + 20 + 8 + 8), and what the overlay's MTU is less than the underlay's, with the inner one (20 +",
    "8 + 8 + 14). The number is the same, the 14 is another.",
    "",
    ...CHAPTERS.flatMap(chapter),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`.trimEnd());
}

function chapter(table: HeaderTable): string[] {
  const length = `${table.length} bytes`;
  return [
    `## ${table.title}`,
    "",
    `![${table.title}, ${length}](packet/${table.name}.svg)`,
    "",
    ...indented(asciiDiagram(tableFields(table))),
    "",
    ...table.fields.flatMap((field) => fieldLines(field)),
    "",
  ];
}

function fieldLines({ title, name, at, width, meaning, why, ifWrong, source }: Field): string[] {
  const bits =
    width === "rest" ? `from bit ${at}` : width === 1 ? `bit ${at}` : `bits ${at} to ${at + width - 1}`;
  return [
    `- **${title}** (\`${name}\`, ${bits}; ${source}): ${meaning}`,
    `  *Why:* ${why}`,
    `  *If wrong:* ${ifWrong}`,
  ];
}
