/** Who asked for which echo: many peers are probed at a time, through one socket that is open only meanwhile. */
import { EchoSocket } from "../../io/linux/echo.ts";

/** Milliseconds after which a request counts as lost, where nobody says otherwise. */
const PATIENCE = 1000;

const EMSGSIZE = 90;

/** What `probePath` asks of one peer. */
export interface EchoPort {
  /** Sends a packet of `size` bytes. `too long`: the interface does not even take it. */
  echo(size: number): Promise<"reply" | "lost" | "too long">;
  /** The largest packet that the kernel's route takes, as ICMP may have taught it; null when it does not know. */
  told(): number | null;
}

interface Waiting {
  readonly size: number;
  readonly end: (outcome: "reply" | "lost") => void;
}

export class Echoes {
  readonly #local: Uint8Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #patience: number;
  #socket: EchoSocket | undefined;
  #sequence = 0;
  /** The errno of the last request that did not leave, 0 where it did. */
  errno = 0;

  /**
   * @param local the address to send from
   * @param patience milliseconds after which a request counts as lost
   */
  constructor(local: Uint8Array, patience: number = PATIENCE) {
    this.#local = local;
    this.#patience = patience;
  }

  /** Opens the socket, if it is not open: the first request does so, too. @throws as `send` */
  open(): EchoSocket {
    this.#socket ??= new EchoSocket(this.#local, (sequence, got) => this.#heard(sequence, got));
    return this.#socket;
  }

  /** @throws Error of a system call when there is no socket to be had */
  send(to: Uint8Array, size: number): Promise<"reply" | "lost" | "too long"> {
    const socket = this.open();
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xffff;
    this.errno = socket.send(to, sequence, size);
    if (this.errno === EMSGSIZE) return Promise.resolve("too long");
    return new Promise((resolve) => {
      const end = (outcome: "reply" | "lost"): void => {
        clearTimeout(timer);
        this.#waiting.delete(sequence);
        resolve(outcome);
      };
      const timer = setTimeout(() => end("lost"), this.#patience);
      this.#waiting.set(sequence, { size, end });
    });
  }

  /** Closes the socket, and what waits counts as lost; the next request opens another. */
  close(): void {
    for (const { end } of [...this.#waiting.values()]) end("lost");
    this.#socket?.close();
    this.#socket = undefined;
  }

  #heard(sequence: number, size: number): void {
    const waiting = this.#waiting.get(sequence);
    if (waiting?.size === size) waiting.end("reply");
  }
}
