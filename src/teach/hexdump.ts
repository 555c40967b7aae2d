/**
 * Bytes in rows of 16, with the layer that they are part of below them:
 *
 *       0  02 42 ac 13 00 03 02 42 ac 13 00 02 08 00 45 00
 *          outer Ethernet --------------------------|---->
 *      16  00 86 12 34 00 00 40 11 10 08 ac 13 00 02 ac 13
 *          outer IPv4 ----------------------------------->
 *
 * With colours each layer has its own, too.
 */
import { hex } from "../wire/index.ts";
import type { ExplainedPart, Explanation } from "./explanation.ts";
import type { Paint, Style } from "./paint.ts";

const ROW = 16;
/** Columns of a byte and the space after it. */
const BYTE = 3;

/** A header with its options, or bytes without fields, in one row. */
interface Run {
  /** "" where another row of it has room for its title. */
  readonly title: string;
  readonly tone: Style;
  readonly at: number;
  readonly length: number;
  /** Whether it goes on in the next row. */
  readonly goesOn: boolean;
}

/** @returns lines of at most 80 columns */
export function hexdump(explanation: Explanation, paint: Paint): string[] {
  const margin = " ".repeat(offsetWidth(explanation));
  return rowsOf(explanation).flatMap((row) => [
    byteRow(explanation, row, paint),
    `${margin}  ${row.map((run) => paint(run.tone, ruler(run))).join("|")}`.trimEnd(),
  ]);
}

/** The same without the names below. @returns lines of at most 60 columns */
export function byteRows(explanation: Explanation, paint: Paint): string[] {
  return rowsOf(explanation).map((row) => byteRow(explanation, row, paint));
}

function rowsOf(explanation: Explanation): Run[][] {
  const { length } = explanation.bytes;
  const groups = groupsOf(explanation);
  const rows: Run[][] = [];
  for (let at = 0; at < length; at += ROW) rows.push(runsIn(groups, at, Math.min(at + ROW, length)));
  return rows;
}

function offsetWidth({ bytes }: Explanation): number {
  return Math.max(4, String(bytes.length).length);
}

function byteRow(explanation: Explanation, row: readonly Run[], paint: Paint): string {
  const offset = String(row[0]!.at).padStart(offsetWidth(explanation));
  const digits = row.map((run) => paint(run.tone, hex(explanation.bytes, run.at, run.length, " ")));
  return `${paint("dim", offset)}  ${digits.join(" ")}`;
}

/** Parts, each with the options behind it. */
function groupsOf({ parts }: Explanation): ExplainedPart[] {
  const groups: ExplainedPart[] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (part.kind !== "option" || last === undefined) groups.push(part);
    else groups[groups.length - 1] = { ...last, length: last.length + part.length };
  }
  return groups;
}

function runsIn(groups: readonly ExplainedPart[], from: number, to: number): Run[] {
  return groups
    .filter(({ at, length }) => at < to && at + length > from)
    .map((group) => {
      const end = group.at + group.length;
      const [first, last] = [Math.max(group.at, from), Math.min(end, to)];
      const title = first === titledAt(group) ? group.title : "";
      return { title, tone: group.tone, at: first, length: last - first, goesOn: end > to };
    });
}

/** The first of its bytes in the row that has the title: the first row if it fits there, else the longer of the first two. */
function titledAt({ title, at, length }: ExplainedPart): number {
  const border = (Math.floor(at / ROW) + 1) * ROW;
  const [first, second] = [Math.min(border - at, length), Math.min(length - (border - at), ROW)];
  return title.length <= room(first) || second <= first ? at : border;
}

function room(bytes: number): number {
  return bytes * BYTE - 1;
}

/** The name below the bytes, as much of it as fits. */
function ruler({ title, length, goesOn }: Run): string {
  const columns = room(length);
  const name = title.length <= columns ? title : `${title.slice(0, columns - 1)}.`;
  const line = name === "" ? "-".repeat(columns) : `${name} ${"-".repeat(columns)}`.slice(0, columns);
  return goesOn && name.length + 1 < columns ? `${line.slice(0, -1)}>` : line;
}
