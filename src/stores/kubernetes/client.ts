/**
 * Requests to an API server: HTTPS with what `access.ts` says, one JSON text back, or a stream of bytes. Each has an end:
 * a time within which the answer, or the next bytes of it, must come. Where the server does not know us, or we
 * do not know it, credentials are read anew and the request made once more: tokens and CAs are exchanged under way.
 */
import http from "node:http";
import https from "node:https";
import { type Meter, metered, NO_METER } from "../meter.ts";
import type { Access, Tls } from "./access.ts";
import { type ApiError, type Asked, failure, refusal } from "./errors.ts";

/** Milliseconds. */
export const PATIENCE = 30_000;
/** Seconds of silence after which TCP asks whether the other side is there. */
const KEEPALIVE = 30;
/** Bytes of an error's text that are read. */
const MOST_ERROR = 64 * 1024;
/** Bytes of one object: etcd's limit is 1.5 MB, and a Node has 20 kB. */
const MOST_OBJECT = 16 * 1024 * 1024;
/** Milliseconds for which a server's Retry-After is followed at most. */
const MOST_WAIT = 60_000;

export interface Request {
  readonly asked: Asked;
  readonly path: string;
  /** A strategic merge patch. */
  readonly patch?: unknown;
  /** Milliseconds within which the next bytes of a begun answer must come, where it is not the client's patience. */
  readonly silence?: number;
}

/** Takes an answer as it comes. What it throws ends the request. */
export interface Reader {
  data(chunk: Buffer): void;
}

export class ApiClient {
  /** "https://10.96.0.1:443", for messages. */
  readonly server: string;
  readonly #access: Access;
  readonly #patience: number;
  readonly #meter: Meter;
  readonly #open = new Set<http.ClientRequest>();
  #agent: { readonly tls: string; readonly agent: http.Agent } | null = null;
  #closed = false;

  /** @param patience milliseconds within which an answer begins, and goes on
   * @param meter told how long each took, watches apart */
  constructor(access: Access, patience: number = PATIENCE, meter: Meter = NO_METER) {
    this.#access = access;
    this.#meter = meter;
    this.#patience = patience;
    this.server = access.server.origin;
  }

  /** @returns the object of the answer. @throws ApiError */
  async json(request: Request): Promise<unknown> {
    const chunks: Buffer[] = [];
    let length = 0;
    await this.stream(request, () => ({
      data: (chunk) => {
        length += chunk.length;
        if (length > MOST_OBJECT) throw new Error(`its answer has more than ${MOST_OBJECT} bytes`);
        chunks.push(chunk);
      },
    }));
    try {
      return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
    } catch (error) {
      throw failure(this.server, new Error(`its answer is no JSON (${(error as Error).message})`));
    }
  }

  /**
   * Reads an answer piece by piece.
   * @param begun called when it begins
   * @returns when the answer has ended as it should. @throws ApiError
   */
  stream(request: Request, begun: () => Reader): Promise<void> {
    const { verb, resource } = request.asked;
    // How long a watch lasts is nobody's trouble.
    if (verb === "watch") return this.#stream(request, begun);
    return metered(this.#meter, `${verb} ${resource}`, () => this.#stream(request, begun));
  }

  async #stream(request: Request, begun: () => Reader): Promise<void> {
    try {
      await this.#once(request, begun);
    } catch (error) {
      const { status, code } = error as ApiError;
      // Without an answer only a certificate is a refusal.
      const isMistrust = status === 401 || (status === 0 && code === "STORE_REFUSED");
      if (isMistrust) this.#access.forget();
      else if (!stale.has(error as object)) throw error;
      await this.#once(request, begun);
    }
  }

  /**
   * Connects anew: the connections that there are may be silent for good. Requests without an answer are made again, and
   * of those whose answer has begun, as of watches, it is an error.
   */
  reconnect(): void {
    for (const request of this.#open) givenUp.add(request);
    this.#end(new Error("its connection was given up"));
  }

  /** Ends all requests; those who wait for them hear of it. */
  close(): void {
    this.#closed = true;
    this.#end(new Error("we are closing"));
  }

  #end(reason: Error): void {
    for (const request of this.#open) request.destroy(reason);
    this.#agent?.agent.destroy();
  }

  async #once(request: Request, begun: () => Reader): Promise<void> {
    const { tls, headers } = await this.#access.credentials();
    const { server } = this.#access;
    const body = request.patch === undefined ? undefined : JSON.stringify(request.patch);
    const options: https.RequestOptions = {
      agent: this.#agentFor(tls),
      method: body === undefined ? "GET" : "PATCH",
      hostname: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (server.protocol === "https:" ? 443 : 80),
      path: `${server.pathname.replace(/\/$/, "")}${request.path}`,
      headers: {
        accept: "application/json",
        "user-agent": "poplin",
        ...headers,
        ...(body === undefined ? {} : { "content-type": "application/strategic-merge-patch+json" }),
      },
    };
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(failure(this.server, new Error("we are closing")));
        return;
      }
      const sent = server.protocol === "https:" ? https.request(options) : http.request(options);
      this.#open.add(sent);
      const clock = new Patience(sent, this.#patience);
      let answered = false;
      const fail = (error: unknown): void => {
        const failed = failure(this.server, error);
        if ((sent.reusedSocket || givenUp.has(sent)) && !answered) stale.add(failed);
        reject(failed);
      };
      sent.on("error", fail);
      sent.on("close", () => {
        clock.stop();
        this.#open.delete(sent);
        fail(new Error("the connection was closed"));
      });
      sent.on("socket", (socket) => socket.setKeepAlive(true, KEEPALIVE * 1000));
      sent.on("response", (response) => {
        answered = true;
        clock.allow(request.silence ?? this.#patience);
        const reader = response.statusCode === 200 ? begun() : new ErrorText();
        response.on("data", (chunk: Buffer) => {
          clock.heard();
          try {
            reader.data(chunk);
          } catch (error) {
            fail(error);
            sent.destroy();
          }
        });
        response.on("error", fail);
        response.on("end", () => {
          if (reader instanceof ErrorText) fail(this.#refusal(request.asked, response, reader.text));
          else resolve();
        });
      });
      sent.end(body);
    });
  }

  #refusal(asked: Asked, { statusCode, headers }: http.IncomingMessage, text: string): ApiError {
    const seconds = Number(headers["retry-after"] ?? 0);
    const wait = seconds > 0 ? Math.min(seconds * 1000, MOST_WAIT) : 0;
    return refusal(asked, this.server, statusCode ?? 0, text, wait);
  }

  /** One for as long as CA and certificate are the same. */
  #agentFor(tls: Tls): http.Agent {
    const text = JSON.stringify(tls);
    if (this.#agent?.tls === text) return this.#agent.agent;
    // Not destroyed: what it still carries may end by itself.
    const { protocol } = this.#access.server;
    const agent =
      protocol === "https:"
        ? new https.Agent({ keepAlive: true, maxFreeSockets: 1, ...tls })
        : new http.Agent({ keepAlive: true, maxFreeSockets: 1 });
    this.#agent = { tls: text, agent };
    return agent;
  }
}

/** Requests over connections that were given up. Node does not always say in their errors what they were ended with. */
const givenUp = new WeakSet<http.ClientRequest>();

/** Errors of connections that had been lying idle, or were given up: they say nothing about the server. */
const stale = new WeakSet<object>();

/** Ends a request when nothing was heard for too long: a peer that lost its power says nothing. */
class Patience {
  readonly #request: http.ClientRequest;
  #timer: NodeJS.Timeout;

  constructor(request: http.ClientRequest, silence: number) {
    this.#request = request;
    this.#timer = this.#start(silence);
  }

  /** Begins anew. @param silence milliseconds */
  allow(silence: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start(silence);
  }

  heard(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #start(silence: number): NodeJS.Timeout {
    const text = `nothing was heard of it for ${silence / 1000} s`;
    return setTimeout(() => void this.#request.destroy(new Error(text)), silence);
  }
}

/** Collects the text of a refusal. */
class ErrorText {
  text = "";

  data(chunk: Buffer): void {
    if (this.text.length < MOST_ERROR) this.text += chunk.toString("utf8");
  }
}
