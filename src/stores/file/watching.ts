/**
 * Tells of the leases in the folder. inotify hints at changes that are made on this machine; those made elsewhere are found
 * by a look each second, which costs one `stat` while the folder is the same.
 *
 *   look   stat the folder → the same, and certain: done
 *          → list it, stat each file, read those that are new → differences → the watcher
 *
 * A folder that is gone says nothing of the leases: none is removed because a share is away.
 *
 * Limits: each change costs every node a `stat` per lease, which is for some hundred nodes. NFS keeps a folder's attributes
 * for up to a minute (acdirmax): mount it with `actimeo=1` where the others should hear sooner.
 */
import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { LeaseMirror } from "../../control/flannel/mirror.ts";
import type { NodeLease } from "../../control/flannel/node-lease.ts";
import { Poller } from "../poller.ts";
import type { Watcher } from "../store.ts";
import { isRemote } from "./calls.ts";
import type { Directory } from "./directory.ts";
import { type Entries, isSettled, NO_ENTRIES, readEntries, TICK } from "./leases.ts";
import { stampOf } from "./small-file.ts";

/** Milliseconds between two looks. */
const LOOK_EVERY = 1000;
/** Milliseconds after a hint until we look: changes come in crowds. */
const GATHER = 30;
/** Milliseconds after which a share that does not answer counts as gone: NFS waits for its server for ever. */
const PATIENCE = 10_000;
/** Milliseconds until all files are looked at even so: one that is written in place leaves its folder the same. */
const LOOK_AT_ALL_EVERY = 30_000;

/** Tells a watcher of the leases in a directory, from now until it is closed. */
export class LeaseWatch {
  readonly #directory: Directory;
  readonly #watcher: Watcher;
  readonly #looked: (leases: ReadonlyMap<string, NodeLease> | null) => void;
  readonly #poller = new Poller(() => this.#look());
  readonly #mirror = new LeaseMirror();
  #entries: Entries = NO_ENTRIES;
  /** The folder as it was, when that was first seen, and whether it was read late enough after that. */
  #stamp = "";
  #changedAt = 0;
  #certain = false;
  #hinted = false;
  #allAt = 0;
  /** Whether all there is has been told, and whether the last thing told is that the share has gone. */
  #told = false;
  #lost = false;
  #listener: FSWatcher | null = null;
  /** The folder that it listens to: another one with the same name is not heard. */
  #listensTo = "";
  #closed = false;

  /** @param looked hears of all leases after the first look and each that found differences, and of null when the folder has gone */
  constructor(
    directory: Directory,
    watcher: Watcher,
    looked: (leases: ReadonlyMap<string, NodeLease> | null) => void,
  ) {
    this.#directory = directory;
    this.#watcher = watcher;
    this.#looked = looked;
    this.#poller.within(0);
  }

  close(): void {
    this.#closed = true;
    this.#poller.close();
    this.#deafen();
  }

  async #look(): Promise<number> {
    const before = await this.#readInTime();
    // Not where errors are taken for the share's: one of the watcher's is a mistake of ours.
    if (before !== null && !this.#closed) this.#tell(before);
    return LOOK_EVERY;
  }

  /** As `#read`; null also where it failed, which is told. */
  async #readInTime(): Promise<Entries | null> {
    const late = setTimeout(() => this.#lose(`${this.#directory.path} does not answer`), PATIENCE);
    try {
      return await this.#read();
    } catch (error) {
      const isNew = !this.#lost;
      this.#deafen();
      this.#stamp = "";
      this.#lose((error as Error).message);
      if (isNew && !this.#closed) this.#looked(null);
      return null;
    } finally {
      clearTimeout(late);
    }
  }

  #lose(trouble: string): void {
    if (this.#closed || this.#lost) return;
    this.#lost = true;
    this.#watcher.heard(trouble);
  }

  /** @returns what there was before; null where it is the same folder still, and nothing was lost */
  async #read(): Promise<Entries | null> {
    const now = performance.now();
    const { folder, stamp } = await this.#about();
    if (stamp !== this.#stamp) this.#doubt(now);
    if (this.#certain && !this.#hinted && !this.#lost && now < this.#allAt) return null;
    this.#hinted = false;
    await this.#listen(folder);
    const before = this.#entries;
    const entries = await readEntries(this.#directory, before);
    await this.#directory.check();
    if ((await this.#about()).folder !== folder) throw new Error(`${this.#directory.leases} was exchanged`);
    this.#certain = now - this.#changedAt >= TICK && [...entries.values()].every(isSettled);
    if (differ(before, entries)) this.#doubt(now);
    this.#stamp = stamp;
    this.#allAt = now + LOOK_AT_ALL_EVERY;
    this.#entries = entries;
    return before;
  }

  #doubt(now: number): void {
    this.#changedAt = now;
    this.#certain = false;
  }

  async #about(): Promise<{ folder: string; stamp: string }> {
    const about = await stat(this.#directory.leases, { bigint: true });
    return { folder: `${about.dev}:${about.ino}`, stamp: stampOf(about) };
  }

  #tell(before: Entries): void {
    if (this.#lost) this.#watcher.heard(null);
    this.#lost = false;
    const leases = [...this.#entries.values()].map(({ lease }) => lease).filter((lease) => lease !== null);
    const changes = this.#mirror.replaceAll(leases);
    const isNews = changes.length > 0 || !this.#told;
    if (isNews) this.#watcher.changed(changes);
    this.#told = true;
    for (const key of new Set([...before.keys(), ...this.#entries.keys()])) {
      const reason = this.#entries.get(key)?.reason ?? null;
      if (reason !== (before.get(key)?.reason ?? null)) this.#watcher.bad(key, reason);
    }
    if (isNews) this.#looked(this.#mirror.leases);
  }

  /** Has inotify tell of this folder. A look that is due anyway finds what it does not tell. */
  async #listen(folder: string): Promise<void> {
    if (this.#listensTo === folder) return;
    this.#deafen();
    if ((await isRemote(this.#directory.leases)) || this.#closed) return;
    this.#listensTo = folder;
    try {
      this.#listener = watch(this.#directory.leases, () => {
        this.#hinted = true;
        this.#poller.within(GATHER);
      }).on("error", () => this.#deafen());
    } catch {
      // No more inotify instances for this user (ENOSPC, EMFILE).
    }
  }

  #deafen(): void {
    this.#listener?.close();
    this.#listener = null;
    this.#listensTo = "";
  }
}

function differ(before: Entries, after: Entries): boolean {
  if (before.size !== after.size) return true;
  for (const [key, { stamp }] of after) if (before.get(key)?.stamp !== stamp) return true;
  return false;
}
