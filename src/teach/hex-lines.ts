/** A packet as text to be edited: the bytes of each field on a line, in hexadecimal, and behind `#` what they are. `readHexText` reads it. */
import { hex } from "../wire/index.ts";
import type { ExplainedField, Explanation } from "./explanation.ts";

/** Bytes on a line at most. */
const WIDTH = 16;
/** Where comments begin. */
const COMMENT_AT = 3 * WIDTH + 1;

/** @param from the byte to begin with: the first of a header */
export function hexLines({ bytes, parts }: Explanation, from = 0): string[] {
  return parts
    .filter(({ at }) => at >= from)
    .flatMap(({ title, fields }) => [
      `# ${title}`,
      ...groups(fields).flatMap(({ at, end, fields: some }) =>
        lines(bytes.subarray(at, end), some.map((one) => one.title).join(", ")),
      ),
    ]);
}

interface Group {
  readonly at: number;
  readonly end: number;
  readonly fields: readonly ExplainedField[];
}

/** Fields that share a byte stand together. */
function groups(fields: readonly ExplainedField[]): Group[] {
  const found: Group[] = [];
  let some: ExplainedField[] = [];
  for (const field of fields) {
    some.push(field);
    const end = field.bit + field.width;
    if (end % 8 !== 0) continue;
    found.push({ at: some[0]!.bit / 8, end: end / 8, fields: some });
    some = [];
  }
  return found;
}

function lines(bytes: Uint8Array, title: string): string[] {
  const count = Math.ceil(bytes.length / WIDTH);
  return Array.from({ length: count }, (_, i) => {
    const some = hex(bytes.subarray(i * WIDTH, (i + 1) * WIDTH), 0, undefined, " ");
    return i === 0 ? `${some.padEnd(COMMENT_AT)}# ${title}`.trimEnd() : some;
  });
}
