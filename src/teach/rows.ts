/** An explained packet as rows: what stands on each line of a dissection, before it is set in columns. */
import { hex } from "../wire/index.ts";
import {
  type ExplainedField,
  type ExplainedPart,
  type Explanation,
  extended,
  type Tone,
} from "./explanation.ts";

/** Bytes of a field on one row. */
const FIELD_BYTES = 6;
/** Rows of a field of variable length, before it is cut short. */
const FIELD_ROWS = 6;
/** Bytes of payload on one row. */
const DUMP_BYTES = 16;
/** Rows of a payload, before it is cut short. */
const DUMP_ROWS = 4;

export type Row =
  | { readonly kind: "heading"; readonly tone: Tone; readonly title: string; readonly extent: string }
  | { readonly kind: "option"; readonly tone: Tone; readonly title: string }
  | {
      readonly kind: "field";
      readonly tone: Tone;
      /** Where its first byte is; absent on rows that show more bits of a byte already shown. */
      readonly at?: number;
      /** Bytes and, where a field is not whole bytes, bits. */
      readonly hex: string;
      readonly name: string;
      readonly value: string;
      readonly short: string;
      readonly wrong: boolean;
    }
  | {
      readonly kind: "dump";
      readonly tone: Tone;
      readonly at: number;
      readonly hex: string;
      readonly ascii: string;
    }
  | { readonly kind: "more"; readonly text: string }
  | { readonly kind: "note"; readonly text: string };

export function packetRows(explanation: Explanation): Row[] {
  const { bytes, parts, notes } = explanation;
  const rows: Row[] = [];
  for (const part of parts) {
    const isSpan = part.kind !== "header" && part.kind !== "option";
    rows.push(...(isSpan ? spanRows(bytes, part) : headerRows(explanation, part)));
  }
  for (const note of notes)
    rows.push({ kind: "note", text: `${note.kind} at byte ${note.at}: ${note.text}` });
  return rows;
}

function extent(at: number, length: number): string {
  return length === 1 ? `1 byte at ${at}` : `${length} bytes, ${at} to ${at + length - 1}`;
}

function headerRows(explanation: Explanation, part: ExplainedPart): Row[] {
  const { bytes } = explanation;
  const { tone, title } = part;
  const rows: Row[] = [];
  if (part.kind === "header") {
    rows.push({ kind: "heading", tone, title, extent: extent(part.at, extended(explanation, part)) });
  } else if (part.length > 1) {
    rows.push({ kind: "option", tone, title: title === "option" ? title : `option: ${title}` });
  }
  for (const found of part.fields) {
    const name = part.kind === "option" && part.length === 1 ? title : found.title;
    const { text: value, short, wrong } = found;
    fieldPieces(bytes, found).forEach((piece, i) => {
      const text = i === 0 ? { name, value, short } : { name: "", value: "", short: "" };
      rows.push({ kind: "field", tone, wrong, ...piece, ...text });
    });
  }
  return rows;
}

export interface Piece {
  readonly at?: number;
  readonly hex: string;
}

/**
 * The bytes of a field, row by row. A byte that several fields share is written out with the first of them, and
 * each shows its own bits of it: "45 0100 ...." and below "   .... 0101".
 */
export function fieldPieces(bytes: Uint8Array, found: ExplainedField): Piece[] {
  const end = found.bit + found.width;
  const pieces: Piece[] = [];
  let bit = found.bit;
  if (bit % 8 !== 0 || end - bit < 8) {
    const byteEnd = Math.min(end, (Math.floor(bit / 8) + 1) * 8);
    pieces.push(bitPiece(bytes, bit, byteEnd));
    bit = byteEnd;
  }
  const whole = Math.floor(end / 8);
  let at = bit / 8;
  for (let row = 0; at < whole; row++) {
    if (row === FIELD_ROWS - 1 && whole - at > FIELD_BYTES) {
      pieces.push({ at, hex: `(${whole - at} bytes more)` });
      at = whole;
      break;
    }
    const length = Math.min(FIELD_BYTES, whole - at);
    pieces.push({ at, hex: hex(bytes, at, length, " ") });
    at += length;
  }
  if (at * 8 < end && bit < end) pieces.push(bitPiece(bytes, at * 8, end));
  return pieces;
}

/** Bits of one byte, from `bit` to `end`. The byte itself is shown with its first bit only. */
function bitPiece(bytes: Uint8Array, bit: number, end: number): Piece {
  const at = Math.floor(bit / 8);
  let pattern = "";
  for (let i = at * 8; i < at * 8 + 8; i++) {
    if (i % 8 === 4) pattern += " ";
    pattern += i < bit || i >= end ? "." : (bytes[at]! >>> (7 - (i % 8))) & 1;
  }
  return bit % 8 === 0 ? { at, hex: `${hex(bytes, at, 1)} ${pattern}` } : { hex: `   ${pattern}` };
}

function spanRows(bytes: Uint8Array, part: ExplainedPart): Row[] {
  const { tone, title, at, length } = part;
  const rows: Row[] = [{ kind: "heading", tone, title, extent: extent(at, length) }];
  const end = at + length;
  if (length > 2 * DUMP_BYTES && bytes.subarray(at, end).every((byte) => byte === bytes[at])) {
    rows.push({
      kind: "dump",
      tone,
      at,
      hex: hex(bytes, at, DUMP_BYTES, " "),
      ascii: ascii(bytes, at, DUMP_BYTES),
    });
    rows.push({ kind: "more", text: `and so on: all ${length} bytes are ${hex(bytes, at, 1)}` });
    return rows;
  }
  const fits = length <= DUMP_ROWS * DUMP_BYTES;
  const shown = fits ? length : (DUMP_ROWS - 1) * DUMP_BYTES;
  for (let i = at; i < at + shown; i += DUMP_BYTES) {
    const n = Math.min(DUMP_BYTES, at + shown - i);
    rows.push({ kind: "dump", tone, at: i, hex: hex(bytes, i, n, " "), ascii: ascii(bytes, i, n) });
  }
  if (!fits) rows.push({ kind: "more", text: `${length - shown} bytes more, up to ${end - 1}` });
  return rows;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let i = at; i < at + length; i++) {
    text += bytes[i]! >= 0x20 && bytes[i]! < 0x7f ? String.fromCharCode(bytes[i]!) : ".";
  }
  return text;
}
