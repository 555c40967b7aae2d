/**
 * A packet, explained: each of its bits in exactly one field, and with each field all that there is to say of it. Whatever
 * shows a packet (the terminal, JSON, the diagrams, HTML, the page) shows this, so that no two of them can disagree.
 */
import {
  type DecodedField,
  decodePacket,
  type FieldValue,
  type Format,
  formatValue,
  type HeaderPart,
  isHeader,
  type Note,
  type Packet,
  type PacketOptions,
  type Part,
  type SpanPart,
} from "../wire/index.ts";
import { SPAN_WORDS } from "./span-words.ts";
import { type Verdict, verdicts } from "./verdict.ts";

/** Which side of the tunnel it is on. `plain`: there is no tunnel in this packet. */
export type Tone = "outer" | "tunnel" | "inner" | "plain";

/** Some bits of a packet, next to each other, that mean one thing. */
export interface ExplainedField {
  /** "vxlan.vni", "inner.ipv4.ttl", "inner.payload": no other field of the packet has it. */
  readonly id: string;
  /** The last word of it. */
  readonly name: string;
  /** What people call it; at most 16 characters. */
  readonly title: string;
  /** From the start of the packet; bit 0 is the most significant of byte 0. */
  readonly bit: number;
  /** Bits. */
  readonly width: number;
  readonly format: Format;
  /** What single values stand for. */
  readonly names?: Readonly<Record<number, string>> | undefined;
  /** As `decode` has it; null where it is bytes without a meaning of their own. */
  readonly value: FieldValue | null;
  /** The value as people write it. */
  readonly text: string;
  /** In at most 23 characters. */
  readonly short: string;
  readonly meaning: string;
  readonly why: string;
  /** The document and its section. */
  readonly source: string;
  readonly ifWrong: string;
  /** Whether this very value is wrong. */
  readonly wrong: boolean;
}

/** A header, an option, or bytes that have no fields. */
export interface ExplainedPart {
  /** "vxlan", "outer.ipv4", "inner.tcp-mss", "inner.payload". */
  readonly id: string;
  readonly kind: Part["kind"];
  /** That of its table: "ipv4", "tcp-mss"; of what is no header, its kind. */
  readonly name: string;
  /** "VXLAN", "outer IPv4", "maximum segment size". */
  readonly title: string;
  /** The same without the side that it is on: "IPv4"; of what is no header, its kind. */
  readonly header: string;
  readonly tone: Tone;
  /** How many VXLAN headers lie before. */
  readonly level: number;
  /** Bytes. */
  readonly at: number;
  readonly length: number;
  /** In the order of the wire; of what is no header, one. */
  readonly fields: readonly ExplainedField[];
}

export interface Explanation {
  readonly bytes: Uint8Array;
  /** Side by side, from byte 0 to the last. */
  readonly parts: readonly ExplainedPart[];
  /** What is wrong with it; a checksum says so itself. */
  readonly notes: readonly Note[];
  readonly truncated: boolean;
}

/** Never throws, whatever the bytes are. */
export function explain(bytes: Uint8Array, options: PacketOptions = {}): Explanation {
  const packet = decodePacket(bytes, options);
  const judged = verdicts(bytes, packet);
  const names = new Names();
  const tunnelled = isTunnelled(packet);
  const parts = packet.parts.map((part): ExplainedPart => {
    const tone = toneOf(part, tunnelled);
    const id = names.next(pathOf(part, tone));
    const fields = isHeader(part) ? headerFields(part, id, judged.get(part)) : [spanField(part, id)];
    const { kind, level, at, length } = part;
    const [name, header] = isHeader(part) ? [part.table.name, part.table.title] : [kind, kind];
    return { id, kind, name, title: titleOf(part, tone), header, tone, level, at, length, fields };
  });
  return { bytes, parts, notes: packet.notes, truncated: packet.truncated };
}

/** Every field, from the first bit to the last. */
export function fieldsOf(explanation: Explanation): ExplainedField[] {
  return explanation.parts.flatMap(({ fields }) => fields);
}

/** Bytes of a part; those of a header together with its options. */
export function extended({ parts }: Explanation, part: ExplainedPart): number {
  let { length } = part;
  if (part.kind !== "header") return length;
  for (let i = parts.indexOf(part) + 1; parts[i]?.kind === "option"; i++) length += parts[i]!.length;
  return length;
}

function isTunnelled(packet: Packet): boolean {
  return packet.parts.some((part) => part.level > 0 || isVxlan(part));
}

function isVxlan(part: Part): boolean {
  return isHeader(part) && part.table.name.startsWith("vxlan");
}

function toneOf(part: Part, tunnelled: boolean): Tone {
  if (isVxlan(part)) return "tunnel";
  if (!tunnelled) return "plain";
  return part.level === 0 ? "outer" : "inner";
}

/** "outer IPv4", "VXLAN", "inner Ethernet", "quoted UDP". */
function titleOf(part: Part, tone: Tone): string {
  if (part.kind === "padding" || part.kind === "unexplained") return `${part.kind}: ${part.what}`;
  const title = isHeader(part) ? part.table.title : part.what;
  if (part.kind === "option") return title;
  if (part.quoted) return `quoted ${title}`;
  if (!isHeader(part)) return part.level > 0 ? `inner ${title}` : title;
  if (tone === "plain" || tone === "tunnel") return title;
  return part.level > 1 ? `inner ${title} (${part.level})` : `${tone} ${title}`;
}

function pathOf(part: Part, tone: Tone): string {
  const name = isHeader(part) ? part.table.name : part.kind;
  const words = tone === "plain" || tone === "tunnel" ? [] : [part.level > 1 ? `inner${part.level}` : tone];
  if (tone === "tunnel" && part.level > 0) words.push(`inner${part.level > 1 ? part.level : ""}`);
  if (part.quoted) words.push("quoted");
  return [...words, name].join(".");
}

/** Names that come again get a number: "vlan", "vlan-2". */
class Names {
  readonly #seen = new Map<string, number>();

  next(name: string): string {
    const count = (this.#seen.get(name) ?? 0) + 1;
    this.#seen.set(name, count);
    return count === 1 ? name : `${name}-${count}`;
  }
}

function headerFields(part: HeaderPart, id: string, verdict: Verdict | undefined): ExplainedField[] {
  const fields = part.fields
    .filter(({ width }) => width > 0)
    .map((found): ExplainedField => {
      const { name, title, format, names, short, meaning, why, source, ifWrong } = found.field;
      return {
        ...{ id: `${id}.${name}`, name, title, bit: found.bit, width: found.width },
        ...{ format, names, value: found.value },
        ...{ short, meaning, why, source, ifWrong, ...textOf(found, verdict) },
      };
    });
  // A header that is cut off may end in the middle of a byte.
  const last = part.fields.at(-1);
  const reached = last === undefined ? part.at * 8 : last.bit + last.width;
  const rest = (part.at + part.length) * 8 - reached;
  if (rest > 0) fields.push(cutField(id, reached, rest));
  return fields;
}

function textOf(found: DecodedField, verdict: Verdict | undefined): { text: string; wrong: boolean } {
  const plain = formatValue(found.field, found.value);
  if (found.field.format !== "checksum" || !verdict || verdict.state === "unknown") {
    return { text: plain, wrong: false };
  }
  if (verdict.state !== "wrong") return { text: `${plain} ${verdict.state}`, wrong: false };
  return { text: `${plain} wrong, right is ${formatValue(found.field, verdict.expected!)}`, wrong: true };
}

function cutField(id: string, bit: number, width: number): ExplainedField {
  const text = width === 1 ? "1 bit" : `${width} bits`;
  return {
    ...{ id: `${id}.cut`, name: "cut", title: "cut off", bit, width, text, wrong: true },
    ...{ format: "bytes", value: null, ...SPAN_WORDS.unexplained },
    meaning: "The first bits of a field whose others are not here.",
  };
}

function spanField(part: SpanPart, id: string): ExplainedField {
  const { kind, at, length, what } = part;
  const words = SPAN_WORDS[kind];
  return {
    ...{ id, name: kind, title: kind, bit: at * 8, width: length * 8 },
    ...{ format: "bytes", value: null },
    ...{ text: length === 1 ? "1 byte" : `${length} bytes`, wrong: kind === "unexplained" },
    ...words,
    meaning: words.meaning.replace("%", what),
  };
}
