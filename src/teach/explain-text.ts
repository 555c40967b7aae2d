/**
 * A packet on a terminal, with all there is to say of it:
 *
 *   its bytes, layer by layer · where its sizes come from · each field: bits, value, what it means, why it is there, where
 *   that is written, and what happens when it is wrong · what is wrong with it
 *
 * The short form is `dissect.ts`.
 */
import { type ExplainedField, type ExplainedPart, type Explanation, extended } from "./explanation.ts";
import { hexdump } from "./hexdump.ts";
import { type Paint, painter, WIDTH, wrap } from "./paint.ts";
import { fieldPieces } from "./rows.ts";
import { sizeSteps } from "./sizes.ts";
import { bitsOf, bytesOf } from "./verdict-text.ts";

export interface TextOptions {
  /** ANSI colours. Default false. */
  readonly color?: boolean;
}

/** @returns lines of at most 80 columns, without line ends */
export function explainText(explanation: Explanation, { color }: TextOptions = {}): string[] {
  const paint = painter(color);
  const lines = [...hexdump(explanation, paint), "", ...sizeLines(explanation)];
  for (const part of explanation.parts) lines.push("", ...partLines(explanation, part, paint));
  for (const { kind, at, text } of explanation.notes) {
    lines.push(
      "",
      ...wrap("! ", `${kind} at byte ${at}: ${text}`.split(" ")).map((line) => paint("wrong", line)),
    );
  }
  return lines;
}

/** Where the sizes come from, from the data outwards: one under the other, so that they can be added up. */
export function sizeLines(explanation: Explanation): string[] {
  const { length } = explanation.bytes;
  const steps = sizeSteps(explanation);
  if (steps.length === 0) return [length === 1 ? "1 byte" : `${length} bytes`];
  const adds = steps.map(({ adds }, i) => (i === 0 ? `  ${adds}` : `+ ${adds}`));
  const width = Math.max(...adds.map((text) => text.length));
  return steps.map(
    ({ bytes, name }, i) => `  ${adds[i]!.padEnd(width)} = ${String(bytes).padStart(4)}  ${name}`,
  );
}

function partLines(explanation: Explanation, part: ExplainedPart, paint: Paint): string[] {
  const { title, tone, at, kind } = part;
  const length = extended(explanation, part);
  const extent = length === 1 ? `1 byte at ${at}` : `${length} bytes, ${at} to ${at + length - 1}`;
  const heading = kind === "option" ? `option: ${title}` : title;
  const gap = Math.max(1, WIDTH - heading.length - extent.length);
  const lines = [`${paint(tone, heading)}${" ".repeat(gap)}${paint("dim", extent)}`];
  return [...lines, ...part.fields.flatMap((field) => fieldLines(explanation.bytes, part, field, paint))];
}

const MARGIN = "      ";
/** Bits of a field that are shown beside its name. */
const FIRST_BITS = 48;

function fieldLines(bytes: Uint8Array, part: ExplainedPart, field: ExplainedField, paint: Paint): string[] {
  const { title, text, width, wrong, meaning, why, source, ifWrong } = field;
  const value = wrong ? paint("wrong", text) : text;
  const isSpan = part.kind !== "header" && part.kind !== "option";
  const first = isSpan ? [] : fieldPieces(bytes, field);
  const where = first[0] === undefined ? "" : `${first[0].hex.trim()}${width > FIRST_BITS ? " .." : ""}  `;
  return [
    "",
    `  ${paint(part.tone, title)}  ${where}${value}`,
    ...[`${bytesOf(field)}, ${bitsOf(field)}; ${source}`].flatMap((line) =>
      wrap(MARGIN, line.split(" ")).map((one) => paint("dim", one)),
    ),
    ...wrap(MARGIN, meaning.split(" ")),
    ...wrap(`${MARGIN}why: `, why.split(" ")),
    ...wrap(`${MARGIN}if wrong: `, ifWrong.split(" ")),
  ];
}
