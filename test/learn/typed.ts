/** A lesson as somebody has it who tries the wrong thing first: both are typed, and what is said to them is looked at. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Exercise, Lesson, Seen, Stage, Typed } from "../../src/learn/lesson.ts";
import { Progress } from "../../src/learn/progress.ts";
import { type LessonView, runLesson } from "../../src/learn/run.ts";

/** Milliseconds that a lesson gets to say what it has to say. */
const PATIENCE = 60_000;

/** Has it, types the wrong attempt and then the solution. */
export async function haveLesson(lesson: Lesson, exercise: Exercise, folder: string): Promise<Seen> {
  const progress = new Progress(folder, {});
  const hints: string[] = [];
  const ended = new AbortController();
  let stage: Stage | null = null;
  let seen: Seen | null = null;
  const view: LessonView = {
    begin: (_lesson, _exercise, built) => {
      stage = built;
    },
    hint: (says) => void hints.push(says),
    done: (_lesson, last) => {
      seen = last;
    },
  };
  const over = runLesson(lesson, exercise, progress, view, ended.signal);
  try {
    await meet(over, "it begins", () => stage !== null);
    // What is there at first has been looked at when it is not the attempt.
    await sleep(1500);
    await type(stage!, exercise.wrong.typed);
    await meet(
      over,
      `it says ${exercise.wrong.says}`,
      () => hints.some((hint) => exercise.wrong.says.test(hint)),
      hints,
    );
    expect(seen).toBeNull();
    await type(stage!, exercise.solution);
    await meet(over, "it is done", () => seen !== null, hints);
    expect(await over).toBe(true);
    expect(progress.done()).toEqual(new Set([lesson.number]));
    return seen!;
  } finally {
    ended.abort();
    await over.catch(() => {});
  }
}

async function type(stage: Stage, typed: readonly Typed[]): Promise<void> {
  for (const one of typed) await stage.type(one);
}

async function meet(
  over: Promise<boolean>,
  what: string,
  isMet: () => boolean,
  said: readonly string[] = [],
): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!isMet()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}; said: ${JSON.stringify(said)}`);
    // Its end without that is a failure, too, and said as such.
    await Promise.race([sleep(50), over.then(() => {})]);
  }
}
