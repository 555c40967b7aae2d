/** Keeps something of this node's kernel as it should be, looking every few seconds: others write there, too. */
import { fieldsOf, type Log } from "../log.ts";

/** What is looked after. */
export interface Duty {
  /** "the firewall's rules", for messages */
  readonly what: string;
  /** Puts right what is not as it should be. @returns what was done, a line each */
  ensure(): Promise<readonly string[]>;
}

export class Upkeep {
  readonly #duty: Duty;
  readonly #every: number;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #trouble: string | null = null;

  /** @param seconds between two looks */
  constructor(duty: Duty, seconds: number, log: Log) {
    this.#duty = duty;
    this.#every = seconds * 1000;
    this.#log = log;
  }

  /** Why it is not as it should be; null where it is. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Sets it, and looks after it from then on. What cannot be set is tried again. */
  async start(): Promise<void> {
    await this.#look("info");
    this.#next();
  }

  #next(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#look("warn").then(() => this.#next()), this.#every);
  }

  /** What goes wrong is told once for each reason. @param level of what was done: at first it is no news that it was */
  async #look(level: "info" | "warn"): Promise<void> {
    const { what } = this.#duty;
    try {
      for (const line of await this.#duty.ensure()) this.#log[level](line);
      if (this.#trouble !== null) this.#log.info(`${what}: in place again`);
      this.#trouble = null;
    } catch (error) {
      const { message, remedy = "" } = error as Error & { remedy?: string };
      const text = remedy === "" ? message : `${message}; ${remedy}`;
      if (text !== this.#trouble) this.#log.error(`${what}: not in place: ${text}`, fieldsOf(error));
      this.#trouble = text;
    }
  }

  /** Ends looking. What was set stays. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
