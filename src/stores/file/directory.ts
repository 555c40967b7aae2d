/**
 * The directory of the file store: atomic changes of whole files, a lock for what needs several, and the time of day of
 * whoever keeps the files.
 *
 *   DIR/config              net-conf.json
 *   DIR/subnets/KEY         a lease: flannel's key is the name, flannel's value the content
 *   DIR/lock                who changes leases at this moment
 *   DIR/.tmp-…              what is not whole yet
 *
 * A file is written under another name and then linked (a new one: fails where there is one) or renamed (the next
 * version) to its place, so nobody ever reads half of one. Both are atomic on local filesystems and on NFS.
 *
 * Ages are the difference of two times that the filesystem wrote, never of one of ours: on shared storage they all come
 * from one clock, and what the nodes' clocks say does not matter.
 */
import { randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, lookAt, readSmall } from "./small-file.ts";

/** Milliseconds after which a lock is nobody's: what it is held for takes some ten, on a slow share some thousand. */
const STALE_LOCK = 15_000;
/** Milliseconds between two tries to get it: at least, and at most twice as long. */
const LOCK_RETRY = 20;
/** Milliseconds after which to get it has failed. */
const LOCK_TIMEOUT = 25_000;
/** Milliseconds after which a file that is not whole has been left behind by a process that died. */
const STALE_PART = 3600_000;
const PART = ".tmp-";

/** One node's view of the directory. */
export class Directory {
  readonly path: string;
  readonly config: string;
  /** Where the leases are. */
  readonly leases: string;
  readonly #id = randomBytes(6).toString("hex");
  #serial = 0;

  constructor(path: string) {
    this.path = path;
    this.config = join(path, "config");
    this.leases = join(path, "subnets");
  }

  /** Makes the folder of the leases where there is a configuration. @throws Error as `check` */
  async prepare(): Promise<void> {
    await this.check();
    await mkdir(this.leases, { mode: 0o755 }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
  }

  /**
   * Tells a share that is away from one that is empty: the directory it was mounted on is there still, and has no
   * configuration. @throws Error
   */
  async check(): Promise<void> {
    await stat(this.config).catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
      throw new Error(`${this.config} is gone: is the share mounted?`);
    });
  }

  /** @returns the names of what is there as a lease, or should be one */
  async names(): Promise<string[]> {
    return (await readdir(this.leases)).filter((name) => !name.startsWith("."));
  }

  /** Makes a file that is not there yet. @returns whether it was not, and the time by the filesystem's clock */
  async create(path: string, text: string, durable = true): Promise<{ made: boolean; now: number }> {
    const { part, now } = await this.#write(text, durable);
    try {
      await link(part, path);
      return { made: true, now };
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      // NFS sends a request again whose answer was lost, and then finds its own link.
      return { made: (await stat(part)).nlink > 1, now };
    } finally {
      await remove(part);
    }
  }

  /** Makes a file, or its next version. */
  async replace(path: string, text: string): Promise<void> {
    const { part } = await this.#write(text, true);
    try {
      await rename(part, path);
    } catch (error) {
      await remove(part);
      throw error;
    }
  }

  /**
   * Runs `work` while no other node does: unless we are stopped for so long that another takes us for dead.
   * @param work is told the time by the filesystem's clock, milliseconds
   * @throws Error when the lock cannot be had
   */
  async locked<T>(work: (now: number) => Promise<T>): Promise<T> {
    const path = join(this.path, "lock");
    const mine = `${this.#id}-${++this.#serial}`;
    const until = performance.now() + LOCK_TIMEOUT;
    for (;;) {
      const { made, now } = await this.create(path, mine, false);
      if (made) {
        try {
          return await work(now);
        } finally {
          // Not where somebody thought us dead and took it.
          if ((await textOf(path)) === mine) await remove(path);
        }
      }
      await this.#breakStale(path, now);
      if (performance.now() > until) throw new Error(`${path} is held by another node, again and again`);
      await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY * (1 + Math.random())));
    }
  }

  /** Removes what processes that died left half done. To be called under the lock. */
  async sweep(now: number): Promise<void> {
    for (const name of await readdir(this.path)) {
      if (!name.startsWith(PART)) continue;
      const path = join(this.path, name);
      const part = await lookAt(path);
      if (part !== null && now - part.writtenAt > STALE_PART) await remove(path);
    }
  }

  /** Whose holder has died, or was stopped: of several that see it, one moves it away. */
  async #breakStale(path: string, now: number): Promise<void> {
    const lock = await lookAt(path);
    if (lock === null || now - lock.writtenAt < STALE_LOCK) return;
    const holder = await textOf(path);
    const aside = this.#temporary();
    try {
      await rename(path, aside);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      throw error;
    }
    // Somebody was faster, and this is a lock of just now: back with it.
    if ((await textOf(aside)) !== holder) await link(aside, path).catch(() => {});
    await remove(aside);
  }

  /** @returns a whole file that is nobody's yet, and when it was written */
  async #write(text: string, durable: boolean): Promise<{ part: string; now: number }> {
    const part = this.#temporary();
    const file = await open(part, "wx", 0o644);
    try {
      await file.writeFile(text);
      // Or a power failure could leave a name without its content.
      if (durable) await file.sync();
      return { part, now: (await file.stat()).mtimeMs };
    } catch (error) {
      await remove(part);
      throw error;
    } finally {
      await file.close();
    }
  }

  #temporary(): string {
    return join(this.path, `${PART}${this.#id}-${++this.#serial}`);
  }
}

/** Removes a file that may be gone. */
export async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
}

async function textOf(path: string): Promise<string | null> {
  const about = await lookAt(path);
  return about === null ? null : ((await readSmall(path, about))?.text ?? null);
}
