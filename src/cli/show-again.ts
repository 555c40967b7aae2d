/**
 * Commands that look again and again: over the whole terminal until q or Ctrl-C, elsewhere a block each time, with -j a
 * line of JSON. An agent that has answered once is waited for when it is gone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiClientError } from "../agent/api/client.ts";
import { print } from "./client.ts";
import { EXIT, errorJson } from "./errors.ts";
import { hang, paint, type Style } from "./output.ts";
import { canBeScreen, Screen } from "./screen.ts";

/** Why the agent does not answer, and since when. */
export interface Gone {
  readonly error: ApiClientError;
  readonly since: string;
}

export interface Watched {
  /** Null where the agent has answered. */
  readonly gone: Gone | null;
  /** Asks once. @throws what makes it useless to ask again */
  look(): Promise<void>;
  /** What there is to see now. */
  lines(): readonly string[];
  /** The same for programs; not where the agent is gone. */
  json(): unknown;
}

export interface Again {
  /** Milliseconds between two looks. */
  readonly delay: number;
  /** How many looks; Infinity: until somebody ends it. */
  readonly turns: number;
  readonly json: boolean;
  /** Whether there is something to see before the first of them. */
  readonly atOnce?: boolean;
}

/** Shows it, until it has been looked at often enough. */
export async function showAgain(watched: Watched, again: Again): Promise<void> {
  // Who wants a number of looks wants to keep them: a screen that is given back shows nothing of them.
  const onScreen = again.turns === Number.POSITIVE_INFINITY && !again.json;
  if (onScreen && canBeScreen(process.stdout, process.env)) await fillScreen(watched, again.delay);
  else await writeBlocks(watched, again);
}

async function writeBlocks(watched: Watched, { delay, turns, json, atOnce = false }: Again): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (turn > 0 || !atOnce) {
      await sleep(delay);
      await watched.look();
    }
    const { gone } = watched;
    const lines = json
      ? [JSON.stringify(gone === null ? watched.json() : errorJson(gone.error))]
      : watched.lines();
    // A space between blocks; single lines are a list.
    print(turn === 0 || lines.length === 1 ? lines : ["", ...lines]);
  }
  process.exitCode = watched.gone?.error.exitCode ?? EXIT.ok;
}

async function fillScreen(watched: Watched, delay: number): Promise<void> {
  const ended = new AbortController();
  const screen = new Screen(process.stdout, process.stdin, () => ended.abort());
  const end = new Promise<void>((resolve) => ended.signal.addEventListener("abort", () => resolve()));
  try {
    screen.open();
    screen.show(() => watched.lines());
    while (!ended.signal.aborted) {
      await sleep(delay, undefined, { signal: ended.signal }).catch(() => {});
      if (!ended.signal.aborted) await Promise.race([watched.look(), end]);
      screen.show(() => watched.lines());
    }
  } finally {
    screen.close();
  }
  // An agent that is asked and does not answer would keep us for seconds.
  process.exit(EXIT.ok);
}

/**
 * That a look has failed.
 * @param before what was said of the look before it
 * @throws the error, where the agent is not what failed
 */
export function goneBy(error: unknown, before: Gone | null): Gone {
  if (!(error instanceof ApiClientError)) throw error;
  return { error, since: before?.since ?? clock() };
}

/** What stands there while no agent answers: since when, and why. @param now and `since`: times of day */
export function goneLines(message: string, now: string, since: string, style: Style): string[] {
  return hang(`${paint(style, "red", "no answer")} since ${since}, now ${now}: `, message, style.width);
}

/** The time of day, as this machine has it: "12:34:56". */
export function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
