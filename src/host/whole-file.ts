/** Files that others read while we write them: nobody ever reads half of one. */
import { type FileHandle, mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HostError } from "./command.ts";

/**
 * Writes a file as a whole: mode 0644, its directory 0755 where it has to be made. What a write that was cut off left
 * beside it goes with the next. Where a link leads to the file, the file is replaced, not the link.
 * @param flag that chooses the place, for the remedy: "--subnet-file"
 * @throws HostError `HOST_FILE`
 */
export async function writeWhole(path: string, text: string, flag: string): Promise<void> {
  try {
    await makeDirectory(dirname(path));
    await replace(await realpath(path).catch(() => path), text);
  } catch (error) {
    throw fileError(path, "written", flag, error);
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  // A umask of 077 is common for services, and the CNI plugin is not always root.
  const handle = await open(path, "r");
  await handle.chmod(0o755).finally(() => handle.close());
}

async function replace(target: string, text: string): Promise<void> {
  const whole = `${target}.tmp`;
  await rm(whole, { force: true });
  let handle: FileHandle | undefined;
  try {
    handle = await open(whole, "wx", 0o644);
    await handle.chmod(0o644);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await rename(whole, target);
  } catch (error) {
    await handle?.close().catch(() => {});
    await rm(whole, { force: true }).catch(() => {});
    throw error;
  }
}

/** FLAG stands for the flag that chooses the place. */
const REASONS: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  EROFS: ["the file system is read-only", "mount it writable, or choose another place with FLAG"],
  ENOSPC: ["no space is left there", "make room, or choose another place with FLAG"],
  EDQUOT: ["the quota there is used up", "make room, or choose another place with FLAG"],
  EACCES: ["permission denied", "run as root, or choose another place with FLAG"],
  EPERM: ["not permitted", "run as root, or choose another place with FLAG"],
  EISDIR: ["it is a directory", "remove it: a container runtime makes one where a file to mount is missing"],
  ENOTDIR: ["a part of the path is no directory", "choose another place with FLAG"],
  EBUSY: ["it is mounted by itself", "mount its directory instead: the file is replaced as a whole"],
};

/** What went wrong with a file, in words for people. @param flag that chooses its place */
export function fileError(path: string, what: "read" | "written", flag: string, error: unknown): HostError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const [why, remedy] = REASONS[code] ?? [message, ""];
  const text = `${path} cannot be ${what}: ${why}`;
  return new HostError("HOST_FILE", text, remedy.replace("FLAG", flag), error);
}
