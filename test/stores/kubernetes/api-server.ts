/**
 * An API server for tests: what a node of flannel asks of Kubernetes, over HTTPS, with tokens, pages, versions, watches,
 * bookmarks and patches; and all the ways in which one fails, on demand. Its answers have the shape of those of a real
 * one: lists and Status objects, `410 Gone` as a status and as an event in a watch.
 */
import { once } from "node:events";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ServerCertificate } from "./certificates.ts";
import { type HistoryEvent, type Json, Objects } from "./objects.ts";

export type Verb = "get" | "list" | "watch" | "patch";

/** What is answered instead of what is asked. */
export interface Fault {
  /** Left out: every request. */
  readonly verb?: Verb;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Left out: a Status object with this status. */
  readonly body?: string;
  /** How often; left out: until `faults` is emptied. */
  times?: number;
}

export interface ApiServerOptions {
  readonly certificate: ServerCertificate;
  /** Whose certificates are as good as a token. */
  readonly clientCa?: string;
  /** As `kubectl proxy`: without TLS, and nobody is asked for a token. */
  readonly plain?: boolean;
  /** An address of this host; left out: 127.0.0.1. */
  readonly host?: string;
  /** Milliseconds between two bookmarks; 0: none. */
  readonly bookmarkEvery?: number;
  /** Milliseconds after which a watch ends, whatever is asked for. */
  readonly watchFor?: number;
}

/** A request, as a test looks at it. */
export interface Seen {
  readonly verb: Verb;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

interface OpenWatch {
  readonly response: ServerResponse;
  readonly bookmarks: NodeJS.Timeout | undefined;
}

export class ApiServer {
  readonly objects = new Objects();
  /** Who may ask. */
  readonly tokens = new Set(["token-1"]);
  readonly faults: Fault[] = [];
  readonly seen: Seen[] = [];
  /** Milliseconds before each answer. */
  slow = 0;
  /** Milliseconds between a patch and its answer: watches hear of it first. */
  slowPatch = 0;
  /** Says nothing any more, on old connections and new ones. */
  silent = false;
  /** Instead of events, watches get this line. */
  garbage: string | null = null;
  /** 410 comes as an event of a watch; otherwise as a status. */
  goneInWatch = true;
  port = 0;
  readonly #options: ApiServerOptions;
  readonly #sockets = new Set<Duplex>();
  readonly #watches = new Set<OpenWatch>();
  #server: Server | null = null;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.objects.onEvent = (event) => {
      for (const { response } of this.#watches) this.#event(response, event);
    };
  }

  get host(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  get url(): string {
    const host = this.host.includes(":") ? `[${this.host}]` : this.host;
    return `${this.#options.plain ? "http" : "https"}://${host}:${this.port}`;
  }

  /** How many watches are open. */
  get watches(): number {
    return this.#watches.size;
  }

  requests(verb: Verb): Seen[] {
    return this.seen.filter((one) => one.verb === verb);
  }

  /** Listens; again on the same port after `stop`. */
  async start(certificate = this.#options.certificate): Promise<this> {
    const { clientCa, plain } = this.#options;
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    const asked =
      clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ca: clientCa };
    const server = plain ? createPlainServer(answer) : createServer({ ...certificate, ...asked }, answer);
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.listen(this.port, this.host);
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Is down: connections break, new ones are refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const watch of this.#watches) this.#forget(watch);
    await closed;
  }

  /** Breaks the connections of all watches, after some bytes that are no whole line. */
  breakWatches(bytes = ""): void {
    for (const watch of this.#watches) {
      this.#forget(watch);
      if (bytes !== "") watch.response.write(bytes);
      // After the bytes have left.
      setImmediate(() => watch.response.socket?.destroySoon());
    }
  }

  /** Ends all watches as a server does when their time is over. */
  endWatches(): void {
    for (const watch of this.#watches) {
      this.#forget(watch);
      watch.response.end();
    }
  }

  /** Writes a line, or a part of one, to all watches. */
  write(text: string | Buffer): void {
    for (const { response } of this.#watches) response.write(text);
  }

  /** Tells all watches that they have failed. */
  error(code: number): void {
    this.write(`${JSON.stringify({ type: "ERROR", object: status(code) })}\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", this.url);
    const isWatch = url.searchParams.get("watch") === "true";
    const isAll = url.pathname === "/api/v1/nodes";
    const verb = request.method === "PATCH" ? "patch" : isWatch ? "watch" : isAll ? "list" : "get";
    const body = Buffer.concat(chunks).toString("utf8");
    const { pathname: path, searchParams: query } = url;
    const seen: Seen = { verb, path, query, headers: request.headers, body };
    this.seen.push(seen);
    if (this.slow > 0) await new Promise((resolve) => setTimeout(resolve, this.slow));
    if (this.silent) return;
    if (!this.#isKnown(request)) {
      send(response, 401, status(401));
      return;
    }
    const fault = this.faults.find((one) => one.verb === undefined || one.verb === verb);
    if (fault === undefined) this.#serve(seen, response);
    else this.#fail(fault, response);
  }

  #isKnown({ headers, socket }: IncomingMessage): boolean {
    const token = (headers.authorization ?? "").replace("Bearer ", "");
    return this.#options.plain === true || (socket as TLSSocket).authorized || this.tokens.has(token);
  }

  #fail(fault: Fault, response: ServerResponse): void {
    if (fault.times !== undefined && --fault.times <= 0) this.faults.splice(this.faults.indexOf(fault), 1);
    response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    response.end(fault.body ?? JSON.stringify(status(fault.status)));
  }

  #serve({ verb, path, query, headers, body }: Seen, response: ServerResponse): void {
    if (verb === "list") this.#list(query, response);
    else if (verb === "watch") this.#watch(query, response);
    else this.#one({ verb, path, headers, body }, response);
  }

  #one({ verb, path, headers, body }: Omit<Seen, "query">, response: ServerResponse): void {
    const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(path);
    const node = /^\/api\/v1\/nodes\/([^/]+?)(\/status)?$/.exec(path);
    if (pod !== null) {
      const nodeName = this.objects.pods.get(`${pod[1]}/${pod[2]}`);
      if (nodeName === undefined) send(response, 404, status(404));
      else send(response, 200, { kind: "Pod", apiVersion: "v1", spec: nodeName === "" ? {} : { nodeName } });
      return;
    }
    const name = decodeURIComponent(node?.[1] ?? "");
    const known = this.objects.nodes.get(name);
    if (known === undefined) send(response, 404, status(404));
    else if (verb === "get") send(response, 200, known);
    else if (node?.[2] === undefined) send(response, 403, status(403));
    else if (headers["content-type"] !== "application/strategic-merge-patch+json") {
      send(response, 415, status(415));
    } else {
      const patched = this.objects.patch(name, JSON.parse(body) as Json);
      setTimeout(() => send(response, 200, patched), this.slowPatch);
    }
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const limit = Number(query.get("limit") ?? 0) || Number.POSITIVE_INFINITY;
    const [version, after] = query.has("continue")
      ? (JSON.parse(Buffer.from(query.get("continue")!, "base64").toString()) as [number, string])
      : [this.objects.version, ""];
    if (version < this.objects.forgotten) {
      send(response, 410, status(410));
      return;
    }
    const names = [...this.objects.nodes.keys()].sort().filter((name) => name > after);
    const page = names.slice(0, limit);
    const next =
      names.length > page.length
        ? Buffer.from(JSON.stringify([version, page.at(-1)])).toString("base64")
        : undefined;
    response.writeHead(200, { "content-type": "application/json" });
    const metadata = { resourceVersion: String(version), continue: next };
    response.write(`{"kind":"NodeList","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[`);
    page.forEach((name, i) => {
      response.write((i === 0 ? "" : ",") + JSON.stringify(this.objects.nodes.get(name)));
    });
    response.end("]}\n");
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const version = Number(query.get("resourceVersion"));
    const missed = this.objects.since(version);
    if (missed === null && !this.goneInWatch) {
      send(response, 410, status(410));
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (missed === null) {
      response.end(`${JSON.stringify({ type: "ERROR", object: status(410) })}\n`);
      return;
    }
    for (const event of missed) this.#event(response, event);
    const { bookmarkEvery = 0, watchFor = Number(query.get("timeoutSeconds")) * 1000 } = this.#options;
    const bookmark = (): void => this.#bookmark(response);
    const isAsked = query.get("allowWatchBookmarks") === "true" && bookmarkEvery > 0;
    const watch = { response, bookmarks: isAsked ? setInterval(bookmark, bookmarkEvery) : undefined };
    this.#watches.add(watch);
    const end = setTimeout(() => response.end(), watchFor);
    response.on("close", () => {
      clearTimeout(end);
      this.#forget(watch);
    });
  }

  /** All that was told so far is known up to this version. */
  #bookmark(response: ServerResponse): void {
    if (this.silent) return;
    const metadata = { resourceVersion: String(this.objects.version) };
    response.write(`${JSON.stringify({ type: "BOOKMARK", object: { kind: "Node", metadata } })}\n`);
  }

  #event(response: ServerResponse, { type, object }: HistoryEvent): void {
    if (!this.silent) response.write(`${this.garbage ?? JSON.stringify({ type, object })}\n`);
  }

  #forget(watch: OpenWatch): void {
    clearInterval(watch.bookmarks);
    this.#watches.delete(watch);
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  429: "TooManyRequests",
  500: "InternalError",
};

function status(code: number): Json {
  const reason = REASONS[code] ?? "Unknown";
  return {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message: `test says ${reason}`,
    reason,
    code,
  };
}

function send(response: ServerResponse, code: number, body: Json): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
