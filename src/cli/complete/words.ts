/**
 * Answers a TAB: `poplin complete -- WORDS`, of which the last is the one to be completed, and may be empty. Which
 * commands and options there are is commander's to say, and the table's of flanneld's flags; the package matches, and
 * prints what the shells' scripts read.
 */
import { RootCommand } from "@bomb.sh/tab";
import { ApiClient } from "../../agent/api/client.ts";
import { type ClientOptions, socketPath } from "../client.ts";
import { COMMANDS } from "../commands.ts";
import { buildProgram } from "../program.ts";
import { type Entry, entriesOf, entryOf, type Flag, flagBefore, wordsBehind } from "./line.ts";
import { kindOfOption, placeOf, takesFile } from "./places.ts";
import { type Kind, type Value, valuesOf } from "./values.ts";

/** Milliseconds that a busy agent has: nobody waits longer for a TAB. */
const PATIENCE = 500;

/** What a shell is told to offer the names of files (ShellCompDirectiveDefault). */
const FILES = ":0";

/** Prints the completions of the last word. */
export async function completeWords(words: readonly string[]): Promise<void> {
  const entries = entriesOf(await buildProgram(Object.keys(COMMANDS)));
  const last = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const entry = entryOf(entries, before);
  const flag = flagBefore(entry, before, last);
  if (flag?.value != null && flag.choices.length === 0 && takesFile(flag.name, flag.value)) {
    console.log(FILES);
    return;
  }
  const client = new ApiClient(socketPath(socketOn(words)), PATIENCE);
  const ask = async (kinds: readonly Kind[]): Promise<Value[]> =>
    (await Promise.all(kinds.map((kind) => valuesOf(kind, client)))).flat();
  const kind = flag === null ? null : kindOfOption(flag.name, entry?.path ?? "");
  const place = placeOf(entry?.path ?? "", wordsBehind(entry, before));
  const offered = flag !== null ? await ask(kind === null ? [] : [kind]) : await ask(place.kinds);
  const positional = [...offered, ...[...(entry?.words ?? []), ...place.words].map(wordAlone)];
  const root = rootOf(entries, flag, offered, entry, positional);
  root.parse([...words]);
}

/** The package's table of commands, with handlers that know what has been asked for. */
function rootOf(
  entries: readonly Entry[],
  asked: Flag | null,
  offered: readonly Value[],
  here: Entry | null,
  positional: readonly Value[],
): RootCommand {
  const root = new RootCommand();
  root.option("help", "print help", "h");
  root.option("version", "print the version", "V");
  for (const { path, about, flags, takesWords } of entries) {
    const command = root.command(path, about);
    for (const flag of flags) {
      const values = flag === asked ? [...flag.choices.map(wordAlone), ...offered] : [];
      if (flag.value === null) command.option(flag.name, flag.about, flag.short);
      else command.option(flag.name, flag.about, handing(values), flag.short);
    }
    if (takesWords && path === here?.path) command.argument("words", handing(positional), true);
  }
  return root;
}

/** @returns what hands values to the package when it asks */
function handing(values: readonly Value[]): (complete: (word: string, about: string) => void) => void {
  return (complete) => {
    for (const [word, about] of values) complete(word, about);
  };
}

function wordAlone(word: string): Value {
  return [word, ""];
}

/** The socket that the line names, if it does. */
function socketOn(words: readonly string[]): ClientOptions {
  const at = words.indexOf("--socket");
  const behind = words.find((word) => word.startsWith("--socket="))?.slice("--socket=".length);
  const socket = behind ?? (at < 0 ? undefined : words[at + 1]);
  return socket === undefined ? {} : { socket };
}
