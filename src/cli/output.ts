/**
 * How the commands talk: numbers with units, durations as people say them, tables, wrapped text, colour where a
 * person looks. Everything here is a pure function of its arguments, so that the tests can say what they expect.
 */

/** Columns when nobody says how wide the terminal is. */
export const DEFAULT_WIDTH = 80;

/** How wide to print, and whether in colour. */
export interface Style {
  readonly width: number;
  readonly color: boolean;
}

/** What a stream says of the terminal that it leads to. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Colour only for a terminal, and not for who set NO_COLOR (https://no-color.org) or has a dumb one. */
export function styleOf(stream: Terminal, env: NodeJS.ProcessEnv): Style {
  const color = stream.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  // A terminal that nobody has told its size has 0 columns.
  return { width: Math.max(40, stream.columns || DEFAULT_WIDTH), color };
}

const ESCAPE = "\u001b";
const SGR = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** `text` in a colour or weight, if `style` has colours. */
export function paint(style: Style, as: keyof typeof SGR, text: string): string {
  if (!style.color || text === "") return text;
  const [on, off] = SGR[as];
  return `${ESCAPE}[${on}m${text}${ESCAPE}[${off}m`;
}

const ESCAPES = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");

/** `text` without its colours. */
export function plain(text: string): string {
  return text.replace(ESCAPES, "");
}

/** Columns that `text` takes: colours take none. */
export function widthOf(text: string): number {
  return plain(text).length;
}

/** 1234567 → "1,234,567". */
export function count(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** The time of day on this machine, to the millisecond: "15:04:05.678". */
export function timeOfDay(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const seconds = `${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  return `${two(date.getHours())}:${two(date.getMinutes())}:${seconds}`;
}

/** 1 → "1 peer", 2 → "2 peers". */
export function plural(n: number, one: string, many: string = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1536 → "1.5 KiB". */
export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  // 1023.95 and above would print as 1024.0
  while (value >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? count(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

const TIME_UNITS: readonly (readonly [string, number])[] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** 3723 → "1 hour, 2 minutes": the two largest units, as `wg` has them; under a second "0 seconds". */
export function duration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [name, size] of TIME_UNITS) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(plural(n, name));
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(", ") || "0 seconds";
}

/** 3723 → "1 hour": the largest unit alone, for tables. */
export function roughly(seconds: number): string {
  return duration(seconds).split(",", 1)[0]!;
}

/** "1 minute ago"; "just now" within a second, or for a clock that went backwards. */
export function ago(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) return at;
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/** Breaks `text` at spaces into lines of at most `width`; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  return fill(text.split(/\s+/), width);
}

/** Puts words, each of which stays on one line, into lines of at most `width`. */
export function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words.filter((w) => w !== "")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

/** `text` wrapped, its first line behind `first`, the others behind as many spaces. */
export function hang(first: string, text: string, width: number): string[] {
  const indent = widthOf(first);
  return wrap(text, width - indent).map((line, i) => (i === 0 ? first : " ".repeat(indent)) + line);
}

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Rows under their titles, columns two spaces apart, nothing after the last word of a line. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string[] {
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[i] ?? ""))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, i) => {
        const cell = cells[i] ?? "";
        const pad = " ".repeat(widths[i]! - widthOf(cell));
        return column.align === "right" ? pad + cell : cell + pad;
      })
      .join("  ")
      .trimEnd();
  const titles = line(columns.map((column) => column.title));
  return [paint(style, "bold", titles), ...rows.map(line)];
}
