/** A socket as systemd gives a service, and what has been said to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "../../helpers/until.ts";

const SCRIPT = fileURLToPath(new URL("listen.py", import.meta.url));

export class Listener {
  /** Datagrams so far, each as its lines. */
  readonly heard: string[][] = [];
  readonly #child: ChildProcess;

  private constructor(name: string) {
    this.#child = spawn("python3", [SCRIPT, name], { stdio: ["ignore", "pipe", "inherit"] });
    createInterface(this.#child.stdout!).on("line", (line) => this.heard.push(JSON.parse(line).split("\n")));
  }

  /** @param name a path, or an abstract name behind `@`. @returns once it listens */
  static async open(name: string): Promise<Listener> {
    const listener = new Listener(name);
    await until("it listens", () => listener.heard.length > 0);
    listener.heard.length = 0;
    return listener;
  }

  /** All lines so far. */
  get lines(): string[] {
    return this.heard.flat();
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}
