/** One end of an underlay under test: the port, and the rings of a dataplane beside it. */

import type { Underlay } from "../../src/dataplane/ports.ts";
import { ADDRESS_BYTES } from "../../src/dataplane/ring.ts";
import { writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { type Read, Side } from "../io/side.ts";

/** Milliseconds after which what has not come will not come. */
const PATIENCE = 5_000;

/** An underlay and what it is bound to. */
export interface Opened {
  readonly underlay: Underlay;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
}

export class Node {
  readonly underlay: Underlay;
  readonly side: Side;
  readonly #opened: Opened;

  constructor(opened: Opened, slots = 64, slotBytes = 2048, rows = slots) {
    this.#opened = opened;
    this.underlay = opened.underlay;
    this.side = new Side(slots, slotBytes, rows);
  }

  get port(): number {
    return this.#opened.port;
  }

  get sockaddr(): Uint8Array {
    return slabOf(this.#opened);
  }

  /** Sends what is ready, waiting where the port wants it to. @throws when a row is refused */
  async sendAll(slab: Uint8Array): Promise<void> {
    const { ready } = this.side;
    const until = performance.now() + PATIENCE;
    while (ready.length > 0) {
      const sent = this.underlay.sendBatch(ready, slab);
      if (sent < 0) throw new Error(`sendBatch: errno ${-sent}`);
      if (sent === 0) await turn();
      if (performance.now() > until) throw new Error(`${ready.length} rows were not sent`);
    }
  }

  /** Receives `count` datagrams. @throws when they do not come */
  async receive(count: number, batch = 64): Promise<Read[]> {
    const reads: Read[] = [];
    const until = performance.now() + PATIENCE;
    while (reads.length < count) {
      const got = this.underlay.recvBatch(this.side.filled, Math.min(batch, count - reads.length));
      if (got < 0) throw new Error(`recvBatch: errno ${-got}`);
      if (got === 0) await turn();
      reads.push(...this.side.drain());
      if (performance.now() > until) throw new Error(`${reads.length} of ${count} datagrams came`);
    }
    return reads;
  }

  /** Whether nothing comes: after what was sent has had time to. */
  async silent(): Promise<boolean> {
    await pause();
    return this.underlay.recvBatch(this.side.filled, 1) === 0;
  }
}

/** Which of these are not the bytes that were sent. (`toEqual` takes a second for some megabytes.) */
export function damaged(reads: readonly Read[], sent: readonly Uint8Array[]): number[] {
  return sent.flatMap((bytes, i) => (Buffer.compare(reads[i]!.bytes, bytes) === 0 ? [] : [i]));
}

/** An address slab; row i is `receivers[i]`. */
export function slabOf(...receivers: readonly { address: Uint8Array; port: number }[]): Uint8Array {
  const slab = new Uint8Array(receivers.length * ADDRESS_BYTES);
  for (const [i, { address, port }] of receivers.entries())
    writeSockaddr(slab, i * ADDRESS_BYTES, address, port);
  return slab;
}

/** Counts wakes, and says when one came inside a call of ours, which none may. */
export class Wakes {
  count = 0;
  inside = 0;
  /** True while a call of the port is on the stack. */
  busy = false;

  readonly wake = (): void => {
    this.count++;
    if (this.busy) this.inside++;
  };

  /** Waits for one more wake. @throws when none comes */
  async next(): Promise<void> {
    const before = this.count;
    const until = performance.now() + PATIENCE;
    while (this.count === before) {
      await turn();
      if (performance.now() > until) throw new Error("nobody was woken");
    }
  }

  /** How many wakes come when nothing happens. */
  async during(): Promise<number> {
    const before = this.count;
    await pause();
    return this.count - before;
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Long enough for what is due to happen. */
export async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 25));
  await turn();
}
