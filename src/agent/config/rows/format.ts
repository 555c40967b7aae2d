/** How several values of one setting are written for people. */
export function formatList(texts: readonly string[]): string {
  return texts.length === 0 ? "none" : texts.join(", ");
}
