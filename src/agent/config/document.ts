/**
 * A configuration file, as YAML 1.2 (of which JSON is a part), read into a tree in which every key and value knows its
 * place. What the text means is not decided here. Whatever the text is, the result is a tree and problems.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Place, Problem } from "./problems.ts";
import type { Raw } from "./values.ts";

/** A value of the file with its place. */
export type Tree =
  | { readonly kind: "scalar"; readonly raw: Raw; readonly place: Place }
  | { readonly kind: "list"; readonly items: readonly Tree[]; readonly place: Place }
  | { readonly kind: "map"; readonly entries: readonly Entry[]; readonly place: Place };

export interface Entry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Tree;
}

/** Far above any real file; keeps an alias bomb from filling the memory. */
const MOST_VALUES = 1_000_000;
/** Top level, list of peers, peer, list of subnets, subnet: the deepest value is at 5. */
const MOST_LEVELS = 6;

/**
 * Reads the text of a file.
 * @param file its name, for places
 * @returns the tree, null when there is none; and what is wrong, in the order of the text
 */
export function readDocument(file: string, text: string): { tree: Tree | null; problems: Problem[] } {
  const lines = new LineCounter();
  const at = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { source: "file", file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problem = (place: Place, message: string, hint: string): Problem => ({
    place,
    setting: "",
    message,
    hint,
  });
  const document = parse(text, lines);
  if (document === null) {
    return { tree: null, problems: [problem(at(0), "nested too deeply to be read", "")] };
  }
  const problems = document.errors.map(({ code, message, pos }) =>
    problem(at(pos[0]), code === "DUPLICATE_KEY" ? "given twice" : sentence(message), hintFor(code)),
  );
  const broken = document.errors.some(({ code }) => code !== "DUPLICATE_KEY");
  if (broken || document.contents === null) return { tree: null, problems };
  try {
    return { tree: new Builder(document, at).build(document.contents, 0), problems };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { tree: null, problems: [...problems, problem(error.place, error.message, error.hint)] };
  }
}

/** The package nests calls as deeply as the text nests brackets, and has no limit of its own. */
function parse(text: string, lines: LineCounter): Document.Parsed | null {
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

class Unreadable extends Error {
  readonly place: Place;
  readonly hint: string;

  constructor(place: Place, message: string, hint = "") {
    super(message);
    this.place = place;
    this.hint = hint;
  }
}

class Builder {
  #values = 0;
  readonly #document: Document.Parsed;
  readonly #at: (offset: number | undefined) => Place;

  constructor(document: Document.Parsed, at: (offset: number | undefined) => Place) {
    this.#document = document;
    this.#at = at;
  }

  build(node: Node | null, level: number): Tree {
    const place = this.#at(node?.range?.[0]);
    if (++this.#values > MOST_VALUES) throw new Unreadable(place, `more than ${MOST_VALUES} values`);
    if (level > MOST_LEVELS) throw new Unreadable(place, "nested more deeply than any setting is");
    if (isAlias(node)) {
      const target = node.resolve(this.#document) as Node | undefined;
      if (target === undefined) throw new Unreadable(place, `no anchor is called &${node.source}`);
      return this.build(target, level + 1);
    }
    if (isMap(node)) return this.#map(node as YAMLMap, place, level);
    if (isSeq(node)) {
      const items = (node as YAMLSeq).items.map((item) => this.build(item as Node | null, level + 1));
      return { kind: "list", items, place };
    }
    return { kind: "scalar", raw: isScalar(node) ? rawOf(node.value) : null, place };
  }

  #map(node: YAMLMap, place: Place, level: number): Tree {
    const entries = (node.items as Pair<Node, Node | null>[]).map(({ key, value }) => {
      const keyPlace = this.#at(key?.range?.[0] ?? node.range?.[0]);
      if (!isScalar(key)) throw new Unreadable(keyPlace, "a key that is no plain word", hintFor(""));
      const tree = value === null ? emptyAt(keyPlace) : this.build(value, level + 1);
      return { key: String(key.value), keyPlace, value: tree };
    });
    return { kind: "map", entries, place };
  }
}

function emptyAt(place: Place): Tree {
  return { kind: "scalar", raw: null, place };
}

/** YAML's core schema knows no other scalars; a tag of the file's own may make some. */
function rawOf(value: unknown): Raw {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return String(value);
}

function sentence(message: string): string {
  const first = message.split("\n")[0]!;
  return `${first.charAt(0).toLowerCase()}${first.slice(1)}`;
}

function hintFor(code: string): string {
  if (code === "DUPLICATE_KEY") return "remove one of them";
  if (code === "TAB_AS_INDENT") return "indent with spaces";
  return 'if this is an IPv6 address or a MAC, put it in quotes, as "fd00::"';
}
