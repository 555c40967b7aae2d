/**
 * Asks a running agent over its Unix socket. One connection per request, a deadline for the whole of it, and errors
 * that say what to do next.
 */
import { type IncomingMessage, request } from "node:http";
import type { FdbChange, FdbRow, NeighbourChange } from "../../dataplane/options.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";
import type { Level } from "../logging/formats.ts";
import type { AgentEvent, OfDevice, OverlayChoice, PacketNews, Topic } from "./agent-view.ts";
import type {
  ErrorAnswer,
  FdbAnswer,
  FdbReasonJson,
  FlushAnswer,
  LeaseAnswer,
  LogLevelAnswer,
  NeighbourAnswer,
  PlanAnswer,
  ReconcileAnswer,
  StatsAnswer,
  WhyAnswer,
} from "./answers.ts";
import type { LeaseStatus } from "./cluster-types.ts";
import { DEFAULT_SOCKET } from "./schema.ts";
import type { AgentStatus } from "./status-types.ts";

/** Milliseconds for a request, from the connection to the last byte of the answer. */
export const DEFAULT_TIMEOUT = 5000;

export type ApiClientErrorCode = "AGENT_NOT_RUNNING" | "PERMISSION" | "TIMEOUT" | "REFUSED" | "BAD_ANSWER";

/** What a script sees, for each way a request can fail. */
const EXIT_CODES: Record<ApiClientErrorCode, number> = {
  AGENT_NOT_RUNNING: 3,
  PERMISSION: 4,
  TIMEOUT: 5,
  REFUSED: 1,
  BAD_ANSWER: 1,
};

/** A request that came to nothing. */
export class ApiClientError extends Error {
  readonly code: ApiClientErrorCode;
  readonly remedy: string | null;
  /** What the process should exit with. */
  readonly exitCode: number;
  /** For `REFUSED`: the code that the agent gave ("ROW_EXISTS", …). */
  readonly reason: string | null;

  constructor(
    code: ApiClientErrorCode,
    message: string,
    options: { remedy?: string | null; cause?: unknown; reason?: string; exitCode?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "ApiClientError";
    this.code = code;
    this.remedy = options.remedy ?? null;
    this.reason = options.reason ?? null;
    this.exitCode = options.exitCode ?? EXIT_CODES[code];
  }
}

export class ApiClient {
  readonly path: string;
  readonly #timeout: number;

  /**
   * @param path the agent's socket
   * @param timeout milliseconds for a whole request
   */
  constructor(path: string = DEFAULT_SOCKET, timeout: number = DEFAULT_TIMEOUT) {
    this.path = path;
    this.#timeout = timeout;
  }

  status(): Promise<AgentStatus> {
    return this.#ask("GET", "/v1/status");
  }

  /** What /readyz says. @returns why it is not ready, a sentence each; nothing where it is. @throws ApiClientError */
  async notReady(): Promise<readonly string[]> {
    const { status, text } = await this.#exchange("GET", "/readyz", null);
    if (status === 200) return [];
    if (status === 503) return text.split("\n").slice(1);
    throw this.#badAnswer(`GET /readyz was answered with ${status}`);
  }

  stats(choice?: OverlayChoice): Promise<StatsAnswer> {
    return this.#ask("GET", withChoice("/v1/stats", choice));
  }

  async fdb(choice?: OverlayChoice): Promise<readonly OfDevice<FdbRow>[]> {
    return (await this.#ask<FdbAnswer>("GET", withChoice("/v1/fdb", choice))).rows;
  }

  async why(mac: string, choice?: OverlayChoice): Promise<readonly FdbReasonJson[]> {
    const url = withChoice(`/v1/fdb/why?mac=${encodeURIComponent(mac)}`, choice);
    return (await this.#ask<WhyAnswer>("GET", url)).reasons;
  }

  /** @returns how many learned rows are gone */
  async flushFdb(choice?: OverlayChoice): Promise<number> {
    return (await this.#ask<FlushAnswer>("POST", withChoice("/v1/fdb/flush", choice))).flushed;
  }

  async changeFdb(change: FdbChange, choice?: OverlayChoice): Promise<void> {
    await this.#ask("POST", withChoice("/v1/fdb", choice), change);
  }

  /** The leases of the flannel cluster. @throws ApiClientError, `REFUSED` where the agent is in none */
  async leases(): Promise<readonly LeaseStatus[]> {
    return (await this.#ask<LeaseAnswer>("GET", "/v1/leases")).leases;
  }

  async neighbours(choice?: OverlayChoice): Promise<readonly OfDevice<Neighbour>[]> {
    return (await this.#ask<NeighbourAnswer>("GET", withChoice("/v1/neigh", choice))).rows;
  }

  async changeNeighbour(change: NeighbourChange, choice?: OverlayChoice): Promise<void> {
    await this.#ask("POST", withChoice("/v1/neigh", choice), change);
  }

  /** @returns what the next comparison would change, a step each */
  async plan(): Promise<readonly string[]> {
    return (await this.#ask<PlanAnswer>("GET", "/v1/plan")).steps;
  }

  /** Has the agent compare now. @returns how many rows it changed */
  async reconcile(): Promise<number> {
    return (await this.#ask<ReconcileAnswer>("POST", "/v1/reconcile")).changed;
  }

  /** How much the agent logs. */
  async logLevel(): Promise<Level> {
    return (await this.#ask<LogLevelAnswer>("GET", "/v1/log-level")).level;
  }

  /** Changes it until the agent's next reload. @returns what it is now */
  async setLogLevel(level: Level): Promise<Level> {
    return (await this.#ask<LogLevelAnswer>("POST", "/v1/log-level", { level })).level;
  }

  /**
   * What happens from now on about some topics, until the agent ends or `signal` says so. Resolves once the agent tells
   * everything.
   * @throws ApiClientError
   */
  async events(
    signal?: AbortSignal,
    topics: readonly Exclude<Topic, "packets">[] = ["misses"],
  ): Promise<AsyncIterable<AgentEvent>> {
    return this.#events(topics, signal);
  }

  /** The packets that pass from now on, as `events`. @throws ApiClientError */
  async packets(signal?: AbortSignal): Promise<AsyncIterable<PacketNews>> {
    return this.#events(["packets"], signal);
  }

  async #events<T>(topics: readonly Topic[], signal?: AbortSignal): Promise<AsyncIterable<T>> {
    const response = await this.#open(`/v1/events?about=${topics.join()}`, signal);
    if (response.statusCode === 200) return eventsOf(response);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return this.#answer("GET", "/v1/events", response.statusCode ?? 0, text);
  }

  /** @throws ApiClientError */
  async #ask<T>(method: string, url: string, body?: unknown): Promise<T> {
    const { status, text } = await this.#exchange(
      method,
      url,
      body === undefined ? null : JSON.stringify(body),
    );
    return this.#answer(method, url, status, text);
  }

  /** @throws ApiClientError */
  #answer<T>(method: string, url: string, status: number, text: string): T {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (cause) {
      throw this.#badAnswer(`${method} ${url} was answered with ${status} and no JSON`, cause);
    }
    if (status < 400) return answer as T;
    const error = (answer as Partial<ErrorAnswer> | null)?.error;
    if (typeof error?.message !== "string")
      throw this.#badAnswer(`${method} ${url} was answered with ${status}`);
    throw new ApiClientError("REFUSED", error.message, {
      remedy: error.remedy,
      reason: error.code,
      // 400: the words were wrong, so the command line was.
      exitCode: status === 400 ? 2 : 1,
    });
  }

  #exchange(method: string, url: string, body: string | null): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = body === null ? {} : { "content-type": "application/json" };
      const req = request(
        {
          socketPath: this.path,
          path: url,
          method,
          headers,
          agent: false,
          signal: AbortSignal.timeout(this.#timeout),
        },
        (res) => {
          let text = "";
          res.setEncoding("utf8");
          res.on("data", (chunk: string) => {
            text += chunk;
          });
          res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
          res.on("error", (error) => reject(this.#forPeople(error)));
        },
      );
      req.on("error", (error) => reject(this.#forPeople(error)));
      req.end(body ?? undefined);
    });
  }

  /** Asks, and waits for the head of the answer only. */
  #open(url: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), this.#timeout);
      const ends = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
      const req = request({ socketPath: this.path, path: url, agent: false, signal: ends }, (res) => {
        clearTimeout(timer);
        resolve(res);
      });
      req.on("error", (error) => {
        clearTimeout(timer);
        reject(this.#forPeople(error));
      });
      req.end();
    });
  }

  #forPeople(cause: NodeJS.ErrnoException): ApiClientError {
    switch (cause.name === "TimeoutError" || cause.code === "ABORT_ERR" ? "TIMEOUT" : cause.code) {
      case "ENOENT":
        return this.#notRunning(`there is no socket at ${this.path}`, cause);
      case "ECONNREFUSED":
        return this.#notRunning(`nobody listens on ${this.path} any more`, cause);
      case "ENOTSOCK":
      case "ENOTDIR":
        return this.#notRunning(`${this.path} is no socket`, cause);
      case "EAGAIN":
        return new ApiClientError("TIMEOUT", "the agent takes no more connections: its queue is full", {
          remedy: "it may be stopped or overloaded: look at its log, and at `ps` for state T",
          cause,
        });
      case "EACCES":
      case "EPERM":
        return new ApiClientError("PERMISSION", `not allowed to open ${this.path}: it is its owner's alone`, {
          remedy: "run this as the user who runs the agent, root as a rule: `sudo poplin …`",
          cause,
        });
      case "TIMEOUT":
        return new ApiClientError("TIMEOUT", `the agent did not answer within ${this.#timeout / 1000} s`, {
          remedy: "it may be stopped or overloaded: look at its log, and at `ps` for state T",
          cause,
        });
      default:
        return this.#badAnswer(`the connection to the agent broke: ${cause.message}`, cause);
    }
  }

  #notRunning(why: string, cause: unknown): ApiClientError {
    return new ApiClientError("AGENT_NOT_RUNNING", `no agent is running here: ${why}`, {
      remedy:
        "start one with `poplin agent --config FILE`, or name its socket with --socket or POPLIN_SOCKET",
      cause,
    });
  }

  #badAnswer(message: string, cause?: unknown): ApiClientError {
    return new ApiClientError("BAD_ANSWER", message, {
      remedy: `is it a poplin agent of this version that listens on ${this.path}?`,
      cause,
    });
  }
}

/** @returns the URL that asks for the overlays that are meant; for all of them, or the only one, where none is named */
function withChoice(url: string, { vni, dev }: OverlayChoice = {}): string {
  const words = [
    ...(vni === undefined ? [] : [`vni=${vni}`]),
    ...(dev === undefined ? [] : [`dev=${encodeURIComponent(dev)}`]),
  ];
  return words.length === 0 ? url : `${url}${url.includes("?") ? "&" : "?"}${words.join("&")}`;
}

/** The lines of a stream, each an event. Its end ends them, whoever brought it about. */
function eventsOf<T>(response: IncomingMessage): AsyncIterable<T> {
  response.on("error", () => {}); // also when nobody has begun to read
  return linesOf<T>(response);
}

async function* linesOf<T>(response: IncomingMessage): AsyncGenerator<T> {
  let rest = "";
  try {
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as T;
    }
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException;
    if (name !== "AbortError" && code !== "ECONNRESET") throw error;
  } finally {
    response.destroy();
  }
}
