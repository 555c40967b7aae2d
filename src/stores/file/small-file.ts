/**
 * Reads files that anybody may have put there. Nothing but a regular file is opened: to open a FIFO waits for somebody who
 * writes to it, and to open a device may do something. Nothing large is read.
 */
import { type BigIntStats, constants } from "node:fs";
import { type Calls, IN_THREADS } from "./calls.ts";

/** What is under a name. */
export interface About {
  /** Differs where the file does: it was written, replaced, or its mode changed. */
  readonly stamp: string;
  /** When it was written, by the filesystem's clock; milliseconds. */
  readonly writtenAt: number;
  readonly size: bigint;
  readonly isFile: boolean;
}

/** A file's text, or why it has none for us: one of them is null. */
export interface Content {
  readonly text: string | null;
  readonly reason: string | null;
}

export type Links = "follow" | "refuse";

/** A lease has two hundred bytes, a network's configuration as many. */
const MOST_BYTES = 4096;
/** Should it be a FIFO by now, open does not wait. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/** What open says of files that are there, and not for us: these are the file's fault and not the share's. */
const NOT_FOR_US = ["EACCES", "EPERM", "ELOOP", "ENXIO"];

/** @returns null where nothing has this name. @throws Error of the filesystem */
export async function lookAt(
  path: string,
  links: Links = "refuse",
  calls: Calls = IN_THREADS,
): Promise<About | null> {
  try {
    const about = await calls.stat(path, links === "follow");
    const { size, mtimeMs } = about;
    return { stamp: stampOf(about), writtenAt: Number(mtimeMs), size, isFile: about.isFile() };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/**
 * @param about what `lookAt` said just now
 * @returns null where nothing has this name any more
 * @throws Error of the filesystem
 */
export async function readSmall(
  path: string,
  { size, isFile }: About,
  links: Links = "refuse",
  calls: Calls = IN_THREADS,
): Promise<Content | null> {
  if (!isFile) return without("it is no file");
  if (size > MOST_BYTES) return without(`it has ${size} bytes: more than ${MOST_BYTES} are not read`);
  try {
    const file = await calls.open(path, links === "follow" ? FLAGS : FLAGS | constants.O_NOFOLLOW);
    try {
      const bytes = Buffer.alloc(Number(size));
      const length = await calls.read(file, bytes);
      return { text: bytes.toString("utf8", 0, length), reason: null };
    } finally {
      await calls.close(file);
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    if (NOT_FOR_US.includes(codeOf(error))) return without(`it cannot be read: ${(error as Error).message}`);
    throw error;
  }
}

function without(reason: string): Content {
  return { text: null, reason };
}

/** Everything of a file's that changes with it. Its times alone will not do: they go on in ticks of up to two seconds. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** @returns the errno's name: "ENOENT"; "" where it has none */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
