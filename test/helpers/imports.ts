/** What the project's own files import, read by TypeScript's rules of text: enough for `import … from "x"` and friends. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Import {
  /** The importing file, from the root: "src/io/memory.ts". */
  readonly from: string;
  /** What it imports: a file from the root, or the specifier of a package. */
  readonly to: string;
  readonly external: boolean;
}

const STATEMENT =
  /^\s*(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|\brequire\(\s*"([^"]+)"\s*\)/gm;

/** Every import of every TypeScript file under a folder of the root. */
export function importsOf(folder: string): Import[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => importsIn(join(folder, file)));
}

function importsIn(from: string): Import[] {
  const text = withoutComments(readFileSync(join(ROOT, from), "utf8"));
  return [...text.matchAll(STATEMENT)].map((match) => {
    const specifier = (match[1] ?? match[2] ?? match[3])!;
    if (!specifier.startsWith(".")) return { from, to: specifier, external: true };
    return { from, to: relative(ROOT, join(ROOT, dirname(from), specifier)), external: false };
  });
}

/** The text without block comments and whole-line comments; examples in them import things too. */
export function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
}

/** "io" for "src/io/linux/tap.ts", undefined outside src/. */
export function roomOf(file: string): string | undefined {
  const [top, room] = file.split(sep);
  return top === "src" ? room : undefined;
}
