/**
 * What happens meanwhile, on standard error: on a terminal one line that is written over again and again, with the time
 * that is left; elsewhere only what is said for good. Results go to standard output.
 */

const WIDTH = 79;

export class Progress {
  #out;
  #total = 0;
  #done = 0;
  #since = performance.now();
  #shown = false;

  constructor(out = process.stderr) {
    this.#out = out;
  }

  /** @param seconds what everything takes by plan; the clock starts */
  start(seconds) {
    this.#total = seconds;
    this.#done = 0;
    this.#since = performance.now();
  }

  begin(what) {
    if (!this.#out.isTTY) return;
    const width = Math.min(WIDTH, (this.#out.columns ?? 80) - 1);
    const left = this.#total > 0 ? timeLeft(this.#total, this.#done, this.#elapsed()) : "";
    const text = what.slice(0, width - left.length - 1);
    this.#out.write(`\r\x1b[2K${text.padEnd(width - left.length)}${left}`);
    this.#shown = true;
  }

  /** @param seconds how much of the plan is done */
  end(seconds) {
    this.#done += seconds;
  }

  /** Lines of results. */
  print(lines) {
    this.clear();
    for (const line of lines) console.log(line);
  }

  /** A line that stays. */
  say(line) {
    this.clear();
    this.#out.write(`${line}\n`);
  }

  clear() {
    if (this.#shown) this.#out.write("\r\x1b[2K");
    this.#shown = false;
  }

  #elapsed() {
    return (performance.now() - this.#since) / 1000;
  }
}

/** By plan at first, then more and more by how fast things went so far. */
export function timeLeft(total, done, elapsed) {
  const pace = done > 10 ? elapsed / done : 1;
  const left = Math.max(0, (total - done) * pace);
  return left < 90 ? `${Math.ceil(left)} s left` : `${Math.ceil(left / 60)} min left`;
}
