/**
 * A lesson as it is had: what it plays in is built, the story told, and then it is looked again and again at what is there until
 * the check is content.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Exercise, Lesson, Seen, Stage } from "./lesson.ts";
import type { Progress } from "./progress.ts";

/** Milliseconds between two looks. */
const LOOK_EVERY = 500;

/** What somebody who has a lesson is told, and when. */
export interface LessonView {
  /** Everything is there: what there is to do. */
  begin(lesson: Lesson, exercise: Exercise, stage: Stage): void;
  /** What was done is not it yet; told once for each attempt. */
  hint(says: string): void;
  done(lesson: Lesson, seen: Seen): void;
  /** It is done, and its hosts are still there: returns when nobody needs them any more, or when `ended` says so. */
  leave?(ended: AbortSignal): Promise<void>;
}

/** @returns the exercise with a lab where there may be one */
export function exerciseOf(lesson: Lesson, isRoot: boolean): Exercise {
  return isRoot && lesson.real !== null ? lesson.real : lesson.plain;
}

/**
 * Has a lesson until it is done, or until `ended`.
 * @returns whether it is done
 */
export async function runLesson(
  lesson: Lesson,
  exercise: Exercise,
  progress: Progress,
  view: LessonView,
  ended: AbortSignal,
): Promise<boolean> {
  const folder = progress.prepare(lesson.number, exercise.files);
  const stage = await exercise.stage(folder);
  try {
    view.begin(lesson, exercise, stage);
    const seen = await lookUntilDone(exercise, stage, view, ended);
    if (seen === null) return false;
    progress.finish(lesson.number);
    view.done(lesson, seen);
    if (Object.keys(stage.hosts).length > 0) await view.leave?.(ended);
    return true;
  } finally {
    stage.destroy();
  }
}

/** When the files were saved: another text each time that one is. */
function savedAt({ files }: Exercise, { folder }: Stage): string {
  const times = Object.keys(files).map(
    (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs,
  );
  return times.join();
}

/** Whether the files are as they were first written. */
function isFresh({ files }: Exercise, { folder }: Stage): boolean {
  return Object.entries(files).every(([name, text]) => {
    const path = join(folder, name);
    return existsSync(path) && readFileSync(path, "utf8") === text;
  });
}

/** What cannot be looked at (an agent that was ended, a host that is gone) is said like any other mistake. */
async function look(exercise: Exercise, stage: Stage): Promise<Seen> {
  try {
    return await exercise.check(stage);
  } catch (error) {
    const says = `That cannot be looked at: ${(error as Error).message}. To begin anew, end the lesson and start it with --reset.`;
    return { done: false, says };
  }
}

/** @returns null where it was ended before */
async function lookUntilDone(
  exercise: Exercise,
  stage: Stage,
  view: LessonView,
  ended: AbortSignal,
): Promise<Seen | null> {
  // What is there at first is no attempt; what is left of one is.
  let last = isFresh(exercise, stage) ? null : { says: "", saved: "" };
  while (!ended.aborted) {
    const saved = savedAt(exercise, stage);
    const seen = await look(exercise, stage);
    if (seen.done) return seen;
    if (saved !== savedAt(exercise, stage)) {
      // What was saved meanwhile may have been looked at or not: it is looked at again.
      last ??= { says: "", saved: "" };
    } else {
      // The same mistake again is told again, so that nobody wonders whether it was seen.
      if (last !== null && (seen.says !== last.says || saved !== last.saved)) view.hint(seen.says);
      last = { says: seen.says, saved };
    }
    await sleep(LOOK_EVERY, undefined, { signal: ended }).catch(() => {});
  }
  return null;
}
