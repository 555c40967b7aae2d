/**
 * What the agent says while it runs: a line for each event, with its level, to standard error. How it is written:
 * `logging/formats.ts`; that nobody has to read it: `logging/outlet.ts`.
 */
import {
  type Formatter,
  formatterOf,
  LEVELS,
  type Level,
  type LogFields,
  type LogFormat,
} from "./logging/formats.ts";
import { Outlet } from "./logging/outlet.ts";
import { openPort } from "./logging/stderr.ts";

export { fieldsOf, LEVELS, type Level, type LogFields } from "./logging/formats.ts";

export class Log {
  #level: number;
  #kind: LogFormat = "auto";
  #format: Formatter;
  /** Standard error, from the first line on. */
  #outlet: Outlet | undefined;
  readonly #write: (line: string) => void;

  /** @param write where lines go, for tests; left out, to standard error without ever waiting for it */
  constructor(level: Level, write?: (line: string) => void) {
    this.#level = LEVELS.indexOf(level);
    this.#format = formatterOf("auto");
    this.#write = write ?? ((line) => this.#toStandardError(line));
  }

  get level(): Level {
    return LEVELS[this.#level]!;
  }

  setLevel(level: Level): void {
    this.#level = LEVELS.indexOf(level);
  }

  setFormat(format: LogFormat): void {
    if (format === this.#kind) return;
    this.#kind = format;
    this.#format = formatterOf(format);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#say("error", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#say("warn", message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#say("info", message, fields);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#say("debug", message, fields);
  }

  /** Lines that nobody read and that could not be kept, ever. */
  get lost(): number {
    return this.#outlet?.lostInAll ?? 0;
  }

  /** To be called at the end of the process: what standard error does not take now is lost. */
  close(): void {
    this.#outlet?.close();
    this.#outlet = undefined;
  }

  #say(level: Level, message: string, fields: LogFields): void {
    if (LEVELS.indexOf(level) <= this.#level) this.#write(this.#format(level, message, fields));
  }

  #toStandardError(line: string): void {
    this.#outlet ??= new Outlet(openPort(), (lost) =>
      this.#format("warn", `nobody read the log: ${lost} ${lost === 1 ? "line is" : "lines are"} lost`, {
        code: "LOG_LOST",
      }),
    );
    this.#outlet.write(line);
  }
}
