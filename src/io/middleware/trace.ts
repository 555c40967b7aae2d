/**
 * Shows each batch that passes a port, to a function that only looks. It is called after the batch has passed, in the
 * same turn: the rows of what was sent or written are complete by then, but nothing has used their slots again. What
 * a port refused is not shown.
 */
import type { Tap, Underlay } from "../../dataplane/ports.ts";
import type { Ring } from "../../dataplane/ring.ts";
import { ForwardingTap, ForwardingUnderlay } from "./forward.ts";

/** `in`: read or received by the dataplane. `out`: written or sent by it. */
export type Passage = "in" | "out";

/**
 * Looks at the rows `from` up to, not including, `to` (positions for `ring.row`) and must not change or keep them.
 * @param addresses underlay only: where the sockaddrs are. Of a row that came in, it is the row's own position there
 * (masked), of one that went out, the VTEP that the row's PEER word names.
 */
export type TraceHandler = (
  passage: Passage,
  ring: Ring,
  from: number,
  to: number,
  addresses: Uint8Array,
) => void;

const NO_ADDRESSES = new Uint8Array(0);

/** @returns a port that does what `tap` does, and tells `handler`. */
export function traceTap(tap: Tap, handler: TraceHandler): Tap {
  return new TracedTap(tap, handler);
}

/** @returns a port that does what `underlay` does, and tells `handler`. */
export function traceUnderlay(underlay: Underlay, handler: TraceHandler): Underlay {
  return new TracedUnderlay(underlay, handler);
}

class TracedTap extends ForwardingTap {
  readonly #handler: TraceHandler;

  constructor(inner: Tap, handler: TraceHandler) {
    super(inner);
    this.#handler = handler;
  }

  override readBatch(ring: Ring, max: number): number {
    const from = ring.head;
    const result = this.inner.readBatch(ring, max);
    if (ring.head !== from) this.#handler("in", ring, from, ring.head, NO_ADDRESSES);
    return result;
  }

  override writeBatch(ring: Ring, count = ring.length): number {
    const from = ring.tail;
    const result = this.inner.writeBatch(ring, count);
    if (ring.tail !== from) this.#handler("out", ring, from, ring.tail, NO_ADDRESSES);
    return result;
  }
}

class TracedUnderlay extends ForwardingUnderlay {
  readonly #handler: TraceHandler;

  constructor(inner: Underlay, handler: TraceHandler) {
    super(inner);
    this.#handler = handler;
  }

  override recvBatch(ring: Ring, max: number): number {
    const from = ring.head;
    const result = this.inner.recvBatch(ring, max);
    if (ring.head !== from) this.#handler("in", ring, from, ring.head, ring.addresses);
    return result;
  }

  override sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    const from = ring.tail;
    const result = this.inner.sendBatch(ring, addresses, count);
    if (ring.tail !== from) this.#handler("out", ring, from, ring.tail, addresses);
    return result;
  }
}
