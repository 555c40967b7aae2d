/**
 * The file store: a directory that all nodes see, for a lab or some hosts on shared storage. Nothing to install.
 *
 *   acquire   under the lock: remove what nobody renewed → choose (`control/flannel/choose.ts`) → link or rename
 *   keep      renew each hour: write the lease again; put it back where somebody removed it
 *   watch     `watching.ts`
 *
 * A lease lives for a day after its file was written (flannel's subnetTTL). Whoever acquires or renews removes those that
 * are older; to the watchers a lease is there for as long as its file is. What is no lease is nobody's to remove.
 */
import { join } from "node:path";
import { formatAttributes, type NodeLease } from "../../control/flannel/node-lease.ts";
import { type Meter, metered, NO_METER } from "../meter.ts";
import { inTheWay } from "../picked.ts";
import { Poller } from "../poller.ts";
import { sheltered } from "../sheltered.ts";
import {
  LeaseLost,
  type LeaseRequest,
  NO_HINTS,
  type NodeHints,
  type Store,
  StoreError,
  type Watcher,
} from "../store.ts";
import { acquireLease } from "./acquire.ts";
import { Directory, remove } from "./directory.ts";
import { claimsIn, endedIn, readEntries } from "./leases.ts";
import { isSame, isStill, lossOf } from "./own.ts";
import { lookAt, readSmall } from "./small-file.ts";
import { Turns } from "./turns.ts";
import { LeaseWatch } from "./watching.ts";

/** Milliseconds between two renewals. Files are cheap to write, so many may fail before the lease ends. */
const RENEW_EVERY = 3600_000;
/** Milliseconds until one that failed is tried again: flannel's minute. */
const RENEW_AGAIN = 60_000;
/** Milliseconds until a share that does not answer has failed. */
const PATIENCE = 30_000;
/** Milliseconds that the end of the store waits for it. */
const LAST_PATIENCE = 2_000;

export interface FileStoreOptions {
  readonly directory: string;
  /** Milliseconds, for tests; left out: an hour. */
  readonly renewEvery?: number;
  /** Told how long each operation took. */
  readonly meter?: Meter;
}

/** Leases as files in a directory. Nothing is opened until it is used; no directory is made but that of the leases. */
export class FileStore implements Store {
  readonly name: string;
  readonly subnets = "picked";
  readonly #directory: Directory;
  readonly #renewEvery: number;
  readonly #turns = new Turns();
  readonly #meter: Meter;
  #own: NodeLease | null = null;
  /** Whether our lease was not there at the last look: that may have been before somebody had us keep it. */
  #isMissed = false;
  #renewals: Poller | null = null;
  readonly #watches: LeaseWatch[] = [];

  constructor({ directory, renewEvery = RENEW_EVERY, meter = NO_METER }: FileStoreOptions) {
    this.#meter = meter;
    this.name = `the directory ${directory}`;
    this.#directory = new Directory(directory);
    this.#renewEvery = renewEvery;
  }

  async readNetConf(): Promise<string> {
    const { config, path } = this.#directory;
    const file = await this.#try("read-config", async () => {
      const about = await lookAt(config, "follow");
      return about === null ? null : readSmall(config, about, "follow");
    });
    if (file === null) {
      const conf = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
      const remedy = `see that the directory is mounted, or begin a network: mkdir -p ${path} && echo '${conf}' > ${config}`;
      throw new StoreError("STORE_NO_CONFIG", `there is no network configuration in ${config}`, remedy, true);
    }
    if (file.text === null) {
      throw new StoreError("STORE_BAD_CONFIG", `${config}: ${file.reason}`, "put net-conf.json there", true);
    }
    return file.text;
  }

  async readHints(): Promise<NodeHints> {
    return NO_HINTS;
  }

  acquire(request: LeaseRequest): Promise<NodeLease> {
    return this.#try("acquire", async () => {
      await this.#directory.prepare();
      return this.#directory.locked(async (now) => {
        this.#own = await acquireLease(this.#directory, request, this.#own, now);
        return this.#own;
      });
    });
  }

  keep(lost: (error: LeaseLost) => void, say: (line: string) => void): void {
    let trouble = false;
    const renewals = new Poller(async () => {
      try {
        const renew = () => this.#directory.locked((now) => this.#renew(now, say));
        await metered(this.#meter, "renew", () => this.#turns.take(renew, PATIENCE));
        if (trouble) say(`${this.name}: the lease is renewed again`);
        trouble = false;
        return this.#renewEvery;
      } catch (error) {
        if (this.#renewals !== renewals) return RENEW_AGAIN;
        if (error instanceof LeaseLost) {
          this.#stopKeeping();
          lost(error);
        } else {
          if (!trouble) say(`the lease could not be renewed: ${(error as Error).message}; it is tried again`);
          trouble = true;
        }
        return Math.min(this.#renewEvery, RENEW_AGAIN);
      }
    });
    renewals.within(this.#isMissed ? 0 : this.#renewEvery);
    this.#stopKeeping();
    this.#renewals = renewals;
  }

  #stopKeeping(): void {
    this.#renewals?.close();
    this.#renewals = null;
  }

  /** Under the lock. @throws LeaseLost */
  async #renew(now: number, say: (line: string) => void): Promise<void> {
    const own = this.#own;
    if (own === null || this.#renewals === null) return;
    await this.#directory.prepare();
    const entries = await readEntries(this.#directory);
    const there = entries.get(own.key)?.lease ?? null;
    if (there !== null && !isSame(own, there)) throw lossOf(own, there);
    if (there === null) {
      const other = inTheWay(own, claimsIn(entries.values()));
      if (other !== null) throw lossOf(own, other);
    }
    await this.#directory.replace(this.#pathOf(own.key), formatAttributes(own.attributes));
    if (there === null) say(`somebody removed or damaged our lease ${own.key}: put back`);
    for (const { key } of endedIn(entries, now)) if (key !== own.key) await remove(this.#pathOf(key));
    await this.#directory.sweep(now);
  }

  watch(watcher: Watcher): void {
    const looked = (leases: ReadonlyMap<string, NodeLease> | null): void => {
      // Also where the folder has gone: it may be the folder alone.
      const own = this.#own;
      this.#isMissed = own !== null && !isSame(own, leases?.get(own.key));
      if (this.#isMissed) this.#renewals?.within(0);
    };
    this.#watches.push(new LeaseWatch(this.#directory, sheltered(watcher), looked));
  }

  async announce(): Promise<void> {}

  async release(): Promise<void> {
    const own = this.#own;
    this.#own = null;
    this.#stopKeeping();
    if (own === null) return;
    await this.#try("release", () =>
      this.#directory.locked(async () => {
        const there = (await readEntries(this.#directory)).get(own.key);
        if (there !== undefined && isStill(own, there)) await remove(this.#pathOf(own.key));
      }),
    );
  }

  async close(): Promise<void> {
    this.#stopKeeping();
    for (const watch of this.#watches.splice(0)) watch.close();
    // What is under way holds the lock, and nobody else should have to wait until it is stale.
    await this.#turns.take(async () => {}, LAST_PATIENCE).catch(() => {});
  }

  #pathOf(key: string): string {
    return join(this.#directory.leases, key);
  }

  async #try<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await metered(this.#meter, operation, () => this.#turns.take(work, PATIENCE));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const remedy =
        "see that the directory is mounted, and that we may write to it and make hard links in it";
      // The same each time, or whoever tries again says it again: a temporary file has another name each time.
      const reason = (error as Error).message.replace(/\.tmp-[\w-]+/, ".tmp-…");
      const message = `${this.name}: ${reason}`;
      throw new StoreError("STORE_UNREACHABLE", message, remedy, true, error);
    }
  }
}
