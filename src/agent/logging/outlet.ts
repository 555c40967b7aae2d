/**
 * Where the log's lines leave: a writer that never waits for its reader. A pipe that nobody reads (`kubectl logs` with a
 * stuck runtime, a pager, a stopped `tee`) takes 64 KB and then blocks whoever writes to it as Node writes to standard
 * error: the API and all timers of the agent would stand still until somebody reads.
 *
 *   write → taken at once │ kept, at most `LIMIT` bytes │ lost, and counted
 *
 * What is kept goes out in order as soon as there is room, and then a line says how many are lost. A reader that is gone
 * (EPIPE), or a disk that is full, is no reason to stop forwarding either.
 */

/** Bytes of lines that are kept for a reader that does not read: some two thousand lines. */
export const LIMIT = 256 * 1024;
/** Milliseconds between two tries. */
const AGAIN = 100;

/** What takes bytes. */
export interface OutletPort {
  /** Never waits. @returns how many bytes it has taken, 0 for none now, −1 when it takes none any more */
  write(bytes: Uint8Array): number;
  close(): void;
}

export class Outlet {
  readonly #port: OutletPort;
  readonly #describe: (lost: number) => string;
  /** Lines that wait, the first perhaps begun. */
  #waiting: Buffer[] = [];
  #bytes = 0;
  #lost = 0;
  #lostInAll = 0;
  #timer: NodeJS.Timeout | undefined;
  #gone = false;

  /** @param describe the line that says how many are lost */
  constructor(port: OutletPort, describe: (lost: number) => string) {
    this.#port = port;
    this.#describe = describe;
  }

  /** Lines that could not be kept, ever. */
  get lostInAll(): number {
    return this.#lostInAll;
  }

  write(line: string): void {
    if (this.#gone) return;
    const bytes = Buffer.from(line);
    // Where some are lost, those to come wait until it has been said, or the gap would be in another place.
    if (this.#lost > 0 || this.#bytes + bytes.length > LIMIT) {
      this.#lost++;
      this.#lostInAll++;
    } else {
      this.#keep(bytes);
      this.#flush();
    }
    this.#soon();
  }

  #keep(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
  }

  /** Writes what is taken. */
  #flush(): void {
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting as [Buffer];
      const taken = this.#port.write(first);
      if (taken < 0) {
        this.#end();
        return;
      }
      this.#bytes -= taken;
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
  }

  #soon(): void {
    if (this.#timer !== undefined || this.#gone || (this.#bytes === 0 && this.#lost === 0)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
      if (this.#waiting.length === 0 && this.#lost > 0 && !this.#gone) {
        const line = Buffer.from(this.#describe(this.#lost));
        this.#lost = 0;
        this.#keep(line);
        this.#flush();
      }
      this.#soon();
    }, AGAIN);
    this.#timer.unref();
  }

  #end(): void {
    this.#gone = true;
    this.#waiting = [];
    this.#bytes = 0;
  }

  /** One last try; what nobody takes then is lost. */
  close(): void {
    clearTimeout(this.#timer);
    if (!this.#gone) this.#flush();
    this.#end();
    this.#port.close();
  }
}
