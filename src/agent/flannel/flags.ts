/**
 * flanneld's line and environment, read as flanneld reads them: Go's package flag, then FLANNELD_ with `_` for `-` where
 * the line says nothing (coreos/pkg/flagutil). One dash or two, `-v 10` or `-v=10`, booleans bare or with `=true`; of a
 * flag that is given twice the last counts, but those that are lists collect.
 *
 * Where flanneld would go on without what was asked for, this says so instead: words that are no flags, which end Go's
 * reading, and values in the environment that cannot be.
 */
import { didYouMean } from "../config/problems.ts";
import {
  FLANNELD_FLAGS,
  type FlagRow,
  type FlanneldFlag,
  type FlanneldFlags,
  FOREIGN_FLAGS,
} from "./flag-table.ts";

export { FLANNELD_FLAGS, type FlanneldFlag, type FlanneldFlags } from "./flag-table.ts";

/** A mistake on the line or in the environment. */
export interface FlagProblem {
  readonly message: string;
  /** What would be right. */
  readonly hint: string;
}

export interface FlagsResult {
  /** Where there are problems, the default stands for what could not be read. */
  readonly flags: FlanneldFlags;
  /** Which were given, on the line or in the environment. */
  readonly given: ReadonlySet<FlanneldFlag>;
  /** Help was asked for; nothing after that has been read, and problems do not matter. */
  readonly help: boolean;
  readonly problems: readonly FlagProblem[];
}

/** Reads the line, and the environment where the line is silent. Pure; never throws. */
export function parseFlanneldFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FlagsResult {
  const reading = new Reading();
  const help = reading.line(args);
  reading.environment(env);
  return { ...reading.result(), help };
}

/** What Go's strconv.ParseBool takes. */
const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

class Reading {
  readonly #values = new Map<FlanneldFlag, string | number | boolean | readonly string[]>();
  readonly #problems: FlagProblem[] = [];

  /** @returns whether help was asked for */
  line(args: readonly string[]): boolean {
    const rest = [...args];
    while (rest.length > 0) {
      const word = rest.shift()!;
      if (word === "--") {
        if (rest.length > 0) this.#left(rest[0]!, "");
        break;
      }
      if (word === "-" || !word.startsWith("-")) {
        this.#left(word, args[args.length - rest.length - 2] ?? "");
        break;
      }
      const { name, value } = /^--?(?<name>[^-=][^=]*)(?:=(?<value>.*))?$/s.exec(word)?.groups ?? {};
      if (name === "h" || name === "help") return true;
      if (name === undefined) this.#problem(`"${word}" is no flag`, "write --NAME or --NAME=VALUE");
      else this.#read(name, value, rest);
    }
    return false;
  }

  /** @param rest what follows on the line; a value is taken from it */
  #read(name: string, value: string | undefined, rest: string[]): void {
    const said = name.length === 1 ? `-${name}` : `--${name}`;
    if (!isFlag(name)) {
      const hint =
        FOREIGN_FLAGS.get(name) ??
        (didYouMean(name, Object.keys(FLANNELD_FLAGS)) ||
          "settings of poplin's own go into --config FILE, or into the environment as POPLIN_…");
      this.#problem(`flanneld has no flag ${said}`, hint);
      // What may be its value is not told as another mistake.
      if (value === undefined && rest[0]?.startsWith("-") === false) rest.shift();
    } else if (typeof FLANNELD_FLAGS[name].fallback === "boolean") this.#take(name, value ?? "true", said);
    else {
      const text = value ?? rest.shift();
      if (text === undefined) this.#problem(`${said} needs a value`, `write ${said}=VALUE`);
      else this.#take(name, text, said);
    }
  }

  /** A word that is no flag: Go reads no further, and flanneld does not look at the rest. */
  #left(word: string, before: string): void {
    const flag = before.replace(/^--?/, "");
    const isValue = isFlag(flag) && typeof FLANNELD_FLAGS[flag].fallback === "boolean";
    const hint = isValue
      ? `write ${before}=${word}, or leave it out`
      : "leave it out: flanneld takes flags alone, and reads none that follow such a word";
    this.#problem(`"${word}" is no flag`, hint);
  }

  /** An empty variable is none. `version` is not read: flanneld prints it before it looks at the environment. */
  environment(env: Readonly<Record<string, string | undefined>>): void {
    for (const flag of ALL) {
      const variable = environmentOf(flag);
      const value = env[variable] ?? "";
      if (value !== "" && flag !== "version" && !this.#values.has(flag)) this.#take(flag, value, variable);
    }
  }

  #take(flag: FlanneldFlag, text: string, said: string): void {
    const { fallback, range, ends } = FLANNELD_FLAGS[flag] as FlagRow<unknown>;
    if (Array.isArray(fallback)) {
      const before = (this.#values.get(flag) as readonly string[] | undefined) ?? [];
      this.#values.set(flag, [...before, text]);
    } else if (typeof fallback === "boolean") {
      if (TRUE.includes(text)) this.#values.set(flag, true);
      else if (FALSE.includes(text)) this.#values.set(flag, false);
      else
        this.#problem(`${said}: "${text}" is neither true nor false`, `write ${said}=true or ${said}=false`);
    } else if (range !== undefined) this.#number(flag, text, said, range);
    else if (ends !== undefined && text !== "" && !text.endsWith(ends[0]))
      this.#problem(`${said}: "${text}" does not end in ${ends[0]}`, ends[1]);
    else this.#values.set(flag, text);
  }

  #number(flag: FlanneldFlag, text: string, said: string, [least, most]: readonly [number, number]): void {
    // klog reads its level in decimal, Go's flags of type int as Go's source writes numbers.
    const value = flag === "v" ? parseDecimal(text) : parseGoInteger(text);
    if (value !== null && value >= least && value <= most) this.#values.set(flag, value);
    else {
      const why = value === null ? "is no whole number" : "is out of the acceptable range";
      this.#problem(`${said}: "${text}" ${why}`, `write a whole number from ${least} to ${most}`);
    }
  }

  #problem(message: string, hint: string): void {
    this.#problems.push({ message, hint });
  }

  result(): Omit<FlagsResult, "help"> {
    const values = ALL.map((flag) => [flag, this.#values.get(flag) ?? FLANNELD_FLAGS[flag].fallback]);
    return {
      flags: Object.fromEntries(values) as FlanneldFlags,
      given: new Set(this.#values.keys()),
      problems: this.#problems,
    };
  }
}

const ALL = Object.keys(FLANNELD_FLAGS) as readonly FlanneldFlag[];

function isFlag(name: string): name is FlanneldFlag {
  return Object.hasOwn(FLANNELD_FLAGS, name);
}

/** @returns the variable that says the same as a flag */
export function environmentOf(flag: FlanneldFlag): string {
  return `FLANNELD_${flag.toUpperCase().replaceAll("-", "_")}`;
}

function parseDecimal(text: string): number | null {
  return /^[+-]?\d+$/.test(text) ? Number(text) : null;
}

/** Go's strconv.ParseInt with base 0: 8081, 0x1f91, 0b11, 0o17, 017 (which is 15), 8_081. */
function parseGoInteger(text: string): number | null {
  const match = GO_INTEGER.exec(text);
  if (match === null) return null;
  const digits = match[2]!.replaceAll("_", "").toLowerCase();
  const value = /^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return match[1] === "-" ? 0 - value : value;
}

const GO_INTEGER = /^([+-]?)(0x(?:_?[\da-f])+|0b(?:_?[01])+|0o(?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/i;
