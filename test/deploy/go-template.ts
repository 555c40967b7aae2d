/**
 * As much of Go's text/template, and of what Helm adds to it, as the chart uses: values and pipelines, `if` and `else`,
 * trimming by dashes, and the functions below. What it does not know is an error, so that the chart cannot come to mean
 * one thing here and another to Helm.
 */
import { stringify } from "yaml";

type Value = unknown;
type Scope = Readonly<Record<string, Value>>;
type Node = string | { readonly pipeline: string } | Branch;
interface Branch {
  readonly condition: string;
  readonly then: Node[];
  readonly otherwise: Node[];
}

/** What a list of nodes is ended by. */
type End = "end" | "else" | "eof";

/** By Sprig's and Helm's names; the value that is piped in comes last. */
const FUNCTIONS: Readonly<Record<string, (...values: never[]) => Value>> = {
  default: (fallback: Value, value: Value) => (isTrue(value) ? value : fallback),
  eq: (a: Value, b: Value) => same(a, b),
  ne: (a: Value, b: Value) => !same(a, b),
  nindent: (width: number, text: string) => `\n${text.replace(/^/gm, " ".repeat(width))}`,
  quote: (value: Value) => JSON.stringify(String(value)),
  // Go's maps have no order of their own: both sort the keys.
  toPrettyJson: (value: Value) => JSON.stringify(sorted(value), null, 2),
  toYaml: (value: Value) =>
    stringify(value, { sortMapEntries: true, indentSeq: false, lineWidth: 0, compat: "yaml-1.1" }).trimEnd(),
};

/** @returns the text that the template makes of what is in scope: `Values`, `Release`, `Chart` */
export function render(template: string, scope: Scope): string {
  const tokens = tokenize(template);
  const [nodes, end] = parse(tokens);
  if (end !== "eof" || tokens.length > 0) throw new Error(`"${end}" where nothing is open`);
  return evaluate(nodes, scope);
}

/** Text and actions in turn; dashes have taken the white space beside them. */
function tokenize(template: string): (string | { readonly action: string })[] {
  const parts = template.split(/(\{\{-?\s[\s\S]*?\s-?\}\}|\{\{[\s\S]*?\}\})/);
  return parts.map((part, i) => {
    if (i % 2 === 1) return { action: part.replace(/^\{\{-?\s*/, "").replace(/\s*-?\}\}$/, "") };
    const before = parts[i - 1]?.endsWith(" -}}") ? part.replace(/^\s+/, "") : part;
    return parts[i + 1]?.startsWith("{{- ") ? before.replace(/\s+$/, "") : before;
  });
}

/** Takes the tokens up to what ends this list. */
function parse(tokens: ReturnType<typeof tokenize>): [Node[], End] {
  const nodes: Node[] = [];
  for (;;) {
    const token = tokens.shift();
    if (token === undefined) return [nodes, "eof"];
    if (typeof token === "string") nodes.push(token);
    else if (token.action === "end" || token.action === "else") return [nodes, token.action];
    else if (token.action.startsWith("if ")) nodes.push(branch(token.action.slice(3), tokens));
    else nodes.push({ pipeline: token.action });
  }
}

function branch(condition: string, tokens: ReturnType<typeof tokenize>): Branch {
  const [then, end] = parse(tokens);
  const [otherwise, last] = end === "else" ? parse(tokens) : [[], end];
  if (last !== "end") throw new Error(`"if ${condition}" has no end`);
  return { condition, then, otherwise };
}

function evaluate(nodes: readonly Node[], scope: Scope): string {
  return nodes
    .map((node) => {
      if (typeof node === "string") return node;
      if ("pipeline" in node) return String(pipe(node.pipeline, scope));
      return evaluate(isTrue(pipe(node.condition, scope)) ? node.then : node.otherwise, scope);
    })
    .join("");
}

function pipe(pipeline: string, scope: Scope): Value {
  let piped: Value[] = [];
  for (const command of pipeline.split("|")) {
    const [first = "", ...rest] = command.match(/"[^"]*"|\S+/g) ?? [];
    const call = FUNCTIONS[first];
    if (call === undefined && rest.length + piped.length > 0) throw new Error(`no function "${first}"`);
    const values = [...rest.map((word) => operand(word, scope)), ...piped];
    piped = [call === undefined ? operand(first, scope) : call(...(values as never[]))];
  }
  return piped[0];
}

/** A literal, or a field: .Values.image.tag. @throws where there is no such field, in which Helm sees an empty value */
function operand(word: string, scope: Scope): Value {
  if (/^(\d+|"[^"]*"|true|false)$/.test(word)) return JSON.parse(word);
  if (!/^(\.\w+)+$/.test(word)) throw new Error(`"${word}" is not understood`);
  return word
    .slice(1)
    .split(".")
    .reduce<Value>((value, name) => {
      if (value !== null && typeof value === "object" && Object.hasOwn(value, name))
        return (value as Scope)[name];
      throw new Error(`there is no ${word}`);
    }, scope);
}

/** Go's truth: not zero, and not empty. */
function isTrue(value: Value): boolean {
  if (value !== null && typeof value === "object") return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Numbers of values.yaml are floating, those of templates are not: Go compares no number with one of another kind. */
function same(a: Value, b: Value): boolean {
  if (typeof a !== "string" || typeof b !== "string")
    throw new Error(`only strings are compared: ${a}, ${b}`);
  return a === b;
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, child]) => [name, sorted(child)]));
}
