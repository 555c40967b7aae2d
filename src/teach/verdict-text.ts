/** What becomes of a packet, in lines of at most 80 columns. */
import { type ExplainedField, type Explanation, fieldsOf } from "./explanation.ts";
import { JUDGES, type Judgements } from "./judge/judge.ts";
import type { Fate, Judgement, Receiver } from "./judge/judgement.ts";
import { type Paint, painter, wrap } from "./paint.ts";

export const FATE_WORDS: Readonly<Record<Fate, string>> = {
  in: "let in",
  drop: "dropped",
  "may-drop": "may be dropped",
  elsewhere: "not for a VTEP here",
};

/** Columns of "RFC 7348" and what follows it. */
const MARGIN = "            ";

export function verdictLines(
  explanation: Explanation,
  receiver: Receiver,
  verdicts: Judgements,
  color = false,
): string[] {
  const paint = painter(color);
  const lines = [receiverLine(receiver), ""];
  for (const judge of JUDGES) {
    const verdict = verdicts[judge];
    lines.push(...wrap(`  ${judge.padEnd(MARGIN.length - 2)}`, headline(explanation, verdict, paint)));
    lines.push(
      ...wrap(MARGIN, verdict.words.split(" ")),
      ...wrap(MARGIN, verdict.source.split(" ")).map((line) => paint("dim", line)),
    );
  }
  return lines;
}

/** "At a VTEP that has VNI 1 and listens to UDP port 8472:" */
export function receiverLine({ vni, port, learning, gbp }: Receiver): string {
  const more = [...(learning ? ["learns"] : []), ...(gbp ? ["knows group policies"] : [])];
  return `At a VTEP that ${[`has VNI ${vni}`, ...more, `listens to UDP port ${port}`].join(", ")}:`.replace(
    /, (?=[^,]*$)/,
    " and ",
  );
}

/** In pieces that stay together on a line. */
function headline(explanation: Explanation, { fate, reason, field }: Judgement, paint: Paint): string[] {
  const words = FATE_WORDS[fate] + (reason === null ? "" : `: ${reason}`);
  const found = fieldsOf(explanation).find(({ id }) => id === field);
  const where = found === undefined ? [] : [`by ${found.id}`, `(${bitsOf(found)})`];
  return fate === "in" ? [words] : [paint("wrong", words), ...where];
}

/** "byte 42", "bytes 46 to 48": those that it has bits of. */
export function bytesOf({ bit, width }: Pick<ExplainedField, "bit" | "width">): string {
  const [first, last] = [bit >> 3, (bit + width - 1) >> 3];
  return first === last ? `byte ${first}` : `bytes ${first} to ${last}`;
}

/** "bit 340", "bits 368 to 391" */
export function bitsOf({ bit, width }: Pick<ExplainedField, "bit" | "width">): string {
  return width === 1 ? `bit ${bit}` : `bits ${bit} to ${bit + width - 1}`;
}
