/** The image as far as it can be checked where nothing builds one: its grammar, and that what it copies and runs is there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { validate } from "dockerfile-utils";
import { expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";
import { objectsOf, rendered } from "./chart.ts";
import { all, copied, text } from "./dockerfile.ts";

/** Sources of what is copied from the clone. */
const sources = all("COPY").flatMap((words) => copied(words).from);

/** Docker's rules, one after the other: the last that fits decides. Of patterns there is `*` alone, which is everything. */
function isIgnored(path: string): boolean {
  const rules = readFileSync(join(ROOT, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return rules.reduce((ignored, rule) => {
    const pattern = rule.replace("!", "");
    const fits = pattern === "*" || path === pattern || path.startsWith(`${pattern}/`);
    return fits ? !rule.startsWith("!") : ignored;
  }, false);
}

it("has no mistake of grammar", () => {
  expect(validate(text)).toEqual([]);
  expect(validate(text.replace("WORKDIR", "WORKDIRECTORY"))).not.toEqual([]);
});

it("copies what is there, and what .dockerignore lets in", () => {
  expect(sources.length).toBeGreaterThan(5);
  for (const path of sources) {
    expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    expect([path, isIgnored(path)]).toEqual([path, false]);
  }
  for (const path of [
    ".git",
    "test",
    "dist",
    "node_modules",
    "native-shims/build",
    "native-shims/prebuilds",
  ]) {
    expect([path, isIgnored(path)]).toEqual([path, true]);
  }
});

it("lets in nothing that is not copied", () => {
  const inContext = readdirSync(ROOT).filter((name) => !isIgnored(name));
  expect(inContext.sort()).toEqual([...new Set(sources)].sort());
});

it("runs npm scripts that are there", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
  const run = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
  expect(run.length).toBeGreaterThan(2);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(run));
});

it("names its base without a registry, and a Node that poplin takes", () => {
  const base = all("ARG")[0]!.replace("NODE=", "");
  expect(base).toMatch(/^node:\d+-\w+-slim$/);
  expect(Number(/\d+/.exec(base))).toBeGreaterThanOrEqual(20);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Docker's notation
  expect(all("FROM")).toEqual(["${NODE} AS build", "${NODE}"]);
});

it("has the programs and files that the chart asks for", () => {
  const { containers, initContainers } = objectsOf(rendered("daemonset.yaml"))[0].spec.template.spec;
  const links = [...text.matchAll(/ln -s (\S+) (\S+)/g)].map(([, , link]) => link!);
  const [program] = containers[0].command;
  expect(links).toContain(`/usr/local/bin/${program}`);
  expect(all("ENTRYPOINT")).toEqual([`["${program}"]`]);
  const plugin = /cp -L (\S+)/.exec(initContainers[0].args[0])?.[1];
  expect(links).toContain(plugin);
});
