/**
 * A packet on a terminal, every byte named:
 *
 *     outer IPv4                                                   20 bytes, 14 to 33
 *      14 45 0100 ....      version          4                 always 4 here
 *            .... 0101      header length    5 (20 bytes)      options included
 *      15 00 0000 00..      DSCP             0                 class of service
 *
 * Where it lies, the bytes (and bits where a field is not whole bytes), the field, its value, what it is for.
 */
import type { PacketOptions } from "../wire/index.ts";
import { type Explanation, explain, extended } from "./explanation.ts";
import { type Paint, painter, WIDTH, wrap } from "./paint.ts";
import { packetRows, type Row } from "./rows.ts";

export interface DissectOptions extends PacketOptions {
  /** ANSI colours. Default false. */
  readonly color?: boolean;
}

const HEX = 17;
const NAME = 16;
const VALUE = 17;

/** @returns lines of at most 80 columns, without line ends. Never throws, whatever the bytes are. */
export function dissect(bytes: Uint8Array, options: DissectOptions = {}): string[] {
  const explanation = explain(bytes, options);
  const paint = painter(options.color);
  const offset = Math.max(3, String(bytes.length).length);
  const lines = sizes(explanation);
  for (const row of packetRows(explanation)) {
    if (row.kind === "heading") lines.push("");
    lines.push(...rowLines(row, offset, paint));
  }
  return lines;
}

/** "148 bytes" and what they are made of: one line, or one for each side of the tunnel. */
function sizes(explanation: Explanation): string[] {
  const { bytes, parts } = explanation;
  const levels: string[][] = [];
  const totals: number[] = [];
  for (const part of parts) {
    const { level } = part;
    levels[level] ??= [];
    totals[level] = (totals[level] ?? 0) + part.length;
    if (part.kind === "option") continue;
    levels[level].push(`${part.header} ${extended(explanation, part)}`);
  }
  const total = bytes.length === 1 ? "1 byte" : `${bytes.length} bytes`;
  if (bytes.length === 0) return ["0 bytes: nothing here"];
  if (levels.length === 1) return wrap(`${total}: `, sum(levels[0]!));
  return [
    total,
    ...levels.flatMap((level, i) => wrap(i === 0 ? "  outer: " : "  inner: ", sum(level, totals[i]))),
  ];
}

/** "a + b = total", in pieces that stay together on a line. */
function sum(terms: readonly string[], total?: number): string[] {
  const end = total === undefined ? "" : ` = ${total}`;
  return terms.map((term, i) => (i < terms.length - 1 ? `${term} +` : term + end));
}

function rowLines(row: Row, offset: number, paint: Paint): string[] {
  const margin = " ".repeat(offset + 1);
  switch (row.kind) {
    case "heading": {
      const gap = WIDTH - row.title.length - row.extent.length;
      const title = paint(row.tone, row.title);
      if (gap > 0) return [title + " ".repeat(gap) + paint("dim", row.extent)];
      return [title, paint("dim", row.extent.padStart(WIDTH))];
    }
    case "option":
      return [margin + paint(row.tone, row.title)];
    case "dump":
      return [
        `${paint("dim", String(row.at).padStart(offset))} ${paint(row.tone, row.hex.padEnd(47))}  ${row.ascii}`,
      ];
    case "more":
      return wrap(margin, row.text.split(" "));
    case "note":
      return ["", ...wrap("! ", row.text.split(" ")).map((line) => paint("wrong", line))];
    case "field":
      return fieldLines(row, offset, paint);
  }
}

function fieldLines(row: Extract<Row, { kind: "field" }>, offset: number, paint: Paint): string[] {
  const at = row.at === undefined ? "" : String(row.at);
  const left = `${paint("dim", at.padStart(offset))} `;
  if (row.name === "") return [left + paint(row.tone, row.hex)];
  const named = `${left}${paint(row.tone, row.hex.padEnd(HEX))} ${row.name.padEnd(NAME)} `;
  const value = row.wrong ? paint("wrong", row.value) : row.value;
  const gap = " ".repeat(Math.max(1, VALUE + 1 - row.value.length));
  const width = offset + 1 + HEX + 1 + NAME + 1 + row.value.length + gap.length + row.short.length;
  // a value that needs the room has it: what it is for can be seen from it then
  return [width <= WIDTH ? named + value + gap + paint("dim", row.short) : named + value];
}
