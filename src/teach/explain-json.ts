/** An explained packet as JSON: what `poplin explain --json` prints, and programs read. */
import { hex } from "../wire/index.ts";
import type { Explanation } from "./explanation.ts";
import type { Guess } from "./guess.ts";
import type { Judgements } from "./judge/judge.ts";
import type { Receiver } from "./judge/judgement.ts";
import { sizeSteps } from "./sizes.ts";

/** The version of this form: a field may come with the next ones, none goes or changes. */
const SCHEMA = 1;

export interface JsonExtras {
  /** Null where somebody has said what the first byte belongs to. */
  readonly guess: Guess | null;
  readonly receiver: Receiver;
  readonly verdicts: Judgements;
}

/** @returns what `JSON.stringify` takes: bytes as hexadecimal digits, bits counted from the first of the packet */
export function explanationJson(
  explanation: Explanation,
  { guess, receiver, verdicts }: JsonExtras,
): unknown {
  const { bytes, parts, notes, truncated } = explanation;
  return {
    schema: SCHEMA,
    guess,
    length: bytes.length,
    bytes: hex(bytes),
    parts: parts.map(({ id, kind, title, level, at, length, fields }) => ({
      ...{ id, kind, title, level, at, length },
      fields: fields.map(({ format: _format, names: _names, ...field }) => field),
    })),
    notes,
    truncated,
    sizes: sizeSteps(explanation),
    receiver,
    verdicts,
  };
}
