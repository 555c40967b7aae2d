/**
 * A ping that runs while something happens to the overlay. The answers come from a kernel, so what is lost was lost on
 * the way; each is read with the time of its arrival, which is what recovery times are measured by.
 */
import type { ChildProcess } from "node:child_process";
import type { Host } from "../../../src/lab/host.ts";

/** One answer. */
export interface Reply {
  readonly seq: number;
  /** When it came: milliseconds since the epoch, by the clock that Date.now and ping both read. */
  readonly at: number;
}

export interface PingResult {
  /** Sequence numbers below the highest answered one that nobody answered. */
  readonly lost: readonly number[];
  readonly received: number;
  readonly duplicates: number;
}

export interface PingOptions {
  /** Seconds between two requests; 0.01 when left out. */
  readonly interval?: number;
  /** Bytes of data; ping's own 56 when left out. */
  readonly size?: number;
}

const REPLY = /^\[(\d+\.\d+)\] \d+ bytes from .* icmp_seq=(\d+) /;

export class Pinger {
  readonly replies: Reply[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #seen = new Set<number>();
  #duplicates = 0;
  #said = "";
  #rest = "";
  #news: () => void = () => {};

  constructor(from: Host, address: string, { interval = 0.01, size = 56 }: PingOptions = {}) {
    const words = ["-n", "-D", "-i", String(interval), "-s", String(size), address];
    this.#child = from.spawn("ping", words, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
    this.#ended = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /**
   * Waits for the answer to a request that was sent after this call.
   * @returns when it came
   * @throws Error when none does within `timeout` milliseconds
   */
  async next(timeout = 5000): Promise<number> {
    const before = this.replies.at(-1)?.seq ?? 0;
    const since = Date.now();
    // An answer to an older request may still be on its way: the first of a few more is surely a new one.
    const wanted = before + 3;
    const deadline = since + timeout;
    for (;;) {
      const reply = this.replies.find(({ seq, at }) => seq >= wanted && at >= since);
      if (reply !== undefined) return reply.at;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no answer to a ping for ${timeout} ms\n${this.#said}`.trim());
      await this.#change(left);
    }
  }

  /**
   * Waits for the first answer that came after `since`, whenever its request was sent.
   * @throws Error when there is none within `timeout` milliseconds from now
   */
  async firstSince(since: number, timeout = 5000): Promise<number> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const reply = this.replies.find(({ at }) => at >= since);
      if (reply !== undefined) return reply.at;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no answer to a ping for ${timeout} ms\n${this.#said}`.trim());
      await this.#change(left);
    }
  }

  /** Sequence numbers in [from, to) that were not answered; `to` is the highest answered one when left out. */
  lost(from = 1, to = this.replies.at(-1)?.seq ?? from): number[] {
    const lost: number[] = [];
    for (let seq = from; seq < to; seq++) if (!this.#seen.has(seq)) lost.push(seq);
    return lost;
  }

  /** Ends it, after one more answer, so that every request before that had its time. @throws Error without one */
  async stop(): Promise<PingResult> {
    await this.next();
    await this.kill();
    return { lost: this.lost(), received: this.#seen.size, duplicates: this.#duplicates };
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [, at, seq] = REPLY.exec(line) ?? [];
      if (seq === undefined) continue;
      if (this.#seen.has(Number(seq))) this.#duplicates++;
      else this.replies.push({ seq: Number(seq), at: Number(at) * 1000 });
      this.#seen.add(Number(seq));
    }
    this.#news();
  }

  /** Resolves when ping has said something, or after `ms`. */
  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#news = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
