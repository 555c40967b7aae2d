/** What stands on a line: which command, which option waits for its value, which words are left. Pure. */
import type { Command, Option } from "commander";
import { FLANNELD_FLAGS, type FlagRow } from "../../agent/flannel/flag-table.ts";
import { inheritedOptions } from "../program.ts";

/** An option, as commander and flanneld's table have it. */
export interface Flag {
  readonly name: string;
  readonly short: string | undefined;
  readonly about: string;
  /** What its value is called; null where it has none. */
  readonly value: string | null;
  readonly choices: readonly string[];
}

/** A command with its path, without `poplin`. */
export interface Entry {
  readonly path: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  readonly takesWords: boolean;
  /** Words that can stand behind it, where these are known. */
  readonly words: readonly string[];
}

/** Every command and its own, in full. */
export function entriesOf(program: Command): Entry[] {
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
export function entryOf(entries: readonly Entry[], words: readonly string[]): Entry | null {
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
export function flagBefore(entry: Entry | null, before: readonly string[], last: string): Flag | null {
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
export function wordsBehind(entry: Entry | null, before: readonly string[]): string[] {
  const rest: string[] = [];
  for (let i = 0; i < before.length; i++) {
    const word = before[i]!;
    if (!word.startsWith("-")) rest.push(word);
    else if (!word.includes("=") && flagBefore(entry, [word], "") !== null) i++;
  }
  return rest.slice(entry === null ? 0 : entry.path.split(" ").length);
}
