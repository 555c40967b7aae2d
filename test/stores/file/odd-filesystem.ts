/** Filesystems that are not at hand: their answers take the place of the local one's in `node:fs/promises`. */
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { vi } from "vitest";

const NFS = 0x6969;
/** Nanoseconds: FAT's tick. */
const TICK = 2_000_000_000n;

type Stat = (path: string, options?: unknown) => Promise<unknown>;

/** Undoes all of it. */
export function usual(): void {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
}

/** A share of another machine's: inotify is told by nobody there. */
export function remote(): void {
  const statfs = promises.statfs as Stat;
  vi.spyOn(promises, "statfs").mockImplementation((async (path: string) =>
    Object.assign((await statfs(path)) as object, { type: NFS })) as never);
  syncBuiltinESMExports();
}

/**
 * A share whose times go on in ticks of two seconds, and whose files are told apart by nothing else: inodes are used again
 * at once.
 */
export function coarse(): void {
  remote();
  for (const name of ["stat", "lstat"] as const) {
    const real = promises[name] as Stat;
    vi.spyOn(promises, name).mockImplementation((async (path: string, options?: unknown) => {
      const about = (await real(path, options)) as {
        ino: bigint;
        mtimeNs: bigint;
        ctimeNs: bigint;
        mtimeMs: bigint;
      };
      if (typeof about.ino !== "bigint") return about;
      about.ino = 1n;
      about.mtimeNs -= about.mtimeNs % TICK;
      about.ctimeNs -= about.ctimeNs % TICK;
      about.mtimeMs = about.mtimeNs / 1_000_000n;
      return about;
    }) as never);
  }
  syncBuiltinESMExports();
}

export interface Hanging {
  /** How many calls are waiting, and what they asked about. */
  readonly waiting: readonly string[];
  /** Lets them go on. */
  answer(): void;
}

/** A share whose server has stopped to answer: what asks it waits. */
export function hanging(): Hanging {
  const waiting: string[] = [];
  const ends: (() => void)[] = [];
  let hangs = true;
  for (const name of ["stat", "lstat", "open", "readdir"] as const) {
    const real = promises[name] as Stat;
    vi.spyOn(promises, name).mockImplementation((async (path: string, ...rest: unknown[]) => {
      if (hangs) {
        waiting.push(path);
        await new Promise<void>((resolve) => ends.push(resolve));
      }
      return (real as (...args: unknown[]) => Promise<unknown>)(path, ...rest);
    }) as never);
  }
  syncBuiltinESMExports();
  return {
    waiting,
    answer(): void {
      hangs = false;
      waiting.length = 0;
      for (const end of ends.splice(0)) end();
    },
  };
}

/** Counts what is asked of the filesystem from now on. */
export function counting(): string[] {
  const asked: string[] = [];
  for (const name of ["stat", "lstat", "open", "readdir", "statfs"] as const) {
    const real = promises[name] as Stat;
    vi.spyOn(promises, name).mockImplementation(((path: string, ...rest: unknown[]) => {
      asked.push(name);
      return (real as (...args: unknown[]) => Promise<unknown>)(path, ...rest);
    }) as never);
  }
  syncBuiltinESMExports();
  return asked;
}
