/** No command of the study is forgotten. Its text is not here: POPLIN_STUDY=FILE compares the table with it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exampleFile } from "../../../src/lab/study/plan.ts";
import { CASES } from "./cases.ts";
import { COMMANDS } from "./commands.ts";
import { typedIn } from "./typed.ts";

describe("the study's commands", () => {
  it("have each a case, or a reason why not", () => {
    for (const { line, at, not } of COMMANDS) {
      expect([line, at.length > 0, line in CASES]).toEqual([line, not === null, not === null]);
    }
  });

  it("are in the order of the text, and no case is for a line that is none", () => {
    const lines = COMMANDS.map(({ line }) => line);
    expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
    expect(
      Object.keys(CASES)
        .map(Number)
        .filter((line) => !lines.includes(line)),
    ).toEqual([]);
  });

  it("stand in examples/study/README.md, as they are typed there", () => {
    const readme = readFileSync(exampleFile("README.md"), "utf8").replaceAll("\\|", "|");
    const runs = COMMANDS.filter(({ at }) => at.length > 0).map(({ run }) => run);
    expect(runs.filter((run) => !readme.includes(`\`${run}\``))).toEqual([]);
  });

  const file = process.env.POPLIN_STUDY;
  if (file !== undefined) {
    it("are all that its text has", () => {
      const table = COMMANDS.map(({ line, typed }) => ({ line, command: typed }));
      expect(table).toEqual(typedIn(readFileSync(file, "utf8")));
    });
  }
});
