/**
 * A packet as a drawing: its headers under each other, 32 bits in a row, a cell for each field with its name and value.
 * It has its own colours, for light and for dark, and each cell has the field's id, its bits, and what it means as a title.
 */
import { type Cell, cellsOf, type DiagramField, ROW_BITS } from "./diagram.ts";
import type { ExplainedPart, Explanation, Tone } from "./explanation.ts";
import { escaped } from "./markup.ts";
import { bitsOf } from "./verdict-text.ts";

/** Pixels. */
const BIT = 26;
const ROW = 44;
const LEFT = 12;
const HEADING = 34;
/** Around each cell. */
const GAP = 1;
const WIDTH = LEFT * 2 + BIT * ROW_BITS;
/** Pixels that a character of a cell needs, at most. */
const NAME_PX = 7.2;
const VALUE_PX = 7.8;

/** A header, or bytes without fields, and where it is drawn. */
interface Block {
  readonly title: string;
  readonly tone: Tone;
  readonly extent: string;
  readonly cells: readonly Cell[];
  readonly rows: number;
}

/** @returns a whole SVG document */
export function packetSvg(explanation: Explanation): string {
  const blocks = explanation.parts.map(blockOf);
  let y = 8;
  const drawn = blocks.map((block) => {
    const at = y;
    y += HEADING + block.rows * ROW + 10;
    return drawBlock(block, at);
  });
  return svg(y, `a packet of ${explanation.bytes.length} bytes`, drawn.join(""));
}

/** @param fields of one header, from bit 0. @returns a whole SVG document */
export function headerSvg(title: string, fields: readonly DiagramField[]): string {
  const cells = cellsOf(fields);
  const rows = Math.max(1, ...cells.map(({ row }) => row + 1));
  const block: Block = { title, tone: "tunnel", extent: "", cells, rows };
  return svg(HEADING + rows * ROW + 18, title, drawBlock(block, 8));
}

function blockOf(part: ExplainedPart): Block {
  const { title, tone, at, length, kind } = part;
  const extent = length === 1 ? `byte ${at}` : `${length} bytes, ${at} to ${at + length - 1}`;
  const isSpan = kind !== "header" && kind !== "option";
  const fields = part.fields.map((field): DiagramField => {
    const { id, meaning, text, width } = field;
    // Bytes without fields, and very long fields, are one row whatever their length.
    const shown = isSpan ? ROW_BITS : width;
    return {
      title: field.title,
      at: isSpan ? 0 : field.bit - at * 8,
      width: shown,
      text,
      id,
      meaning,
      bits: bitsOf(field),
      brief: typeof field.value === "number" ? String(field.value) : field.text,
    };
  });
  const cells = cellsOf(fields);
  return { title, tone, extent, cells, rows: Math.max(1, ...cells.map(({ row }) => row + 1)) };
}

function drawBlock({ title, tone, extent, cells, rows }: Block, y: number): string {
  const heading =
    `<text class="title" x="${LEFT}" y="${y + 22}">${escaped(title)}</text>` +
    `<text class="extent" x="${WIDTH - LEFT}" y="${y + 22}" text-anchor="end">${escaped(extent)}</text>`;
  const fields = new Set(cells.map(({ field }) => field));
  const boxes = [...fields]
    .map((one) =>
      drawField(
        cells.filter(({ field }) => field === one),
        y + HEADING,
      ),
    )
    .join("");
  return `<g class="${tone}" data-rows="${rows}">${heading}${boxes}</g>`;
}

/** The cells of a field, joined where one lies below the other. */
function drawField(cells: readonly Cell[], y: number): string {
  const { title, text = "", id = "", meaning = "", bits = "" } = cells[0]!.field;
  const about = [title, text, bits, meaning].filter((words) => words !== "").join("\n");
  const named = cells.find((cell) => cell.named)!;
  const boxes = cells.flatMap((cell, i) => [box(cell, y), ...joint(cells[i - 1], cell, y)]);
  return (
    `<g class="cell" data-field="${escaped(id)}" data-bits="${escaped(bits)}" data-value="${escaped(text)}">` +
    `<title>${escaped(about)}</title>${boxes.join("")}${drawWords(named, y)}</g>`
  );
}

function rect(x: number, y: number, width: number, height: number): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}

function box({ row, from, to }: Cell, y: number): string {
  return rect(LEFT + from * BIT + GAP, y + row * ROW + GAP, (to - from) * BIT - 2 * GAP, ROW - 2 * GAP);
}

/** What fills the gap between two cells of one field. */
function joint(above: Cell | undefined, below: Cell, y: number): string[] {
  if (above === undefined) return [];
  const [from, to] = [Math.max(above.from, below.from), Math.min(above.to, below.to)];
  if (to <= from) return [];
  return [rect(LEFT + from * BIT + GAP, y + below.row * ROW - 2 * GAP, (to - from) * BIT - 2 * GAP, 4 * GAP)];
}

/** The name above the value, each as much as fits. */
function drawWords({ field, row, from, to }: Cell, y: number): string {
  const { title, text = "", brief = text } = field;
  const width = (to - from) * BIT - 6;
  const [middle, top] = [LEFT + ((from + to) / 2) * BIT, y + row * ROW];
  const value = text.length * VALUE_PX <= width ? text : fit(brief, width, VALUE_PX);
  return (
    `<text class="name" x="${middle}" y="${text === "" ? top + 27 : top + 18}" text-anchor="middle">${escaped(fit(title, width, NAME_PX))}</text>` +
    (text === ""
      ? ""
      : `<text class="value" x="${middle}" y="${top + 36}" text-anchor="middle">${escaped(value)}</text>`)
  );
}

function fit(text: string, width: number, perCharacter: number): string {
  const room = Math.max(1, Math.floor(width / perCharacter));
  if (text.length <= room) return text;
  return room < 4 ? text[0]!.toUpperCase() : `${text.slice(0, room - 1)}…`;
}

const STYLE = `
svg{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:#fff}
.title{font-size:15px;font-weight:600}.extent{font-size:12px;fill:#667}
.name{font-size:12px;fill:#334}.value{font-size:13px;font-weight:600;fill:#112}
rect{rx:3}
.outer rect,.plain rect{fill:#cfe3fb}.tunnel rect{fill:#f7d3ea}.inner rect{fill:#cdeed6}
.outer .title,.plain .title{fill:#174f8f}.tunnel .title{fill:#95206b}.inner .title{fill:#17653a}
@media (prefers-color-scheme:dark){
svg{background:#12151c}.extent{fill:#99a}.name{fill:#ccd}.value{fill:#fff}
.outer rect,.plain rect{fill:#1d3a5f}.tunnel rect{fill:#5d1c48}.inner rect{fill:#174a2d}
.outer .title,.plain .title{fill:#8fc1ff}.tunnel .title{fill:#ff9fdb}.inner .title{fill:#84e0a5}}
`.replace(/\n/g, "");

function svg(height: number, label: string, body: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `role="img" aria-label="${escaped(label)}"><style>${STYLE}</style>${body}</svg>\n`
  );
}
