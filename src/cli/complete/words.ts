/**
 * Answers a TAB: `poplin complete -- WORDS`, of which the last is the one to be completed, and may be empty. Which
 * commands and options there are is commander's to say, and the table's of flanneld's flags; the package matches, and
 * prints what the shells' scripts read.
 */
import { RootCommand } from "@bomb.sh/tab";
import type { Command, Option } from "commander";
import { ApiClient } from "../../agent/api/client.ts";
import { FLANNELD_FLAGS, type FlagRow } from "../../agent/flannel/flag-table.ts";
import { type ClientOptions, socketPath } from "../client.ts";
import { COMMANDS } from "../commands.ts";
import { buildProgram, inheritedOptions } from "../program.ts";
import { kindOfOption, placeOf, takesFile } from "./places.ts";
import { type Kind, type Value, valuesOf } from "./values.ts";

/** Milliseconds that a busy agent has: nobody waits longer for a TAB. */
const PATIENCE = 500;

/** What a shell is told to offer the names of files (ShellCompDirectiveDefault). */
const FILES = ":0";

/** An option, as commander and flanneld's table have it. */
interface Flag {
  readonly name: string;
  readonly short: string | undefined;
  readonly about: string;
  /** What its value is called; null where it has none. */
  readonly value: string | null;
  readonly choices: readonly string[];
}

/** A command with its path, without `poplin`. */
interface Entry {
  readonly path: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  readonly takesWords: boolean;
  /** Words that can stand behind it, where these are known. */
  readonly words: readonly string[];
}

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

/** Every command and its own, in full. */
function entriesOf(program: Command): Entry[] {
  const walk = (command: Command, above: string): Entry[] => {
    const path = above === "" ? command.name() : `${above} ${command.name()}`;
    const options = [...command.createHelp().visibleOptions(command), ...inheritedOptions(command)];
    const flags = path === "flanneld" ? flanneldFlags() : options.map(flagOf);
    const takesWords = command.registeredArguments.length > 0;
    const words = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
    return [
      { path, about: inShort(command.summary() || command.description()), flags, takesWords, words },
      ...command.commands.flatMap((child) => walk(child, path)),
    ];
  };
  const help = { path: "help", about: "print help for a command", flags: [], takesWords: true };
  return [
    ...program.commands.flatMap((command) => walk(command, "")),
    { ...help, words: program.commands.map((command) => command.name()) },
  ];
}

/** The first sentence of a description: beside a word there is room for no more. */
function inShort(description: string): string {
  return description.replace(/\s+/g, " ").replace(/(?<=\w)[.:;] .*|\.$/, "");
}

function flagOf(option: Option): Flag {
  const { long, short, description, argChoices, flags } = option;
  const value = option.required || option.optional ? (/[<[]([^>\]]*)[>\]]/.exec(flags)?.[1] ?? "") : null;
  return {
    name: (long ?? short ?? "").replace(/^-+/, ""),
    short: short?.slice(1),
    about: inShort(description),
    value,
    choices: argChoices ?? [],
  };
}

function flanneldFlags(): Flag[] {
  return Object.entries<FlagRow<unknown>>(FLANNELD_FLAGS).map(([name, { about, value = null }]) => {
    return { name, short: undefined, about, value, choices: [] };
  });
}

/** The command that the words name, as far as they go. */
function entryOf(entries: readonly Entry[], words: readonly string[]): Entry | null {
  let found: Entry | null = null;
  let rest = entries;
  for (const word of words) {
    const path: string = found === null ? word : `${found.path} ${word}`;
    const next = rest.find((entry) => entry.path === path);
    if (next === undefined) continue;
    found = next;
    rest = entries.filter((entry) => entry.path.startsWith(`${path} `));
  }
  return found;
}

/** The option whose value is asked for: it stands before, or before an equals sign. */
function flagBefore(entry: Entry | null, before: readonly string[], last: string): Flag | null {
  const word = /^--?[\w-]+=/.test(last)
    ? last.slice(0, last.indexOf("="))
    : last.startsWith("-")
      ? ""
      : (before.at(-1) ?? "");
  const name = /^--?([\w-]+)$/.exec(word)?.[1];
  if (name === undefined) return null;
  const flag = entry?.flags.find(
    (one) => one.name === name || (one.short === name && !word.startsWith("--")),
  );
  return flag === undefined || flag.value === null ? null : flag;
}

/** The words behind the command's own, without options and their values. */
function wordsBehind(entry: Entry | null, before: readonly string[]): string[] {
  const rest: string[] = [];
  for (let i = 0; i < before.length; i++) {
    const word = before[i]!;
    if (!word.startsWith("-")) rest.push(word);
    else if (!word.includes("=") && flagBefore(entry, [word], "") !== null) i++;
  }
  return rest.slice(entry === null ? 0 : entry.path.split(" ").length);
}

/** The socket that the line names, if it does. */
function socketOn(words: readonly string[]): ClientOptions {
  const at = words.indexOf("--socket");
  const behind = words.find((word) => word.startsWith("--socket="))?.slice("--socket=".length);
  const socket = behind ?? (at < 0 ? undefined : words[at + 1]);
  return socket === undefined ? {} : { socket };
}
