/**
 * What the kernel drops while this process does something, and why: the tracepoint `skb:kfree_skb`, in an instance of our
 * own that hears of this process alone. Tracing is the machine's, not a namespace's: whoever makes an instance removes it.
 */
import { execFileSync } from "node:child_process";
import { constants, existsSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";

const TRACING = "/sys/kernel/tracing";

/** Whether this kernel has it. */
export function canTraceDrops(): boolean {
  return existsSync(TRACING) && readFileSync("/proc/filesystems", "utf8").includes("\ttracefs\n");
}

export class DropTrace {
  readonly #pipe: number;
  readonly #buffer = Buffer.alloc(16_384);

  /**
   * Begins to listen. To be called in a mount namespace of its own, as `ip netns exec` makes one.
   * @param name of the instance, which `DropTrace.remove` removes
   */
  constructor(name: string) {
    execFileSync("mount", ["-t", "tracefs", "tracefs", TRACING]);
    const instance = `${TRACING}/instances/${name}`;
    mkdirSync(instance);
    writeFileSync(`${instance}/set_event_pid`, String(process.pid));
    writeFileSync(`${instance}/events/skb/kfree_skb/enable`, "1");
    this.#pipe = openSync(`${instance}/trace_pipe`, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Removes an instance whose process has ended, or is about to; nothing where there is none. */
  static remove(name: string): void {
    const instance = `${TRACING}/instances/${name}`;
    // The kernel lets go of what a process had a moment after its end.
    const wait = `for i in $(seq 100); do [ ! -d ${instance} ] || rmdir ${instance} 2>/dev/null || sleep 0.02; done`;
    const script = `mount -t tracefs tracefs ${TRACING} && ${wait}; [ ! -d ${instance} ]`;
    execFileSync("unshare", ["--mount", "sh", "-c", script]);
  }

  /** The reasons since the last call (`enum skb_drop_reason`), in their order. */
  take(): string[] {
    let text = "";
    for (
      let chunk = readAvailable(this.#pipe, this.#buffer);
      chunk > 0;
      chunk = readAvailable(this.#pipe, this.#buffer)
    ) {
      text += this.#buffer.toString("latin1", 0, chunk);
    }
    return [...text.matchAll(/ reason: (\S+)/g)].map((found) => found[1]!);
  }
}

/** As read(2) of a descriptor that does not wait. @returns bytes read, 0 where there is nothing */
export function readAvailable(fd: number, buffer: Uint8Array): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}
