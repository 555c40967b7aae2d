/**
 * Where datagrams wait between node:dgram's "message" event, which comes when it likes, and the loop, which asks when
 * it has room. Bounded in datagrams and in bytes: what does not fit is dropped and counted, as a socket's receive
 * buffer does it.
 */
import type { RemoteInfo } from "node:dgram";
import { ADDRESS_BYTES, LENGTH, OFFSET, OUTER, type Ring, TRUNCATED } from "../../dataplane/ring.ts";
import { Senders } from "./senders.ts";

/** Datagrams that may wait, a power of two, */
const DATAGRAMS = 1024;
/** and bytes of them. */
const BYTES = 8 * 1024 * 1024;

export class Inbox {
  /** Datagrams that found no room, ever. */
  overflows = 0;
  readonly #messages = new Array<Buffer | null>(DATAGRAMS).fill(null);
  readonly #infos = new Array<RemoteInfo | null>(DATAGRAMS).fill(null);
  readonly #senders = new Senders();
  /** Both only grow, as in `Ring`. */
  #head = 0;
  #tail = 0;
  #bytes = 0;

  /** Datagrams that wait. */
  get length(): number {
    return (this.#head - this.#tail) | 0;
  }

  push(message: Buffer, info: RemoteInfo): void {
    if (this.length === DATAGRAMS || this.#bytes + message.length > BYTES) {
      this.overflows++;
      return;
    }
    const place = this.#head & (DATAGRAMS - 1);
    this.#messages[place] = message;
    this.#infos[place] = info;
    this.#bytes += message.length;
    this.#head = (this.#head + 1) | 0;
  }

  /** Copies the oldest datagram, of which there is one, into the row of `ring` that is prepared at `position`. */
  receive(ring: Ring, position: number): void {
    const place = this.#tail & (DATAGRAMS - 1);
    const message = this.#messages[place]!;
    const { address, port } = this.#infos[place]!;
    this.#messages[place] = null;
    this.#infos[place] = null;
    this.#bytes -= message.length;
    this.#tail = (this.#tail + 1) | 0;
    const row = ring.row(position);
    const room = ring.words[row + LENGTH]!;
    const whole = message.length <= room;
    ring.bytes.set(whole ? message : message.subarray(0, room), ring.words[row + OFFSET]!);
    ring.words[row + LENGTH] = whole ? message.length : room;
    ring.words[row + OUTER] = whole ? 0 : TRUNCATED;
    this.#senders.write(ring.addresses, (position & ring.mask) * ADDRESS_BYTES, address, port);
  }

  /** Forgets what waits. */
  clear(): void {
    this.#messages.fill(null);
    this.#infos.fill(null);
    this.#tail = this.#head;
    this.#bytes = 0;
  }
}
