/**
 * `poplin learn`: lessons, each a story, some bytes and something to do in an ordinary shell. It looks at what is there by
 * itself, says what went wrong, and ends when it is right.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Command } from "commander";
import { findLab } from "../lab/study/find.ts";
import { LESSONS } from "../learn/index.ts";
import type { Exercise, Lesson, Stage } from "../learn/lesson.ts";
import { Progress } from "../learn/progress.ts";
import { exerciseOf, type LessonView, runLesson } from "../learn/run.ts";
import { LAB_NAME } from "../learn/stages.ts";
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
  readonly web?: boolean;
}

/** The page, one file that needs nothing else. */
const PAGE = new URL("../web/index.html", import.meta.url);

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
    .option(
      "--web",
      "open the page instead, on which a packet can be pointed at and changed, or say where it is",
    )
    .option("--folder <path>", "where its files are (default: poplin-learn in your home)")
    .action(learn);
}

async function learn(number: number | undefined, options: LearnOptions): Promise<void> {
  if (options.web) return openPage();
  const progress = new Progress(options.folder ?? null);
  const style = stdoutStyle();
  if (number === undefined) return print(listLines(progress, style));
  const lesson = LESSONS[number]!;
  if (options.reset) progress.reset(number);
  const exercise = exerciseOf(lesson, process.getuid?.() === 0 && options.plain !== true);
  if (options.solution) return print(exercise.solution.map(({ where, shell }) => `${where}: ${shell}`));
  if (exercise === lesson.real) refuseSecond();
  const again = command(`learn ${number}`);
  const ended = new AbortController();
  // First in line: the hosts' own handlers end the process when they are gone.
  const interrupted = (): void => {
    if (exercise === lesson.real)
      process.stderr.write(`\nits hosts are gone, its files are kept; again: ${again}\n`);
    ended.abort();
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const isDone = await runLesson(lesson, exercise, progress, viewOf(style), ended.signal);
  if (!isDone) throw new CliError(EXIT.failed, `L${number} is not done yet`, `go on: ${again}`);
}

/** @throws CliError where another lesson has hosts already: both would be called the same */
function refuseSecond(): void {
  const other = findLab(LAB_NAME);
  if (other === null) return;
  const message = `another lesson has its hosts up, in process ${other.record.owner.pid}`;
  throw new CliError(EXIT.failed, message, "end that first");
}

/** Opens it where there is a desktop; a browser does not want to be root's. */
function openPage(): void {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  const hasDesktop = (DISPLAY ?? WAYLAND_DISPLAY ?? "") !== "" && process.getuid?.() !== 0;
  if (hasDesktop) {
    const opener = spawn("xdg-open", [PAGE.href], { detached: true, stdio: "ignore" });
    opener.on("error", () => {}).unref();
  }
  print([`${hasDesktop ? "the page" : "open this in a browser"}: ${PAGE.href}`]);
}

function command(words: string, where: "here" | "anywhere" = "here"): string {
  return `${ownCommand(where)} ${words}`;
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
        ...(next === undefined ? [] : ["", `next: ${command(`learn ${next.number}`)}`]),
      ]);
    },
    // Who has a shell on a host, or a ping that runs there, sees it answered before it is gone.
    leave: async (ended) => {
      if (!process.stdin.isTTY || ended.aborted) return;
      print(["", "The hosts are still there, to look around; Enter takes them down."]);
      const { stdin } = process;
      await Promise.race([once(stdin, "data"), once(stdin, "end"), once(ended, "abort")]);
      process.stdin.destroy();
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
    ...exercise.todo.flatMap((text) =>
      text.startsWith("    ") ? [text] : wrap(callable(text, stage), style.width),
    ),
    ...placeLines(exercise, stage, style),
    "",
    paint(style, "dim", "What you do is seen by itself; Ctrl-C ends the lesson, and keeps the files."),
  ];
}

/** On the lesson's hosts there is a `poplin`; in a shell of one's own it may have another name. */
function callable(text: string, { hosts }: Stage): string {
  return Object.keys(hosts).length > 0 ? text : text.replaceAll("`poplin ", `\`${command("", "anywhere")}`);
}

/** Where the files are, and the hosts, and how to get there. */
function placeLines(exercise: Exercise, stage: Stage, style: Style): string[] {
  const files = Object.keys(exercise.files).map((name) => ["file", join(stage.folder, name)]);
  const hosts = Object.entries(stage.hosts);
  const rows = [...files, ...hosts.map(([host, what]) => [host, what])];
  const width = Math.max(...rows.map(([name]) => name!.length));
  const first = hosts[0]?.[0];
  const shell = command(`lab shell --name ${LAB_NAME} ${first}`, "anywhere");
  return [
    "",
    ...rows.map(([name, what]) => `${paint(style, "bold", name!.padEnd(width))}  ${what}`),
    ...(hosts.length === 0
      ? []
      : [
          "",
          `In another terminal, a shell on ${first} or another; a command goes behind --:`,
          `    ${shell}`,
        ]),
  ];
}
