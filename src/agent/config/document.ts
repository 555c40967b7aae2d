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

const QUOTE_IT = 'if this is an IPv6 address or a MAC, put it in quotes, as "fd00::"';

const HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BLOCK_IN_FLOW: QUOTE_IT,
};

/** Far above any real file; keeps an alias bomb from filling the memory. */
const MOST_VALUES = 1_000_000;
/** Top level, list of overlays, overlay, list of peers, peer, list of subnets, subnet: the deepest value is at 6. */
const MOST_LEVELS = 7;

/**
 * Reads the text of a file. A key that is there twice is there twice in the tree, too.
 * After a mistake in the syntax the tree holds what could still be made out.
 * @param file its name, for places
 * @returns the tree, null when there is none; and what is wrong with the syntax
 */
export function readDocument(file: string, text: string): { tree: Tree | null; problems: Problem[] } {
  const at = placesIn(file, text);
  const problem = (place: Place, message: string, hint: string): Problem => ({
    place,
    setting: "",
    message,
    hint,
  });
  const parsed = parseLeniently(text);
  if (parsed === null) return { tree: null, problems: [problem(at(0), "nested too deeply to be read", "")] };
  const { document, unquoted } = parsed;
  const problems = unquoted.map((offset) =>
    problem(at(offset), "a value with a colon needs quotes", QUOTE_IT),
  );
  for (const { code, message, pos } of document.errors) {
    problems.push(problem(at(pos[0]), sentence(message), HINTS[code] ?? ""));
  }
  if (document.contents === null) return { tree: null, problems };
  try {
    return { tree: new Builder(document, at).build(document.contents, 0), problems };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { tree: null, problems: [...problems, problem(error.place, error.message, error.hint)] };
  }
}

/** So many unquoted values are told apart; what comes after them is read as it stands. */
const MOST_REPAIRS = 10;

/**
 * Parses. To YAML, `local: fd00::` starts a map which swallows the lines that follow. It is the one mistake in syntax
 * that this file invites, so the value is blanked out and the rest read as it was meant.
 * @returns null when the text is nested too deeply: the package nests its calls as deeply, without a limit
 */
function parseLeniently(text: string): { document: Document.Parsed; unquoted: number[] } | null {
  const unquoted: number[] = [];
  let repaired = text;
  for (;;) {
    let document: Document.Parsed;
    try {
      document = parseDocument(repaired, { prettyErrors: false, uniqueKeys: false, logLevel: "silent" });
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
    const offset = document.errors.find(({ code }) => code === "BLOCK_AS_IMPLICIT_KEY")?.pos[0];
    if (offset === undefined || unquoted.length === MOST_REPAIRS) return { document, unquoted };
    const rest = /[^\r\n]*/y;
    rest.lastIndex = offset;
    const { length } = rest.exec(repaired)![0];
    if (length === 0) return { document, unquoted };
    unquoted.push(offset);
    repaired = repaired.slice(0, offset) + "~".padEnd(length) + repaired.slice(offset + length);
  }
}

/** @returns a function that finds the line and column of an offset. */
function placesIn(file: string, text: string): (offset: number | undefined) => Place {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset = 0) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { source: "file", file, line: low + 1, column: offset - starts[low]! + 1 };
  };
}

/** A scalar and where it stands. */
export interface Item {
  readonly raw: Raw;
  readonly place: Place;
}

/** @returns the scalars of a tree, null when it is made of anything else. */
export function scalarsOf(tree: Tree, lists: boolean): Item[] | null {
  if (tree.kind === "scalar") return [tree];
  if (tree.kind !== "list" || !lists) return null;
  const items: Item[] = [];
  for (const item of tree.items) {
    if (item.kind !== "scalar") return null;
    items.push(item);
  }
  return items;
}

/** @returns the words "key=value" of a tree: a list of them, a text with commas, or a map; null for anything else. */
export function wordsOf(tree: Tree): Item[] | null {
  if (tree.kind !== "map") return scalarsOf(tree, true)?.flatMap(splitItem) ?? null;
  const items: Item[] = [];
  for (const { key, keyPlace, value } of tree.entries) {
    if (value.kind !== "scalar") return null;
    items.push({ raw: `${key}=${value.raw ?? ""}`, place: keyPlace });
  }
  return items;
}

function splitItem({ raw, place }: Item): Item[] {
  return typeof raw === "string"
    ? raw.split(",").map((word) => ({ raw: word.trim(), place }))
    : [{ raw, place }];
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
      if (!isScalar(key)) throw new Unreadable(keyPlace, "a key that is no plain word", QUOTE_IT);
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
