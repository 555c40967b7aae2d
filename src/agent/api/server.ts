/**
 * The agent's HTTP API on a Unix socket.
 *
 *   request → route by method and path → (body: bounded, JSON) → AgentView → JSON, or {error: {code, message, remedy}}
 *   GET /healthz, /livez, /readyz, /metrics → text (`../probes/pages.ts`)
 *
 * The socket has mode 0600 from the moment it exists: who may open it may change the forwarding table. That is the
 * only access control, and enough of one. Every answer closes its connection, so nothing idles; the one that goes on for
 * as long as the client stays is that of /v1/events (`event-stream.ts`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { loadShim } from "../../io/linux/shim.ts";
import { hex } from "../../wire/bytes.ts";
import { PAGES, pageOf, sendPage } from "../probes/pages.ts";
import type { AgentView, OverlayChoice } from "./agent-view.ts";
import type { ErrorAnswer, FdbReasonJson } from "./answers.ts";
import { EventStreams } from "./event-stream.ts";
import { REFUSALS, type RefusalCode } from "./refusals.ts";
import { SCHEMA } from "./schema.ts";
import { claimSocket, forPeople, removeSocket } from "./socket-file.ts";
import {
  RequestError,
  readFdbChange,
  readLogLevel,
  readMac,
  readNeighbourChange,
  readTopics,
  readVni,
} from "./validate.ts";

/** A change to the forwarding table is about a hundred bytes. */
const MAX_BODY = 16 * 1024;
const MAX_CONNECTIONS = 64;
/** Connections that may wait to be accepted: Node's own default. */
const BACKLOG = 511;
/** Milliseconds a client has to send its whole request. */
const REQUEST_TIMEOUT = 5000;
/** Milliseconds that answers under way have when the server ends. */
const CLOSE_GRACE = 1000;

export interface ApiServerOptions {
  /** Where to listen. */
  readonly path: string;
  readonly view: AgentView;
  /** A descriptor that listens there already; it becomes the server's. */
  readonly listener?: number;
  /** Told of errors that no client caused, for the agent's log. */
  readonly onError?: (error: unknown) => void;
}

export interface ApiServer {
  readonly path: string;
  /** What listens. It stays the server's; a copy of it goes to an agent that takes over. */
  readonly listener: number;
  /** As `close`, but the socket stays where it is: another process listens to it. */
  leave(): Promise<void>;
  /** Removes the socket, lets answers under way end, and closes what is left after a second. Safe to call twice. */
  close(): Promise<void>;
}

type Handler = (view: AgentView, request: IncomingMessage) => Promise<unknown>;

const ROUTES: Record<string, Record<string, Handler>> = {
  "/v1/status": { GET: (view) => view.status() },
  "/v1/stats": { GET: async (view, request) => ({ schema: SCHEMA, ...view.stats(choiceOf(request)) }) },
  "/v1/fdb": {
    GET: async (view, request) => ({ schema: SCHEMA, rows: await view.fdb(choiceOf(request)) }),
    POST: async (view, request) => {
      await view.changeFdb(readFdbChange(await readBody(request)), choiceOf(request));
      return { schema: SCHEMA };
    },
  },
  "/v1/fdb/why": {
    GET: async (view, request) => ({ schema: SCHEMA, reasons: await why(view, request) }),
  },
  "/v1/fdb/flush": {
    POST: async (view, request) => ({ schema: SCHEMA, flushed: await view.flushFdb(choiceOf(request)) }),
  },
  "/v1/neigh": {
    GET: async (view, request) => ({ schema: SCHEMA, rows: await view.neighbours(choiceOf(request)) }),
    POST: async (view, request) => {
      await view.changeNeighbour(readNeighbourChange(await readBody(request)), choiceOf(request));
      return { schema: SCHEMA };
    },
  },
  "/v1/leases": { GET: async (view) => ({ schema: SCHEMA, leases: view.leases() }) },
  "/v1/plan": { GET: async (view) => ({ schema: SCHEMA, steps: await view.plan() }) },
  "/v1/reconcile": { POST: async (view) => ({ schema: SCHEMA, changed: await view.reconcile() }) },
  "/v1/events": { GET: async () => STREAM },
  "/v1/log-level": {
    GET: async (view) => ({ schema: SCHEMA, level: view.logLevel }),
    POST: async (view, request) => {
      view.logLevel = readLogLevel(await readBody(request));
      return { schema: SCHEMA, level: view.logLevel };
    },
  },
};

/** From a handler: its answer is a stream. */
const STREAM = Symbol("stream");

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams((request.url ?? "").split("?", 2)[1] ?? "");
}

/** @returns the overlay that `?vni=` and `?dev=` name */
function choiceOf(request: IncomingMessage): OverlayChoice {
  const query = queryOf(request);
  const [vni, dev] = [query.get("vni"), query.get("dev")];
  return { ...(vni === null ? {} : { vni: readVni(vni) }), ...(dev === null ? {} : { dev }) };
}

async function why(view: AgentView, request: IncomingMessage): Promise<FdbReasonJson[]> {
  const reasons = await view.why(readMac(queryOf(request).get("mac")), choiceOf(request));
  return reasons.map(({ row, lesson }) => ({
    row,
    lesson: lesson && { ...lesson, at: new Date(lesson.at).toISOString(), frame: hex(lesson.frame) },
  }));
}

/**
 * Starts to listen.
 * @throws SocketError when another agent is running, or the path cannot be used
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { path, view, onError = () => {} } = options;
  const listener = options.listener ?? (await listenPrivately(path));
  const streams = new EventStreams(view);
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, connectionsCheckingInterval: 1000 },
    (request, response) => void serve(view, streams, request, response, onError),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listenTo(server, listener);
  server.on("error", onError);
  let closed: Promise<void> | undefined;
  const leave = (): Promise<void> => {
    streams.close();
    closed ??= closeGently(server);
    return closed;
  };
  return {
    path,
    listener,
    leave,
    close: () => {
      if (closed === undefined) removeSocket(path);
      return leave();
    },
  };
}

/**
 * Not by Node's `listen(path)`: that removes the file when its descriptor is closed, also where another process listens to
 * it by then.
 * @throws SocketError
 */
async function listenPrivately(path: string): Promise<number> {
  await claimSocket(path);
  try {
    return loadShim().unixListen(path, false, BACKLOG);
  } catch (error) {
    throw forPeople(error, path);
  }
}

function listenTo(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeGently(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const hurry = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE);
    server.close(() => {
      clearTimeout(hurry);
      resolve();
    });
  });
}

async function serve(
  view: AgentView,
  streams: EventStreams,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    const page = request.method === "GET" ? await pageOf(pathOf(request), view) : null;
    if (page !== null) return sendPage(response, page);
    const result = await route(request)(view, request);
    if (result === STREAM) streams.start(response, readTopics(queryOf(request).get("about")));
    else answer(response, 200, result);
  } catch (error) {
    const { status, body } = describe(error);
    if (status === 500) onError(error);
    answer(response, status, body);
  }
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0]!;
}

/** @throws RequestError for what has no route */
function route(request: IncomingMessage): Handler {
  const path = pathOf(request);
  const methods = Object.hasOwn(ROUTES, path) ? ROUTES[path]! : null;
  if (methods === null) {
    throw new RequestError(
      404,
      "NOT_FOUND",
      `no such resource: ${path}`,
      `there are ${[...Object.keys(ROUTES), ...PAGES].join(", ")}`,
    );
  }
  const method = request.method ?? "";
  if (!Object.hasOwn(methods, method)) {
    const allowed = Object.keys(methods).join(", ");
    throw new RequestError(405, "METHOD_NOT_ALLOWED", `${method} is not for ${path}`, `it takes ${allowed}`);
  }
  return methods[method]!;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Not to destroy the request on a throw is what lets the answer still go out.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY)
      throw new RequestError(413, "TOO_LARGE", `the body is over ${MAX_BODY} bytes`, null);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(400, "BAD_JSON", `the body is no JSON: ${(error as Error).message}`, null);
  }
}

function describe(error: unknown): { status: number; body: ErrorAnswer } {
  const { code, message, remedy } = error as { code?: unknown; message?: unknown; remedy?: unknown };
  let status = 500;
  if (error instanceof RequestError) status = error.status;
  else if (typeof code === "string" && Object.hasOwn(REFUSALS, code)) status = REFUSALS[code as RefusalCode];
  return {
    status,
    body: {
      error: {
        code: typeof code === "string" ? code : "INTERNAL",
        message: typeof message === "string" && message !== "" ? message : String(error),
        remedy: typeof remedy === "string" ? remedy : null,
      },
    },
  };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
    connection: "close",
  });
  response.end(bytes);
}
