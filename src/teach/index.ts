/**
 * `poplin/teach`: a packet explained, every bit of it, and what becomes of it. No Node API: runs in a browser.
 *
 * @example
 * ```ts
 * import { EXAMPLES, explain, explainText, judge } from "poplin/teach";
 *
 * const explanation = explain(EXAMPLES.ping.bytes);
 * console.log(explainText(explanation).join("\n"));
 * judge(explanation).Linux; // { fate: "in", … }
 * ```
 */
export { asciiDiagram } from "./ascii-diagram.ts";
export { type Assignment, type AssignOptions, assign, findField, parseAssignment } from "./assign.ts";
export { type Difference, differences } from "./compare.ts";
export { type DiagramField, tableFields } from "./diagram.ts";
export { type DissectOptions, dissect } from "./dissect.ts";
export { EXAMPLES, type Example, type ExampleName } from "./examples.ts";
export { explanationHtml, type HtmlOptions } from "./explain-html.ts";
export { explanationJson, type JsonExtras } from "./explain-json.ts";
export { explainText, sizeLines, type TextOptions } from "./explain-text.ts";
export {
  type ExplainedField,
  type ExplainedPart,
  type Explanation,
  explain,
  fieldsOf,
  type Tone,
} from "./explanation.ts";
export { type Guess, type GuessedLayer, guessLayer } from "./guess.ts";
export { type HexReading, readHexText } from "./hex-text.ts";
export { addresseeOf, JUDGES, type Judge, type Judgements, judge, receiverOf } from "./judge/judge.ts";
export type { Fate, Judgement, Receiver } from "./judge/judgement.ts";
export { repairChecksums } from "./repair.ts";
export { type SizeStep, sizeSteps } from "./sizes.ts";
export { summarize } from "./summary.ts";
export { headerSvg, packetSvg } from "./svg-diagram.ts";
export { ValueError } from "./value.ts";
export { verdictLines } from "./verdict-text.ts";
