/** What the agent says while it runs: one line each, with time and level, to standard error. */

export const LEVELS = ["error", "warn", "info", "debug"] as const;
export type Level = (typeof LEVELS)[number];

export class Log {
  #level: number;
  readonly #write: (line: string) => void;

  constructor(level: Level, write: (line: string) => void = (line) => process.stderr.write(line)) {
    this.#level = LEVELS.indexOf(level);
    this.#write = write;
  }

  setLevel(level: Level): void {
    this.#level = LEVELS.indexOf(level);
  }

  error(message: string): void {
    this.#say("error", message);
  }

  warn(message: string): void {
    this.#say("warn", message);
  }

  info(message: string): void {
    this.#say("info", message);
  }

  debug(message: string): void {
    this.#say("debug", message);
  }

  /** A message of several lines is indented, so that each line with a time is one event. */
  #say(level: Level, message: string): void {
    if (LEVELS.indexOf(level) > this.#level) return;
    const text = message.replaceAll("\n", "\n  ");
    this.#write(`${new Date().toISOString()} ${level.padEnd(5)} ${text}\n`);
  }
}
