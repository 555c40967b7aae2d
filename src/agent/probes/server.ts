/**
 * The pages of `pages.ts` over TCP, and nothing else: the API that changes things stays on its Unix socket. Whoever can
 * reach the address can read them, so connections are few and short, and nothing that a client sends is kept.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type HealthSource, type Page, pageOf, sendPage, text, type Words } from "./pages.ts";

/** Milliseconds that a client has to send its request. */
const REQUEST_TIMEOUT = 5000;
/** Connections at a time; the oldest makes room for the next. */
const MAX_CONNECTIONS = 32;
/** Bytes of a request's header. */
const MAX_HEADER = 8 * 1024;

export class HealthServer {
  readonly #server: Server;

  private constructor(source: HealthSource, words: Words | undefined) {
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT,
        headersTimeout: REQUEST_TIMEOUT,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: MAX_HEADER,
      },
      (request, response) => void serve(request, response, source, words),
    );
    keepRoom(this.#server);
    // A client that takes no answer keeps no connection either.
    this.#server.setTimeout(REQUEST_TIMEOUT, (socket) => socket.destroy());
  }

  /** @throws Error of `listen` where it cannot listen there */
  static async start(
    { host, port }: { readonly host: string; readonly port: number },
    source: HealthSource,
    words?: Words,
  ): Promise<HealthServer> {
    const health = new HealthServer(source, words);
    const server = health.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    // What goes wrong with a connection later is its client's.
    server.on("error", () => {});
    return health;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/**
 * Ends the oldest connection where there is one too many, and refuses none: or a few silent clients would keep out a
 * kubelet, which restarts an agent that does not answer its liveness probe.
 */
function keepRoom(server: Server): void {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    if (open.size > MAX_CONNECTIONS) (open.values().next().value as Socket).destroy();
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  source: HealthSource,
  words: Words | undefined,
): Promise<void> {
  const head = request.method === "HEAD";
  let page: Page;
  if (request.method !== "GET" && !head) page = text(405, "405 only GET\n");
  else {
    const path = (request.url ?? "").split("?", 1)[0]!;
    page = await pageOf(path, source, words).then(
      (found) => found ?? text(404, "404 page not found\n"),
      (error: unknown) => text(500, `500 ${(error as Error).message}\n`),
    );
  }
  sendPage(response, page, head);
}
