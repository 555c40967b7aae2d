/** A helper script in a namespace: it is told lines of JSON, and answers each with one. */
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/lab/host.ts";

/** Milliseconds a helper gets for an answer. */
const TIMEOUT = 30_000;

export class Helper {
  readonly #child: ChildProcess;
  readonly #answers: ((line: string) => void)[] = [];
  readonly #ended: Promise<void>;
  #said = "";

  /** Starts `script`, a file beside this one, in a host. */
  constructor(host: Host, script: string, args: readonly string[] = []) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = host.spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
    this.#child.stdin!.on("error", () => {});
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#answers.shift()?.(line));
    this.#ended = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** Says something and waits for the answer. @throws Error when the helper has ended, or takes too long */
  async ask<T>(message: unknown): Promise<T> {
    const answer = new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#failed("did not answer")), TIMEOUT);
      this.#answers.push((line) => {
        clearTimeout(timer);
        resolve(line);
      });
      void this.#ended.then(() => {
        clearTimeout(timer);
        reject(this.#failed("has ended"));
      });
    });
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
    return JSON.parse(await answer) as T;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #failed(what: string): Error {
    return new Error(`${this.#child.spawnargs.slice(4).join(" ")} ${what}\n${this.#said}`.trim());
  }
}
