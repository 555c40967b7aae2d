/** A TAP in this namespace whose other end is ours, frame by frame: for experiments, where speed does not matter. */
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { VNET_LENGTH } from "../dataplane/arena.ts";
import { openTap } from "../io/linux/tap.ts";
import { readAvailable } from "./drop-trace.ts";

/** Runs `ip` in this namespace. */
export function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

export class TapEnd {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(VNET_LENGTH + 65_550);

  /** Makes the device and switches it on, without a word of autoconfiguration. @param mac null: any */
  constructor(name: string, mac: string | null = null) {
    this.#fd = openTap(name).fd;
    ip("link", "set", name, ...(mac === null ? [] : ["address", mac]), "addrgenmode", "none");
    ip("link", "set", name, "up");
  }

  /** A frame, of at least an Ethernet header, arrives on the device. */
  write(frame: Uint8Array): void {
    writeSync(this.#fd, Buffer.concat([new Uint8Array(VNET_LENGTH), frame]));
  }

  /** What the device has sent since. */
  read(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let length = 1; length > 0; ) {
      length = readAvailable(this.#fd, this.#buffer);
      if (length > VNET_LENGTH) frames.push(this.#buffer.slice(VNET_LENGTH, length));
    }
    return frames;
  }
}
