/** Documents of which a part is made from the code: `<!-- name -->` … `<!-- /name -->`. */
import { expect } from "vitest";

/** @returns the document with one generated part as it has to be */
export function withPart(document: string, name: string, part: string): string {
  const marks = new RegExp(`<!-- ${name} -->[^]*<!-- /${name} -->`);
  expect(document).toMatch(marks);
  return document.replace(marks, () => `<!-- ${name} -->\n\n${part}\n\n<!-- /${name} -->`);
}
