/**
 * flanneld's health server (its main.go): /healthz from the first moment, /readyz once subnet.env is written. Kubelets ask
 * it, so its words are flanneld's.
 */
import { createServer, type Server } from "node:http";
import { HostError } from "../../host/command.ts";

/** Milliseconds that one request may take. */
const REQUEST_TIMEOUT = 5000;

export class HealthServer {
  readonly #server: Server;
  #ready = false;

  private constructor() {
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT },
      (request, response) => {
        const [status, text] = this.#answer((request.url ?? "").split("?", 1)[0]!);
        response
          .writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" })
          .end(text);
      },
    );
  }

  /** @throws HostError where it cannot listen there */
  static async start(ip: string, port: number): Promise<HealthServer> {
    const health = new HealthServer();
    const server = health.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", ({ message }) => {
        const remedy = "give another --healthz-ip or --healthz-port, or none";
        reject(new HostError("HOST_BAD_OPTION", `the health server cannot listen: ${message}`, remedy));
      });
      server.listen(port, ip, resolve);
    });
    return health;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** From now on the node is ready; as with flanneld it stays so. */
  setReady(): void {
    this.#ready = true;
  }

  #answer(path: string): [status: number, text: string] {
    if (path === "/healthz") return [200, "flanneld is running"];
    if (path !== "/readyz") return [404, "404 page not found\n"];
    return this.#ready ? [200, "flanneld is ready"] : [503, "flanneld is not ready yet"];
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
