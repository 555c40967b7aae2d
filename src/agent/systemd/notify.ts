/**
 * What a service tells systemd of itself: datagrams of `NAME=value` lines to the socket that NOTIFY_SOCKET names
 * (sd_notify(3)). Where nobody asks for them there is no socket, and nothing is sent.
 */
import { getSystemErrorName } from "node:util";

/** Milliseconds until what could not be sent is sent again, and how often. */
const AGAIN = { after: 100, times: 50 } as const;

/** Sends a datagram without waiting. @returns bytes, or −errno */
export type SendLocal = (name: string, bytes: Uint8Array) => number;

/** What systemd has asked for. */
export interface Asked {
  /** A path, or an abstract name behind `@`. */
  readonly socket: string;
  /** Milliseconds within which it wants to hear that we are alive; null where it does not. */
  readonly watchdog: number | null;
}

export class Notifier {
  readonly #socket: string;
  readonly #send: SendLocal;
  readonly #trouble: (message: string) => void;
  /** What waits because the socket's queue was full, in order. */
  #waiting: Uint8Array[] = [];
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  /** @param trouble told once why systemd does not hear us */
  constructor(socket: string, send: SendLocal, trouble: (message: string) => void) {
    this.#socket = socket;
    this.#send = send;
    this.#trouble = trouble;
  }

  /** @param fields in the order in which they are sent; a line break in a value would begin the next field */
  say(fields: Readonly<Record<string, string | number>>): void {
    const lines = Object.entries(fields).map(
      ([name, value]) => `${name}=${String(value).replaceAll("\n", "; ")}`,
    );
    this.#waiting.push(Buffer.from(lines.join("\n")));
    this.#flush();
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const sent = this.#send(this.#socket, this.#waiting[0]!);
      if (sent < 0 && getSystemErrorName(sent) === "EAGAIN" && this.#tries++ < AGAIN.times) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#flush();
        }, AGAIN.after);
        return;
      }
      if (sent < 0 && !this.#told) {
        this.#told = true;
        this.#trouble(`systemd does not hear us at ${this.#socket}: ${getSystemErrorName(sent)}`);
      }
      this.#tries = 0;
      this.#waiting.shift();
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
