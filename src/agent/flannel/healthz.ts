/**
 * flanneld's health server (its main.go): /healthz from the first moment, /readyz once subnet.env is written. Kubelets ask
 * it, so its words are flanneld's. What flanneld does not have (/livez, /metrics, reasons behind /readyz) is the agent's.
 */
import { HostError } from "../../host/command.ts";
import { type HealthSource, type Page, text, type Words } from "../probes/pages.ts";
import { HealthServer } from "../probes/server.ts";

const WORDS: Words = {
  running: "flanneld is running",
  ready: "flanneld is ready",
  notReady: "flanneld is not ready yet",
};

/** Answers before there is an agent to ask, and hands on from then on. */
class Front implements HealthSource {
  agent: HealthSource | undefined;

  async live(): Promise<readonly string[]> {
    return this.agent?.live() ?? [];
  }

  async ready(): Promise<readonly string[]> {
    return this.agent?.ready() ?? ["the node has not joined its network yet"];
  }

  async metrics(): Promise<Page> {
    return this.agent?.metrics() ?? text(503, "503 the agent is not up yet\n");
  }
}

export class FlannelHealth {
  readonly #server: HealthServer;
  readonly #front: Front;

  private constructor(server: HealthServer, front: Front) {
    this.#server = server;
    this.#front = front;
  }

  /** @throws HostError where it cannot listen there */
  static async start(ip: string, port: number): Promise<FlannelHealth> {
    const front = new Front();
    try {
      return new FlannelHealth(await HealthServer.start({ host: ip, port }, front, WORDS), front);
    } catch (error) {
      const remedy = "give another --healthz-ip or --healthz-port, or none";
      const message = `the health server cannot listen: ${(error as Error).message}`;
      throw new HostError("HOST_BAD_OPTION", message, remedy);
    }
  }

  /** Where it listens. */
  get port(): number {
    return this.#server.port;
  }

  /** From now on the agent is asked. */
  attach(agent: HealthSource): void {
    this.#front.agent = agent;
  }

  close(): void {
    this.#server.close();
  }
}
