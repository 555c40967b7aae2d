/** Every lesson without root: a wrong attempt is typed, and the hint comes; the solution is typed, and it is done. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LESSONS } from "../../src/learn/index.ts";
import { built, describeWith } from "../helpers/needs.ts";
import { haveLesson } from "./typed.ts";

const folder = mkdtempSync(join(tmpdir(), "poplin-learn-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the lessons", () => {
  it("are sixteen, in their order", () => {
    expect(LESSONS.map(({ number }) => number)).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  it.each(LESSONS)("L$number fits 80 columns", (lesson) => {
    for (const line of lesson.bytes()) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});

describeWith([built()], "without root", () => {
  it.concurrent.each(LESSONS)(
    "L$number, $title: a wrong attempt is hinted at, the solution is taken",
    async (lesson) => {
      const { says, shows = [] } = await haveLesson(
        lesson,
        lesson.plain,
        join(folder, String(lesson.number)),
      );
      expect(says).not.toBe("");
      for (const line of shows) expect(line.length, line).toBeLessThanOrEqual(80);
    },
    120_000,
  );
});
