/**
 * Reads a list of Kubernetes' while it arrives, one item at a time. A page of 500 nodes has 10 MB as bytes and three times
 * as much as objects, of which we keep some hundred bytes each; so an item is cut out of the stream, looked at and
 * forgotten. What is around the items (`metadata`) is small, and read at the end.
 *
 *   {"kind":"NodeList","metadata":{…},"items":[{…},{…}]}
 *                                              ↑ depth 2: from here to its brace is one item
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Depth at which items begin: in the object, in its one array. */
const ITEMS = 2;
/** Bytes of one item, or of all that is around them, beyond which it is no list of nodes. */
const MOST_BYTES = 16 * 1024 * 1024;

export class ListReader {
  readonly #item: (item: unknown) => void;
  /** What has been read of an item, or of what is around them. */
  #pieces: Buffer[] = [];
  #length = 0;
  #frame = "";
  #depth = 0;
  #inItems = false;
  #inText = false;
  #escaped = false;

  /** @param item hears of each */
  constructor(item: (item: unknown) => void) {
    this.#item = item;
  }

  /** @throws Error where it is no JSON, or too long */
  data(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inText) {
        at = this.#skipText(chunk, at);
        continue;
      }
      const byte = chunk[at]!;
      if (byte === QUOTE) this.#inText = true;
      else if (byte === 0x7b || byte === 0x5b) {
        if (this.#depth === ITEMS && this.#inItems) {
          // Commas and blanks between two items belong to neither.
          this.#take(chunk, from, at);
          from = at;
        }
        this.#depth++;
        if (this.#depth === ITEMS && byte === 0x5b) {
          this.#frame += this.#take(chunk, from, at + 1);
          from = at + 1;
          this.#inItems = true;
        }
      } else if (byte === 0x7d || byte === 0x5d) {
        if (this.#depth === ITEMS && this.#inItems) {
          this.#take(chunk, from, at);
          from = at;
          this.#inItems = false;
        }
        this.#depth--;
        if (this.#depth === ITEMS && this.#inItems) {
          this.#item(JSON.parse(this.#take(chunk, from, at + 1)));
          from = at + 1;
        }
      }
    }
    this.#keep(chunk.subarray(from));
  }

  /** @returns the list with no items in it. @throws Error where it is no JSON */
  end(): unknown {
    return JSON.parse(this.#frame + this.#take(Buffer.alloc(0), 0, 0));
  }

  /** @returns the index of the last byte of the text that is in this chunk */
  #skipText(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#inText = false;
        return at;
      }
    }
    return chunk.length;
  }

  /** @returns what was kept, and the bytes from `from` to `to`, as text */
  #take(chunk: Buffer, from: number, to: number): string {
    this.#keep(chunk.subarray(from, to));
    const text = Buffer.concat(this.#pieces).toString("utf8");
    this.#pieces = [];
    this.#length = 0;
    return text;
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > MOST_BYTES) throw new Error(`an item of its list has more than ${MOST_BYTES} bytes`);
    if (piece.length > 0) this.#pieces.push(piece);
  }
}
