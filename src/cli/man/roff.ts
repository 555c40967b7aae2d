/** Text for man(7): what has a meaning to roff is escaped, and what is code here is bold there. Pure. */

/** @returns one line's worth of text as roff prints it: plain ASCII, every hyphen one that can be searched for */
export function escapeRoff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(
      /[^\x20-\x7e]/gu,
      (char) => `\\[u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    )
    .replace(/^\./, "\\&.");
}

/** Words in backticks bold, the rest as it is; line ends are blanks. */
export function prose(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .trim()
    .split("`")
    .map((part, i) => (i % 2 === 1 ? bold(part) : escapeRoff(part)))
    .join("")
    .replace(/^\./, "\\&.");
}

export function bold(text: string): string {
  return text === "" ? "" : `\\fB${escapeRoff(text)}\\fR`;
}

export function italic(text: string): string {
  return text === "" ? "" : `\\fI${escapeRoff(text)}\\fR`;
}

/** A term and what it means, which hangs below it. */
export function tagged(term: string, ...meaning: readonly string[]): string[] {
  return [".TP", term, ...meaning];
}

export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

/** Paragraphs, which empty lines part. */
export function paragraphs(text: string): string[] {
  return text.split(/\n\s*\n/).flatMap((one, i) => [...(i === 0 ? [] : [".PP"]), prose(one)]);
}

/** Lines as they stand, in the type of code. */
export function verbatim(lines: readonly string[]): string[] {
  return [".nf", ...lines.map((line) => escapeRoff(line) || "\\&"), ".fi"];
}
