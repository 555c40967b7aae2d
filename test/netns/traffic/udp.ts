/** A UDP socket in a namespace: sends what it is given, streams numbered datagrams, tells what it has received. */
import type { Host } from "../../../src/lab/host.ts";
import { Helper } from "./helper.ts";

export interface UdpReport {
  /** Payloads that came and belong to no stream, as Latin-1. */
  readonly texts: readonly string[];
  /** Different numbers of the stream that came, and how many came again. */
  readonly received: number;
  readonly duplicates: number;
  /** Datagrams that arrived and found the socket's buffer full (RcvbufErrors of the namespace). */
  readonly overflows: number;
}

/** (address, port), as the helper wants it. */
type To = readonly [port: number, address: string];

export class UdpHelper {
  readonly #helper: Helper;

  /** @param port 0 for any */
  constructor(host: Host, address: string, port = 0) {
    this.#helper = new Helper(host, "udp.mjs", [address, String(port)]);
  }

  /** Sends datagrams, each once the one before is out. */
  async send(payloads: readonly Uint8Array[], to: To): Promise<void> {
    const send = payloads.map((payload) => Buffer.from(payload).toString("base64"));
    await this.#ask({ send, to });
  }

  /** Starts to send numbered datagrams, `rate` a second. */
  async stream(to: To, rate: number): Promise<void> {
    await this.#ask({ stream: { to, rate } });
  }

  /** Ends the stream. @returns how many it has sent */
  async quiet(): Promise<number> {
    return (await this.#ask<{ sent: number }>({ quiet: true })).sent;
  }

  report(): Promise<UdpReport> {
    return this.#ask({ report: true });
  }

  stop(): Promise<void> {
    return this.#helper.stop();
  }

  async #ask<T>(message: unknown): Promise<T> {
    const answer = await this.#helper.ask<T & { error?: string }>(message);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
