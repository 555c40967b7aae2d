/** What is different between two packets, field by field. */
import { type ExplainedField, type Explanation, fieldsOf } from "./explanation.ts";

export interface Difference {
  /** Of the second packet; of the first, where the second has no such field. */
  readonly field: ExplainedField;
  /** The value before, and after; null where there is no such field. */
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * Compares by the fields' ids: what has come, gone, or another value. Two fields whose values look the same but whose bytes
 * differ (payloads) are different, too.
 */
export function differences(before: Explanation, after: Explanation): Difference[] {
  const old = new Map(fieldsOf(before).map((field) => [field.id, field]));
  const found: Difference[] = [];
  for (const field of fieldsOf(after)) {
    const former = old.get(field.id);
    old.delete(field.id);
    if (former !== undefined && sameBits(before.bytes, former, after.bytes, field)) continue;
    found.push({ field, before: former?.text ?? null, after: field.text });
  }
  for (const field of old.values()) found.push({ field, before: field.text, after: null });
  return found;
}

function sameBits(a: Uint8Array, first: ExplainedField, b: Uint8Array, second: ExplainedField): boolean {
  if (first.width !== second.width) return false;
  if (first.value !== null) return first.value === second.value;
  const bytes = (all: Uint8Array, { bit, width }: ExplainedField) =>
    all.subarray(bit >> 3, (bit + width + 7) >> 3);
  const other = bytes(b, second);
  return bytes(a, first).every((byte, i) => byte === other[i]);
}
