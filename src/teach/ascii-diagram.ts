/**
 * A header in characters, as RFCs draw it:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |       |I|     |                                               |
 *
 * A name that does not fit its cell is a letter in it, and stands below.
 */
import { type Cell, cellsOf, type DiagramField, ROW_BITS } from "./diagram.ts";

/** Columns of a bit. */
const BIT = 2;
const MARGIN = "    ";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** @returns lines of at most 80 columns. @param fields side by side, from bit 0 */
export function asciiDiagram(fields: readonly DiagramField[]): string[] {
  const cells = cellsOf(fields);
  const rows = Math.max(0, ...cells.map(({ row }) => row + 1));
  const legend: string[] = [];
  const labels = new Map<Cell, string>();
  for (const cell of cells) if (cell.named) labels.set(cell, labelOf(cell, legend));
  const at = (row: number) => cells.filter((cell) => cell.row === row);
  const lines = scale();
  for (let row = 0; row < rows; row++) {
    const inner = at(row).map((cell) => inside(cell, labels.get(cell) ?? ""));
    lines.push(border(at(row - 1), at(row)), `${MARGIN}|${inner.join("")}`);
  }
  lines.push(border(at(rows - 1), []));
  return [...lines, ...legend.map((line) => MARGIN + line)].map((line) => line.trimEnd());
}

function scale(): string[] {
  const bits = Array.from({ length: ROW_BITS }, (_, i) => i);
  const tens = bits.map((i) => (i % 10 === 0 ? String(i / 10) : " ")).join(" ");
  return [`${MARGIN} ${tens}`, `${MARGIN} ${bits.map((i) => i % 10).join(" ")}`];
}

/** What the cell says: the name and the value, as much of it as fits; else a letter, explained in the legend. */
function labelOf(cell: Cell, legend: string[]): string {
  const { title, text } = cell.field;
  const room = (cell.to - cell.from) * BIT - 1;
  const whole = text === undefined ? title : `${title}: ${text}`;
  if (whole.length <= room) return whole;
  if (text === undefined && title.length <= room) return title;
  const letter = LETTERS[legend.length % LETTERS.length]!;
  const bits = cell.field.width === 1 ? "1 bit" : `${cell.field.width} bits`;
  legend.push(`${letter}  ${title}, ${bits}${text === undefined ? "" : `: ${text}`}`);
  return letter;
}

function inside(cell: Cell, label: string): string {
  const room = (cell.to - cell.from) * BIT - 1;
  const left = Math.floor((room - label.length) / 2);
  return `${" ".repeat(left)}${label}${" ".repeat(room - left - label.length)}|`;
}

/** The line between two rows: open where a field goes on. */
function border(above: readonly Cell[], below: readonly Cell[]): string {
  const fieldAt = (cells: readonly Cell[], bit: number) =>
    cells.find(({ from, to }) => from <= bit && bit < to)?.field;
  const ends = new Set([...above, ...below].map(({ to }) => to));
  let line = "+";
  for (let bit = 0; bit < ROW_BITS; bit++) {
    const closed = fieldAt(above, bit) !== fieldAt(below, bit);
    line += `${closed ? "-" : " "}${closed || ends.has(bit + 1) ? "+" : " "}`;
  }
  return MARGIN + line;
}
