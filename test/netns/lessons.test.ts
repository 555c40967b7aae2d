/** Every lesson with its lab: a wrong attempt is typed, and the hint comes; the solution is typed, and it is done. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { records } from "../../src/lab/registry.ts";
import { LESSONS } from "../../src/learn/index.ts";
import { describeFull, describeWith, lab, tool } from "../helpers/needs.ts";
import { haveLesson } from "../learn/typed.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-learn-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NEEDS = [lab(), tool("ping"), tool("nft"), tool("tcpdump")];
const REAL = LESSONS.flatMap((lesson) => (lesson.real === null ? [] : [{ ...lesson, real: lesson.real }]));
/** Where a newcomer's first hour ends, and the one that has a program written; the others are for the long run. */
const ALWAYS = [3, 14];

const does = (lessons: typeof REAL) =>
  it.each(lessons)(
    "L$number, $title: a wrong attempt is hinted at, the solution is taken, and nothing is left",
    async (lesson) => {
      await haveLesson(lesson, lesson.real, folder);
      expect(records().filter(({ name }) => name === "learn")).toEqual([]);
    },
    120_000,
  );

describeWith(NEEDS, "with a lab", () => does(REAL.filter(({ number }) => ALWAYS.includes(number))));
describeFull(NEEDS, "with a lab, each", () => does(REAL.filter(({ number }) => !ALWAYS.includes(number))));
