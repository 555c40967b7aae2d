/**
 * The system calls that read small files: here, or in threads of libuv's.
 *
 * A call to a local filesystem takes some microseconds, and the trip to a thread and back ten times as long: thousands of
 * files are read in a tenth of the time here. But a share may hang, and whoever waits for it in this thread hangs with it.
 */
import {
  type BigIntStats,
  close,
  closeSync,
  lstatSync,
  open,
  openSync,
  read,
  readSync,
  statSync,
} from "node:fs";
import { lstat, stat, statfs } from "node:fs/promises";
import { promisify } from "node:util";

/** Each throws what Node throws: an Error with an errno's name as its code. */
export interface Calls {
  /** Files that are worth reading at the same time. */
  readonly atOnce: number;
  /** @param follow whether a symbolic link stands for what it leads to */
  stat(path: string, follow: boolean): BigIntStats | Promise<BigIntStats>;
  open(path: string, flags: number): number | Promise<number>;
  /** From the file's start. @returns how many bytes */
  read(file: number, bytes: Buffer): number | Promise<number>;
  close(file: number): void | Promise<void>;
}

const BIGINT = { bigint: true } as const;

const HERE: Calls = {
  atOnce: 1,
  stat: (path, follow) => (follow ? statSync : lstatSync)(path, BIGINT),
  open: (path, flags) => openSync(path, flags),
  read: (file, bytes) => readSync(file, bytes, 0, bytes.length, 0),
  close: (file) => closeSync(file),
};

/** Descriptors rather than `FileHandle`s, which take 40 % more CPU for thousands of small files. */
const [openFile, readFile, closeFile] = [promisify(open), promisify(read), promisify(close)];

/** For what may not answer. */
export const IN_THREADS: Calls = {
  atOnce: 16,
  stat: (path, follow) => (follow ? stat : lstat)(path, BIGINT),
  open: (path, flags) => openFile(path, flags),
  read: async (file, bytes) => (await readFile(file, bytes, 0, bytes.length, 0)).bytesRead,
  close: (file) => closeFile(file),
};

/**
 * NFS, SMB (two), CIFS, FUSE, 9P, Ceph, AFS, Coda, OCFS2, GFS2 (linux/magic.h and theirs): inotify is told by nobody
 * there, and asking may hang. So may what is mounted on demand: autofs.
 */
const REMOTE = [
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x73757245,
  0x7461636f, 0x01161970, 0x0187,
];

/** @returns whether others keep the files. @throws Error of the filesystem */
export async function isRemote(folder: string): Promise<boolean> {
  return REMOTE.includes((await statfs(folder)).type);
}

/** @returns how to read the files of a folder. @throws Error of the filesystem */
export async function callsFor(folder: string): Promise<Calls> {
  return (await isRemote(folder)) ? IN_THREADS : HERE;
}
