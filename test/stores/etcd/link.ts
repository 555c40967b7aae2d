/** A way to a server that can be cut, while the server and everybody else's way go on. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export class Link {
  readonly #to: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;

  private constructor(to: number) {
    this.#to = to;
  }

  /** @param url of the server */
  static async to(url: string): Promise<Link> {
    const link = new Link(Number(new URL(url).port));
    await link.mend();
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** For a server with a certificate. */
  get secureUrl(): string {
    return this.url.replace("http", "https");
  }

  /** Ends all connections and takes no more. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** The connections that there are stay, and carry nothing any more; new ones work. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  async mend(): Promise<void> {
    if (this.#server !== null) return;
    this.#server = createServer((near) => this.#join(near, connect(this.#to, "127.0.0.1")));
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as { port: number }).port;
  }

  #join(near: Socket, far: Socket): void {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
