/** The traffic helper of one host: a process that waits for orders (`helper.mjs`). */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HELPER = fileURLToPath(new URL("helper.mjs", import.meta.url));

/** Milliseconds that an answer may take beyond the time that was ordered. */
const PATIENCE = 20_000;

export class Traffic {
  #child;
  #waiting = [];
  #said = "";
  #over;

  /** Starts it; it ends with its lab, or by `end`. */
  constructor(host) {
    this.#child = host.spawn(process.execPath, [HELPER], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.#said += text;
    });
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#waiting.shift()?.(line));
    this.#over = new Promise((resolve) => this.#child.once("close", resolve));
  }

  /** Gives an order. @returns its answer @throws Error when the helper ends or does not answer in time */
  async ask(order) {
    const answer = new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`traffic helper ${what}\n${this.#said.slice(0, 800)}`.trim()));
      const timer = setTimeout(() => fail("did not answer"), (order.seconds ?? 0) * 1000 + PATIENCE);
      this.#waiting.push((line) => {
        clearTimeout(timer);
        resolve(JSON.parse(line));
      });
      this.#over.then(() => {
        clearTimeout(timer);
        fail("has ended");
      });
    });
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    return answer;
  }

  end() {
    this.#child.kill("SIGKILL");
  }
}
