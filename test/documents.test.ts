/** What is written for those who work on poplin: each file and folder that it names is there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "./helpers/imports.ts";

const FOLDERS = ["bench", "deploy", "docs", "examples", "native-shims", "scripts", "src", "test"];
/** The build makes it. */
const MADE = "dist/";

/** Every file and folder, from the root: "src/wire", "src/wire/bytes.ts". */
const paths = [
  ...readdirSync(ROOT),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)),
  ),
];
/** The paths, and each end of them: a name is shortened where it is clear what is meant. */
const names = new Set(
  paths.flatMap((path) => [path, ...[...path.matchAll(/\//g)].map(({ index }) => path.slice(index + 1))]),
);

/** Words in backticks and targets of links that look like such a path, and are none. */
function missing(text: string, looks: RegExp): string[] {
  return [...text.matchAll(/`([^`\n]+)`|\]\(([^)\s]+)\)/g)]
    .flatMap(([, code, link]) => (code ?? link ?? "").split(" "))
    .filter((word) => /^\w[\w./-]*$/.test(word) && looks.test(word) && !word.startsWith(MADE))
    .filter((word) => !names.has(word.replace(/\/$/, "")));
}

it.each(["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])("%s names what is there", (document) => {
  const looks = new RegExp(`/$|\\.(ts|mjs|c|h|md)$|^(${FOLDERS.join("|")})/`);
  expect(missing(readFileSync(join(ROOT, document), "utf8"), looks)).toEqual([]);
});

it("comments name files of ours that are there", () => {
  const files = paths.filter((path) => /^(bench|examples|scripts|src|test)\/.*\.(ts|mjs)$/.test(path));
  const wrong = files.flatMap((file) => {
    const comments = readFileSync(join(ROOT, file), "utf8").match(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm) ?? [];
    return missing(comments.join("\n"), /\.(ts|mjs)$/).map((name) => `${file}: ${name}`);
  });
  expect(wrong).toEqual([]);
});

it("what users read names units of systemd's that are there", () => {
  const units = readdirSync(join(ROOT, "deploy/systemd")).map((file) => file.replace(/\.service$/, ""));
  const documents = [
    "README.md",
    "SECURITY.md",
    ...paths.filter((path) => /^(docs|deploy)\/.*\.md$/.test(path)),
  ];
  const named = documents.flatMap((document) => {
    const text = readFileSync(join(ROOT, document), "utf8");
    return [...text.matchAll(/\b(?:journalctl|systemctl)\b[^`\n]*?\s(poplin[\w-]*)/g)].map(
      ([, unit]) => unit!,
    );
  });
  expect(named).toContain("poplin-agent");
  expect(named.filter((unit) => !units.includes(unit))).toEqual([]);
});
