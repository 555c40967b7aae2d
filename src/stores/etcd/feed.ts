/**
 * What happens to the leases, in order and without gaps:
 *
 *   list at revision R → watch from R+1 ── a break ──→ watch from where it ended
 *     ↑                                                   │
 *     └── etcd has forgotten that revision (compaction), ─┘
 *         or is not where it was (another cluster, an older backup)
 *
 * A list only tells the differences, so a listener hears the same on either way. While etcd is away nothing is told:
 * leases do not end because we cannot hear.
 *
 * An etcd that hangs looks like one where nothing happens. So it is asked for next to nothing now and then.
 */
import type { IWatchResponse } from "etcd3";
import { type LeaseChange, LeaseMirror } from "../../control/flannel/mirror.ts";
import type { Watcher } from "../store.ts";
import type { EtcdClient, EtcdWatch } from "./client.ts";
import type { BadEntry, Entry } from "./entry.ts";
import { Compacted } from "./errors.ts";
import type { EtcdTimings } from "./options.ts";
import type { Registry } from "./registry.ts";

/** Tells watchers of leases until it is closed. */
export class Feed {
  readonly #client: EtcdClient;
  readonly #registry: Registry;
  readonly #timings: EtcdTimings;
  readonly #mirror = new LeaseMirror();
  readonly #bad = new Map<string, string>();
  readonly #watchers = new Set<Watcher>();
  /** The last change that we have heard of; null: all has to be listed. */
  #revision: bigint | null = null;
  #cluster = "";
  /** Whether all there is was told once. */
  #complete = false;
  #trouble: string | null = null;
  /** Whether the watch was heard. When it breaks off there is no trouble yet: another endpoint may go on with it. */
  #open = false;
  #running = false;
  #closed = false;
  /** Ends what we wait for at this moment: a while, or the end of the watch. */
  #interrupt: () => void = () => {};

  constructor(client: EtcdClient, registry: Registry, timings: EtcdTimings) {
    this.#client = client;
    this.#registry = registry;
    this.#timings = timings;
  }

  /** Tells a watcher of all there is, and of what happens from then on. @param watcher throws nothing */
  add(watcher: Watcher): void {
    if (this.#trouble !== null) watcher.heard(this.#trouble);
    for (const [key, reason] of this.#bad) watcher.bad(key, reason);
    if (this.#complete) {
      watcher.changed([...this.#mirror.leases.values()].map((lease) => ({ kind: "added", lease })));
    }
    this.#watchers.add(watcher);
    if (!this.#running) void this.#run();
    this.#running = true;
  }

  /** Tells nothing from now on. */
  close(): void {
    this.#closed = true;
    this.#interrupt();
    this.#watchers.clear();
  }

  async #run(): Promise<void> {
    const { backoffFirst, backoffMost } = this.#timings;
    let wait = backoffFirst;
    while (!this.#closed) {
      const since = performance.now();
      try {
        await this.#catchUp();
        await this.#follow();
      } catch (error) {
        if (this.#closed) return;
        if (error instanceof Compacted) this.#revision = null;
        else if (this.#open) this.#open = false;
        else this.#setTrouble((error as Error).message);
      }
      // What held for a while begins anew; what breaks at once waits longer each time.
      wait = performance.now() - since > backoffMost ? backoffFirst : wait;
      await this.#sleep(wait * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, backoffMost);
    }
  }

  /** Lists where the watch cannot go on from what we know. */
  async #catchUp(): Promise<void> {
    if (this.#revision !== null && (await this.#isContinuous())) return;
    const { entries, bad, revision, cluster } = await this.#registry.list();
    if (this.#closed) return;
    this.#revision = revision;
    this.#cluster = cluster;
    const keys = new Set(bad.map(({ key }) => key));
    for (const key of [...this.#bad.keys()]) if (!keys.has(key)) this.#setBad(key, null);
    for (const { key, reason } of bad) this.#setBad(key, reason);
    const changes = this.#mirror.replaceAll(entries.map(({ lease }) => lease));
    this.#tell(changes, !this.#complete);
    this.#complete = true;
  }

  /** Whether etcd is the one that we have heard, and not behind of what it said. */
  async #isContinuous(): Promise<boolean> {
    const known = this.#revision;
    const { cluster, revision } = await this.#registry.look();
    return known !== null && cluster === this.#cluster && revision >= known;
  }

  /** Watches until that ends. @throws StoreError, Compacted */
  #follow(): Promise<void> {
    this.#open = false;
    return new Promise((resolve, reject) => {
      let watch: EtcdWatch | null = null;
      let looking: NodeJS.Timeout | undefined;
      let over = false;
      const end = (error: unknown): void => {
        if (over) return;
        over = true;
        clearTimeout(looking);
        this.#interrupt = () => {};
        watch?.close();
        if (error === null) resolve();
        else reject(error);
      };
      const look = async (): Promise<void> => {
        try {
          if (await this.#isContinuous()) looking = over ? undefined : setTimeout(look, this.#timings.look);
          else {
            this.#revision = null;
            end(null);
          }
        } catch (error) {
          // All endpoints were asked.
          this.#open = false;
          end(error);
        }
      };
      this.#interrupt = () => end(null);
      const listener = {
        response: (response: IWatchResponse) => {
          try {
            this.#hear(response);
          } catch (error) {
            end(error);
          }
        },
        ended: end,
      };
      this.#openWatch(listener).then((opened) => {
        watch = opened;
        if (over) watch.close();
        else looking = setTimeout(look, this.#timings.look);
      }, end);
    });
  }

  #openWatch(listener: Parameters<EtcdClient["watch"]>[1]): Promise<EtcdWatch> {
    const start = ((this.#revision ?? 0n) + 1n).toString();
    return this.#client.watch(
      { ...this.#registry.range, start_revision: start, progress_notify: true },
      listener,
    );
  }

  /** @throws Compacted, Error where etcd ends the watch */
  #hear({ header, created, canceled, compact_revision, cancel_reason, events }: IWatchResponse): void {
    if (canceled) {
      if (compact_revision !== "0") throw new Compacted();
      throw new Error(
        `etcd at ${this.#client.endpoint} ended the watch: ${cancel_reason || "no reason given"}`,
      );
    }
    this.#open = true;
    this.#setTrouble(null);
    if (created) return;
    const changes: LeaseChange[] = [];
    for (const { type, kv } of events) {
      const change =
        type === "Delete" ? this.#gone(this.#registry.nameOf(kv.key)) : this.#put(this.#registry.read(kv));
      if (change !== null) changes.push(change);
    }
    // After a break etcd sends old changes in several messages, whose header says how far it is, and not they.
    const last = events.at(-1)?.kv.mod_revision ?? header.revision;
    this.#revision = BigInt(last);
    this.#tell(changes, false);
  }

  #put(entry: Entry | BadEntry): LeaseChange | null {
    if ("reason" in entry) {
      this.#setBad(entry.key, entry.reason);
      return this.#mirror.delete(entry.key);
    }
    this.#setBad(entry.lease.key, null);
    return this.#mirror.set(entry.lease);
  }

  #gone(key: string): LeaseChange | null {
    this.#setBad(key, null);
    return this.#mirror.delete(key);
  }

  #tell(changes: readonly LeaseChange[], always: boolean): void {
    if (changes.length === 0 && !always) return;
    this.#each((watcher) => watcher.changed(changes));
  }

  #setBad(key: string, reason: string | null): void {
    if ((this.#bad.get(key) ?? null) === reason) return;
    if (reason === null) this.#bad.delete(key);
    else this.#bad.set(key, reason);
    this.#each((watcher) => watcher.bad(key, reason));
  }

  #setTrouble(trouble: string | null): void {
    const said = this.#trouble !== null;
    this.#trouble = trouble;
    if (said === (trouble !== null)) return;
    this.#each((watcher) => watcher.heard(trouble));
  }

  #each(tell: (watcher: Watcher) => void): void {
    for (const watcher of this.#watchers) tell(watcher);
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#closed) this.#interrupt();
    });
  }
}
