/**
 * Mistakes in a configuration: where, what, and what would be right. They are collected, never thrown one by one, so
 * that an operator corrects a file once.
 */

/** Where a value came from: a place a person can go to. */
export type Place =
  | { readonly source: "flag"; readonly flag: string }
  | { readonly source: "environment"; readonly variable: string }
  /** Lines and columns count from 1; line 0 is the file as a whole. */
  | { readonly source: "file"; readonly file: string; readonly line: number; readonly column: number }
  /** What all nodes of a flannel cluster agree on, or this node's lease there: "net-conf.json", "the lease". */
  | { readonly source: "cluster"; readonly from: string }
  | { readonly source: "default" };

export interface Problem {
  readonly place: Place;
  /** What was being set, as "senderCheck" or "peers[1].vtepMac"; "" where no setting is known. */
  readonly setting: string;
  /** What is wrong. */
  readonly message: string;
  /** What would be right; "" where nothing can be guessed. */
  readonly hint: string;
}

/** @returns "node-a.yaml:12:3", "--port", "POPLIN_PORT" or "default". */
export function formatPlace(place: Place): string {
  switch (place.source) {
    case "flag":
      return place.flag;
    case "environment":
      return place.variable;
    case "file":
      return place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`;
    case "cluster":
      return place.from;
    case "default":
      return "default";
  }
}

/** @returns "node-a.yaml:12:3: senderCheck: "strikt" is none of strict, mac, off; did you mean `strict`?" */
export function formatProblem({ place, setting, message, hint }: Problem): string {
  const what = setting === "" ? message : `${setting}: ${message}`;
  return `${formatPlace(place)}: ${what}${hint === "" ? "" : `; ${hint}`}`;
}

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  readonly code = "CONFIG_INVALID";
  /** All of them, in the order: file from top to bottom, environment, flags, then what does not fit together. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
    super(`the configuration has ${count}:\n${problems.map((p) => `  ${formatProblem(p)}`).join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** @returns "did you mean `x`?" for the candidate that `word` was probably meant to be, or "". */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const match = closest(word, candidates);
  return match === null ? "" : `did you mean \`${match}\`?`;
}

/**
 * @returns the candidate that differs only in case, "-" and "_", or else the one with the fewest typing mistakes, if
 * those are few for its length
 */
export function closest(word: string, candidates: readonly string[]): string | null {
  const plain = simplify(word);
  if (plain === "" || plain.length > 40) return null;
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const target = simplify(candidate);
    const mistakes = distance(plain, target);
    if (mistakes > Math.max(1, Math.floor(target.length / 3)) || mistakes >= target.length) continue;
    if (mistakes < least) {
      least = mistakes;
      best = candidate;
    }
  }
  return best;
}

function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
