/** Text on a terminal: its width, and colours that stand for layers. */
import type { Tone } from "./explanation.ts";

const ESCAPE = "\u001b";
/** Columns of the terminal. */
export const WIDTH = 80;

/** Words after a prefix, on as many lines as they need; those after the first are indented by the prefix. */
export function wrap(prefix: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let line = prefix;
  for (const word of words) {
    if (line.length > prefix.length && widthOf(line) + 1 + widthOf(word) > WIDTH) {
      lines.push(line);
      line = " ".repeat(prefix.length);
    }
    line += line.length > prefix.length ? ` ${word}` : word;
  }
  return [...lines, line];
}

const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;]*m`, "g");

/** Columns that a text takes: colours take none. */
function widthOf(text: string): number {
  return text.replace(COLOURS, "").length;
}

/** A layer's colour, or what stands back, or what is wrong. */
export type Style = Tone | "dim" | "wrong";
export type Paint = (style: Style, text: string) => string;

/** @returns what puts ANSI colours around a text, or nothing */
export function painter(color = false): Paint {
  return color ? ansi : plain;
}

const STYLES: Readonly<Record<Style, string>> = {
  outer: "36",
  tunnel: "35;1",
  inner: "32",
  plain: "36",
  dim: "2",
  wrong: "31;1",
};

function ansi(style: Style, text: string): string {
  return text.trim() === "" ? text : `${ESCAPE}[${STYLES[style]}m${text}${ESCAPE}[0m`;
}

function plain(_style: Style, text: string): string {
  return text;
}
