/**
 * A header as standards draw it: 32 bits in a row, a cell for each field. A field that goes on in the next row has a cell
 * there, too. The drawings are `ascii-diagram.ts` and `svg-diagram.ts`.
 */
import type { Field, HeaderTable } from "../wire/index.ts";

/** Bits in a row. */
export const ROW_BITS = 32;

/** What a diagram needs to know of a field; widths are in bits. */
export interface DiagramField {
  readonly title: string;
  /** Bits from the start of the header. */
  readonly at: number;
  readonly width: number;
  /** Of a packet's field: its value; a header drawn without a packet has none. */
  readonly text?: string;
  /** The value where there is little room. */
  readonly brief?: string;
  /** Of a packet's field. */
  readonly id?: string;
  readonly meaning?: string;
  /** "bits 368 to 391", from the start of the packet. */
  readonly bits?: string;
}

export interface Cell {
  readonly field: DiagramField;
  /** From 0. */
  readonly row: number;
  /** Bits of the row: from the first, up to before the last. */
  readonly from: number;
  readonly to: number;
  /** Whether the field has cells in rows before. */
  readonly begun: boolean;
  /** Whether this is where its name goes: the widest of its cells, the first of several. */
  readonly named: boolean;
}

/** The fields of a table. A `rest` is drawn as one row. */
export function tableFields(table: HeaderTable): DiagramField[] {
  return table.fields.map((field: Field) => {
    const { title, at, meaning } = field;
    const width = field.width === "rest" ? ROW_BITS - (at % ROW_BITS) : field.width;
    return { title, at, width, meaning };
  });
}

/** @param fields side by side, from bit 0 */
export function cellsOf(fields: readonly DiagramField[]): Cell[] {
  return fields.flatMap((field) => {
    const pieces: Omit<Cell, "named">[] = [];
    const end = field.at + field.width;
    for (let bit = field.at; bit < end; ) {
      const row = Math.floor(bit / ROW_BITS);
      const to = Math.min(end, (row + 1) * ROW_BITS);
      pieces.push({ field, row, from: bit - row * ROW_BITS, to: to - row * ROW_BITS, begun: bit > field.at });
      bit = to;
    }
    const widest = Math.max(...pieces.map(({ from, to }) => to - from));
    const named = pieces.find(({ from, to }) => to - from === widest);
    return pieces.map((piece) => ({ ...piece, named: piece === named }));
  });
}
