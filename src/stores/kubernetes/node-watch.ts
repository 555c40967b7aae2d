/**
 * All Node objects of a cluster, listed once and then watched, for as long as it takes:
 *
 *   list ──→ watch from its resourceVersion ──→ the server ends it (5 to 10 minutes), or it breaks ──→ watch again from
 *     ↑                                                                                                  the last one
 *     └────── 410: that version is forgotten; or nothing else has helped ←───────────────────────────────┘
 *
 * Bookmarks carry the version on where nothing happens. A break says nothing of nodes: they are there until the server
 * says that they are gone, in an event or in a list without them. A version is a text and never compared.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Annotations, fieldsOf, type NodeFacts } from "./annotations.ts";
import type { ApiClient } from "./client.ts";
import { type ApiError, failure, refusal } from "./errors.ts";
import { LineReader } from "./line-reader.ts";
import { ListReader } from "./list-reader.ts";

/** Nodes in one page of a list; upstream's. */
const PAGE = 500;
/**
 * Watches that begin and break at once, in a row, after which a new list is made. Not after other failures: when a server
 * comes back, thousands of nodes would ask it for everything.
 */
const RELIST_AFTER = 3;

/** Milliseconds, but where it says otherwise. */
export interface WatchTimes {
  /** Seconds after which the server is asked to end a watch; up to twice as much, so that nodes do it at different times. */
  readonly watchSeconds: number;
  /** Without a byte for so long a watch is begun anew: bookmarks come each minute, and kubelets say something more often. */
  readonly silence: number;
  /** How long a watch has to be open to be believed. */
  readonly settled: number;
  /** From the first pause after a failure to the longest. */
  readonly pause: readonly [number, number];
}

export const WATCH_TIMES: WatchTimes = {
  watchSeconds: 300,
  silence: 150_000,
  settled: 1000,
  pause: [100, 5000],
};

/** Who hears of the nodes. */
export interface NodeListener {
  /** All that there are. */
  all(nodes: readonly NodeFacts[]): void;
  /** A node is new, or another than it was. */
  node(node: NodeFacts): void;
  gone(name: string): void;
  /** The server cannot be heard (why), or can again. */
  trouble(reason: string | null): void;
}

const LIST = { verb: "list", resource: "nodes", name: null } as const;
const WATCH = { verb: "watch", resource: "nodes", name: null } as const;

export class NodeWatch {
  readonly #client: () => Promise<ApiClient>;
  readonly #annotations: Annotations;
  readonly #listener: NodeListener;
  readonly #times: WatchTimes;
  readonly #ending = new AbortController();
  #version: string | null = null;
  /** In a row. */
  #failures = 0;
  /** Those of watches that had begun. In a row, too. */
  #breaks = 0;
  #isTroubled = false;

  constructor(
    client: () => Promise<ApiClient>,
    annotations: Annotations,
    listener: NodeListener,
    times: WatchTimes,
  ) {
    this.#client = client;
    this.#annotations = annotations;
    this.#listener = listener;
    this.#times = times;
  }

  /** Runs until `close`. Never rejects. */
  async run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        const client = await this.#client();
        if (this.#version === null) await this.#list(client);
        await this.#watch(client);
      } catch (error) {
        await this.#failed(error as Error);
      }
    }
  }

  close(): void {
    this.#ending.abort();
  }

  async #failed(error: Error): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#failures++;
    const { status = 0, retryAfter = 0, remedy = "" } = error as Partial<ApiError>;
    const isBreak = error instanceof Broken;
    if (isBreak) this.#breaks++;
    // 410: gone; 400: no version of this server's; 504: it is before it (etcd's backup was played back).
    const isForgotten = status === 410 || status === 400 || status === 504;
    if (isForgotten || this.#breaks >= RELIST_AFTER) this.#version = null;
    // One break is nothing: the next request tells whether the server is there.
    const isNews = isBreak ? this.#failures > 1 : status !== 410;
    if (isNews && !this.#isTroubled) {
      this.#isTroubled = true;
      this.#listener.trouble(remedy === "" ? error.message : `${error.message}; ${remedy}`);
    }
    const [least, most] = this.#times.pause;
    const pause = Math.min(most, least * 2 ** Math.min(this.#failures - 1, 16));
    const wait = Math.max(pause, retryAfter) * (1 + Math.random() / 2);
    await sleep(wait, undefined, { signal: this.#ending.signal }).catch(() => {});
  }

  /** The server has been heard as it should be. */
  #fine(): void {
    this.#failures = 0;
    this.#breaks = 0;
    if (!this.#isTroubled || this.#ending.signal.aborted) return;
    this.#isTroubled = false;
    this.#listener.trouble(null);
  }

  async #list(client: ApiClient): Promise<void> {
    const nodes: NodeFacts[] = [];
    let next = "";
    let version = "";
    do {
      const page = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
      const reader = new ListReader((item) => {
        const node = this.#annotations.facts(item);
        if (node !== null) nodes.push(node);
      });
      const path = `/api/v1/nodes?limit=${PAGE}${page}`;
      await client.stream({ asked: LIST, path }, () => reader);
      ({ next, version } = pageOf(client, reader));
    } while (next !== "");
    if (this.#ending.signal.aborted) return;
    this.#version = version;
    this.#listener.all(nodes);
  }

  async #watch(client: ApiClient): Promise<void> {
    const { watchSeconds, silence, settled } = this.#times;
    const seconds = Math.round(watchSeconds * (1 + Math.random()));
    const version = encodeURIComponent(this.#version ?? "");
    const path = `/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${version}`;
    let isBegun = false;
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
      this.#fine();
    };
    let settling: NodeJS.Timeout | undefined;
    try {
      await client.stream({ asked: WATCH, path, silence }, () => {
        isBegun = true;
        settling = setTimeout(settle, settled);
        return new LineReader((line) => {
          this.#event(client, line);
          if (!isSettled) settle();
        });
      });
      // A server that ends each watch at once would be asked without end.
      if (!isSettled) throw new Error(`${client.server} ends watches as soon as they begin`);
    } catch (error) {
      throw isBegun ? new Broken(error as Error) : error;
    } finally {
      clearTimeout(settling);
    }
  }

  /** @throws Error where the line is none of a watch's, or says that it has failed */
  #event(client: ApiClient, line: string): void {
    let event: Readonly<Record<string, unknown>>;
    try {
      event = fieldsOf(JSON.parse(line));
    } catch {
      throw failure(client.server, new Error("a line of its watch is no JSON"));
    }
    const { type, object } = event;
    if (type === "ERROR") {
      const { code } = fieldsOf(object);
      throw refusal(WATCH, client.server, typeof code === "number" ? code : 500, JSON.stringify(object));
    }
    const { resourceVersion } = fieldsOf(fieldsOf(object).metadata);
    if (this.#ending.signal.aborted) return;
    if (type !== "BOOKMARK") this.#tell(client, type, object);
    if (typeof resourceVersion === "string" && resourceVersion !== "") this.#version = resourceVersion;
  }

  #tell(client: ApiClient, type: unknown, object: unknown): void {
    const node = this.#annotations.facts(object);
    if (node === null) throw failure(client.server, new Error("a line of its watch is about no node"));
    if (type === "ADDED" || type === "MODIFIED") this.#listener.node(node);
    else if (type === "DELETED") this.#listener.gone(node.name);
    else throw failure(client.server, new Error(`its watch has an event ${JSON.stringify(type)}`));
  }
}

/** A watch ended otherwise than it should. */
class Broken extends Error {
  readonly status: number;
  readonly retryAfter: number;
  readonly remedy: string;

  constructor(cause: Error) {
    super(cause.message, { cause });
    const { status = 0, retryAfter = 0, remedy = "" } = cause as Partial<ApiError>;
    this.status = status;
    this.retryAfter = retryAfter;
    this.remedy = remedy;
  }
}

/** @returns where the next page begins, and the version of the whole list */
function pageOf(client: ApiClient, reader: ListReader): { next: string; version: string } {
  try {
    const metadata = fieldsOf(fieldsOf(reader.end()).metadata);
    const { continue: next = "", resourceVersion: version } = metadata;
    if (typeof next === "string" && typeof version === "string") return { next, version };
  } catch {
    // Said below.
  }
  throw failure(client.server, new Error("its list of nodes is none"));
}
