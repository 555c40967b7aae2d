/**
 * `poplin learn`: lessons, each a story, some bytes and something to do in an ordinary shell. It looks at what is there by
 * itself, says what went wrong, and ends when it is right.
 */
import { Command } from "commander";
import { LESSONS } from "../learn/index.ts";
import type { Exercise, Lesson, Stage } from "../learn/lesson.ts";
import { Progress } from "../learn/progress.ts";
import { exerciseOf, type LessonView, runLesson } from "../learn/run.ts";
import { print, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { paint, type Style, wrap } from "./output.ts";
import { ownCommand } from "./own-command.ts";
import { wholeOption } from "./whole-option.ts";

interface LearnOptions {
  readonly folder?: string;
  readonly reset?: boolean;
  readonly solution?: boolean;
  readonly plain?: boolean;
}

export function learnCommand(): Command {
  return new Command("learn")
    .description(
      "Lessons about VXLAN, byte by byte. Without a number it lists them, and which are done. A lesson shows something to do in a " +
        "shell beside it, looks at what is there by itself, and ends when it is right. As root it has real hosts to play with.",
    )
    .argument("[lesson]", "its number", wholeOption(0, LESSONS.length - 1))
    .option("--reset", "begin it anew: its files as they were, and not done")
    .option("--solution", "print what would do it")
    .option("--plain", "without a lab, also as root")
    .option("--folder <path>", "where its files are (default: poplin-learn in your home)")
    .action(learn);
}

async function learn(number: number | undefined, options: LearnOptions): Promise<void> {
  const progress = new Progress(options.folder ?? null);
  const style = stdoutStyle();
  if (number === undefined) return print(listLines(progress, style));
  const lesson = LESSONS[number]!;
  if (options.reset) progress.reset(number);
  const exercise = exerciseOf(lesson, process.getuid?.() === 0 && options.plain !== true);
  if (options.solution) return print(exercise.solution.map(({ where, shell }) => `${where}: ${shell}`));
  const ended = new AbortController();
  process.once("SIGINT", () => ended.abort()).once("SIGTERM", () => ended.abort());
  const isDone = await runLesson(lesson, exercise, progress, viewOf(style), ended.signal);
  if (!isDone)
    throw new CliError(EXIT.failed, `L${number} is not done yet`, `go on: ${command(`learn ${number}`)}`);
}

function command(words: string): string {
  return `${ownCommand()} ${words}`;
}

function listLines(progress: Progress, style: Style): string[] {
  const done = progress.done();
  const lines = LESSONS.map(({ number, title }) => {
    const mark = done.has(number) ? paint(style, "green", "done") : "    ";
    return `${mark}  L${String(number).padEnd(2)} ${title}`;
  });
  const next = LESSONS.find(({ number }) => !done.has(number));
  const how = next === undefined ? "all of them are done" : `next: ${command(`learn ${next.number}`)}`;
  return [...lines, "", how];
}

function viewOf(style: Style): LessonView {
  return {
    begin: (lesson, exercise, stage) => print(beginLines(lesson, exercise, stage, style)),
    hint: (says) => print(["", ...wrap(`→ ${says}`, style.width)]),
    done(lesson, { says, shows = [] }) {
      const next = LESSONS[lesson.number + 1];
      print([
        "",
        ...wrap(`${paint(style, "green", "done:")} ${says}`, style.width),
        ...shows,
        ...wrap(lesson.moral, style.width),
        ...(next === undefined
          ? []
          : ["", `next: ${command(`learn ${next.number}`)}   L${next.number} ${next.title}`]),
      ]);
    },
  };
}

function beginLines(lesson: Lesson, exercise: Exercise, stage: Stage, style: Style): string[] {
  const { number, title, story, bytes } = lesson;
  return [
    paint(style, "bold", `L${number}  ${title}`),
    ...story.flatMap((text) => ["", ...wrap(text, style.width)]),
    "",
    ...bytes(),
    "",
    paint(style, "bold", "To do"),
    ...exercise.todo.flatMap((text) => (text.startsWith("    ") ? [text] : wrap(text, style.width))),
    "",
    `files: ${stage.folder}`,
    ...Object.entries(stage.hosts).map(
      ([host, what]) => `${host}: ${what}; a shell there: ${command(`lab shell --name learn ${host}`)}`,
    ),
    "this looks at what is there by itself; Ctrl-C ends it",
  ];
}
