/**
 * A file or standard output, written packet by packet: what was captured is there to read at once, and a capture that
 * is killed is whole up to its last packet. Writes wait for a slow reader; the kernel's ring holds packets meanwhile.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { CliError, EXIT } from "./errors.ts";

const STDOUT = 1;
/** Milliseconds between tries when somebody made standard output non-blocking. */
const RETRY = 5;

export class SyncOutput {
  readonly #fd: number;
  readonly #name: string;
  #open = true;

  /**
   * @param file path, or "-" for standard output
   * @throws CliError when it cannot be opened
   */
  constructor(file: string) {
    this.#name = file === "-" ? "standard output" : file;
    try {
      // Packets are nobody else's business: 0600, as dumpcap does.
      this.#fd = file === "-" ? STDOUT : openSync(file, "w", 0o600);
    } catch (error) {
      throw failed(this.#name, error as NodeJS.ErrnoException);
    }
  }

  /**
   * Writes all of `bytes`.
   * @returns false when the reader has closed its end: there is no point in going on
   * @throws CliError when the disk is full or failing
   */
  write(bytes: Uint8Array): boolean {
    for (let at = 0; this.#open && at < bytes.length; ) {
      try {
        at += writeSync(this.#fd, bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EPIPE") this.#open = false;
        else if (code === "EAGAIN") sleep(RETRY);
        else throw failed(this.#name, error as NodeJS.ErrnoException);
      }
    }
    return this.#open;
  }

  close(): void {
    if (this.#fd !== STDOUT && this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function failed(name: string, cause: NodeJS.ErrnoException): CliError {
  const code = cause.code === "EACCES" || cause.code === "EPERM" ? EXIT.permission : EXIT.failed;
  return new CliError(code, `cannot write to ${name}: ${cause.message}`, null, cause);
}
