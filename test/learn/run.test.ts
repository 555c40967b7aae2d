/** How a lesson runs: hints once, progress kept, files that stay, and what cannot be looked at. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Exercise, Lesson, Seen } from "../../src/learn/lesson.ts";
import { Progress } from "../../src/learn/progress.ts";
import { exerciseOf, runLesson } from "../../src/learn/run.ts";
import { FolderStage } from "../../src/learn/stages.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-learn-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A lesson whose looks give these, one after the other; an Error is thrown. */
function lessonOf(...looks: readonly (Seen | Error)[]): Lesson & { stages: number; destroyed: number } {
  const left = [...looks];
  const lesson = { stages: 0, destroyed: 0 };
  const plain: Exercise = {
    files: { "a.txt": "first\n" },
    todo: [],
    stage: async (at) => {
      lesson.stages++;
      return Object.assign(new FolderStage(at), { destroy: () => void lesson.destroyed++ });
    },
    check: async () => {
      const next = left.length > 1 ? left.shift()! : left[0]!;
      if (next instanceof Error) throw next;
      return next;
    },
    wrong: { typed: [], says: /./ },
    solution: [],
  };
  const words = { number: 3, title: "", story: [], moral: "", bytes: () => [] };
  return Object.assign(lesson, { ...words, plain, real: null });
}

async function run(lesson: Lesson, ended = new AbortController()) {
  const said: string[] = [];
  const progress = new Progress(folder, {});
  const view = {
    begin: () => {},
    hint: (says: string) => {
      said.push(says);
      if (says === "end") ended.abort();
    },
    done: (_: Lesson, seen: Seen) => void said.push(`done: ${seen.says}`),
  };
  return { done: await runLesson(lesson, lesson.plain, progress, view, ended.signal), said, progress };
}

/** As the learner does. */
function save(text: string): void {
  writeFileSync(join(folder, "L3", "a.txt"), text);
}

const no = (says: string): Seen => ({ done: false, says });

describe("a lesson", () => {
  it("says nothing of what is there at first, and each hint once", async () => {
    const lesson = lessonOf(no("empty"), no("empty"), no("wrong"), no("wrong"), no("other"), {
      done: true,
      says: "right",
    });
    const { done, said, progress } = await run(lesson);
    expect(done).toBe(true);
    expect(said).toEqual(["wrong", "other", "done: right"]);
    expect([...progress.done()]).toEqual([3]);
    expect(lesson).toMatchObject({ stages: 1, destroyed: 1 });
  });

  it("says the same again when the same is saved again", async () => {
    const lesson = lessonOf(no("empty"));
    const looks = [no("wrong"), no("wrong"), no("wrong"), no("wrong")];
    const check = async () => {
      const seen = looks.pop();
      // Before the second look at it, and before the last.
      if (looks.length === 3 || looks.length === 1) save(`attempt ${looks.length}\n`);
      return seen ?? { done: true, says: "right" };
    };
    const { said } = await run({ ...lesson, plain: { ...lesson.plain, check } });
    expect(said).toEqual(["wrong", "wrong", "done: right"]);
  });

  it("keeps its hosts, where it has some, until whoever learns leaves them", async () => {
    const lesson = lessonOf({ done: true, says: "right" });
    const happened: string[] = [];
    const had = async (hosts: Readonly<Record<string, string>>) => {
      const stage = async (at: string) =>
        Object.assign(new FolderStage(at, hosts), { destroy: () => void happened.push("destroyed") });
      const view = {
        ...{ begin: () => {}, hint: () => {}, done: () => void happened.push("done") },
        leave: async () => void happened.push("left"),
      };
      const plain = { ...lesson.plain, stage };
      await runLesson(lesson, plain, new Progress(folder, {}), view, new AbortController().signal);
      return happened.splice(0);
    };
    expect(await had({ "node-a": "poplin runs here" })).toEqual(["done", "left", "destroyed"]);
    expect(await had({})).toEqual(["done", "destroyed"]);
  });

  it("that is ended is not done, and takes its hosts down", async () => {
    const lesson = lessonOf(no("empty"), no("end"));
    const { done, progress } = await run(lesson);
    expect(done).toBe(false);
    expect([...progress.done()]).toEqual([]);
    expect(lesson.destroyed).toBe(1);
  });

  it("goes on where something cannot be looked at, and says so", async () => {
    const { said } = await run(
      lessonOf(no("empty"), new Error("no agent answers"), { done: true, says: "right" }),
    );
    expect(said[0]).toMatch(/^That cannot be looked at: no agent answers\. .*--reset/);
    expect(said[1]).toBe("done: right");
  });

  it("has its lab where there is one and root, else bytes", () => {
    const lesson = lessonOf(no(""));
    const real = { ...lesson.plain };
    expect(exerciseOf({ ...lesson, real }, true)).toBe(real);
    expect(exerciseOf({ ...lesson, real }, false)).toBe(lesson.plain);
    expect(exerciseOf(lesson, true)).toBe(lesson.plain);
  });
});

describe("progress", () => {
  it("is kept, file by file; what the learner has written stays, until it is reset", () => {
    const progress = new Progress(folder, {});
    const at = progress.prepare(3, { "a.txt": "first\n" });
    writeFileSync(join(at, "a.txt"), "mine\n");
    expect(progress.prepare(3, { "a.txt": "first\n" })).toBe(at);
    expect(readFileSync(join(at, "a.txt"), "utf8")).toBe("mine\n");
    progress.finish(3);
    progress.finish(1);
    expect([...new Progress(folder, {}).done()]).toEqual([1, 3]);
    progress.reset(3);
    expect([...progress.done()]).toEqual([1]);
    progress.prepare(3, { "a.txt": "first\n" });
    expect(readFileSync(join(at, "a.txt"), "utf8")).toBe("first\n");
  });

  it.each(["", "{", "[]", '{"done":"all"}', '{"done":[1,"x",null]}'])("that is %j is no harm", (text) => {
    writeFileSync(join(folder, "progress.json"), text);
    expect([...new Progress(folder, {}).done()].every(Number.isInteger)).toBe(true);
  });
});
