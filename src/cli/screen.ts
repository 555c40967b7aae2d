/**
 * The whole terminal for a command that shows one picture again and again: on the alternate screen, which leaves what
 * stood there before. It is given back in every end but SIGKILL.
 */
import type { ReadStream, WriteStream } from "node:tty";

const ESC = "\u001b";
/** Alternate screen, cursor off, long lines are cut and not broken (xterm's control sequences). */
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?7l`;
const LEAVE = `${ESC}[?7h${ESC}[?25h${ESC}[?1049l`;
const HOME = `${ESC}[H`;
const CLEAR_LINE = `${ESC}[K`;
const CLEAR_BELOW = `${ESC}[J`;
/** Rows of a terminal that nobody has told its size. */
const DEFAULT_ROWS = 24;

/** q, Q, Ctrl-C, Ctrl-D: with raw input the terminal makes no signal of a key. */
const ENDS = new Set(["q", "Q", "\u0003", "\u0004"]);
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whether a picture can be shown there. */
export function canBeScreen(stream: Partial<WriteStream>, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && env.TERM !== "dumb" && (env.TERM ?? "") !== "";
}

export class Screen {
  readonly #out: WriteStream;
  readonly #keys: ReadStream;
  readonly #end: () => void;
  readonly #pressed: (key: string) => void;
  #lines: () => readonly string[] = () => [];
  #open = false;

  /**
   * @param end called when somebody wants it to end: a key, a signal, a terminal that is gone
   * @param pressed called with any other key, as the terminal sends it
   */
  constructor(
    out: WriteStream,
    keys: ReadStream,
    end: () => void,
    pressed: (key: string) => void = () => {},
  ) {
    this.#out = out;
    this.#keys = keys;
    this.#end = end;
    this.#pressed = pressed;
  }

  /** Rows that can be shown. */
  get rows(): number {
    return Math.max(1, (this.#out.rows || DEFAULT_ROWS) - 1);
  }

  open(): void {
    this.#open = true;
    process.on("exit", this.#restore);
    for (const signal of SIGNALS) process.on(signal, this.#end);
    this.#out.on("resize", this.#draw);
    this.#out.on("error", this.#end);
    if (this.#keys.isTTY) {
      this.#keys.setRawMode(true);
      this.#keys.setEncoding("utf8").on("data", this.#key).on("error", this.#end).on("end", this.#end);
    }
    this.#out.write(ENTER);
  }

  /** Shows lines from now on; they are asked for again when the terminal gets another size. */
  show(lines: () => readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  /** Gives the terminal back. Safe to call at any time, and more than once. */
  close(): void {
    this.#restore();
    process.off("exit", this.#restore);
    for (const signal of SIGNALS) process.off(signal, this.#end);
    this.#out.off("resize", this.#draw);
    this.#keys.off("data", this.#key);
    this.#keys.pause();
  }

  readonly #restore = (): void => {
    if (!this.#open) return;
    this.#open = false;
    if (this.#keys.isTTY) this.#keys.setRawMode(false);
    this.#out.write(LEAVE);
  };

  readonly #key = (text: unknown): void => {
    for (const key of keysIn(String(text))) {
      if (ENDS.has(key)) this.#end();
      else this.#pressed(key);
    }
  };

  readonly #draw = (): void => {
    if (!this.#open) return;
    const lines = this.#lines().slice(0, this.rows);
    // A line is cleared before it is written: after one that fills the row the cursor stands on its last character.
    this.#out.write(HOME + lines.map((line) => `${CLEAR_LINE}${line}\r\n`).join("") + CLEAR_BELOW);
  };
}

/** Keys that came at once: a control sequence (ECMA-48) is one. */
function keysIn(text: string): string[] {
  const sequence = new RegExp(`${ESC}\\[[0-9;]*[A-Za-z~]|.`, "gsu");
  return text.match(sequence) ?? [];
}
