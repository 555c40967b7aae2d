/** Text that stands in HTML and in SVG. */

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** @returns the text as XML has it, also inside of an attribute; control characters, which XML forbids, become U+FFFD */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!).replace(/[^\P{Cc}\n\t]/gu, "\ufffd");
}
