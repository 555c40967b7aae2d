/** A watch of Kubernetes' is a stream of lines, each a JSON object. */
import type { Reader } from "./client.ts";

/** Bytes of a line: etcd's limit is 1.5 MB for an object. */
const MOST_LINE = 16 * 1024 * 1024;

/** Cuts a stream into lines; empty ones are left out, and so is a last one without its end. */
export class LineReader implements Reader {
  readonly #line: (line: string) => void;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  data(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const line = Buffer.concat([...this.#pieces, chunk.subarray(from, end)]).toString("utf8");
      this.#pieces = [];
      this.#length = 0;
      from = end + 1;
      if (line.trim() !== "") this.#line(line);
    }
    this.#length += chunk.length - from;
    if (this.#length > MOST_LINE) throw new Error(`a line of its watch has more than ${MOST_LINE} bytes`);
    if (from < chunk.length) this.#pieces.push(chunk.subarray(from));
  }
}
