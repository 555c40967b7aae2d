/** deploy/Dockerfile, read as far as tests need it: its instructions, and what it copies from the clone. */
import { readFileSync } from "node:fs";
import { DEPLOY } from "./chart.ts";

export const text = readFileSync(`${DEPLOY}Dockerfile`, "utf8");

export interface Instruction {
  readonly name: string;
  /** What stands behind the name, on one line. */
  readonly words: string;
}

/** In their order, with lines joined that a backslash continues. */
export const instructions: readonly Instruction[] = text
  .replace(/^#.*\n/gm, "")
  .replace(/\\\n/g, "")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ name: line.slice(0, line.indexOf(" ")), words: line.slice(line.indexOf(" ") + 1) }));

/** What stands behind each instruction of that name. */
export function all(name: string): string[] {
  return instructions.filter((one) => one.name === name).map(({ words }) => words);
}

/** What a COPY takes from the clone, and where to; nothing where it takes from another stage. */
export function copied(words: string): { readonly from: readonly string[]; readonly to: string } {
  const paths = words.split(" ").filter((word) => !word.startsWith("--"));
  return { from: words.includes("--from=") ? [] : paths.slice(0, -1), to: paths.at(-1)! };
}
