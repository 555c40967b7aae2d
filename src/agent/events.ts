/**
 * What the dataplane's threads tell, on its way to whoever listens: their rings (`dataplane/event-ring.ts`) are looked
 * at a few times a second, and only while somebody does. Who tells something new adds a kind there, its reader here
 * and its type to `AgentEvent`.
 */
import { type EventRing, L2_MISS, L3_MISS_IPV4, L3_MISS_IPV6 } from "../dataplane/event-ring.ts";
import { formatIpv4, formatIpv6, formatMacKey, putU32 } from "../wire/bytes.ts";
import type { AgentEvent } from "./api/agent-view.ts";

/** Milliseconds between two looks: less than anybody's patience with a flow that has to wait for an answer. */
const LOOK_EVERY = 50;

type Listener = (event: AgentEvent) => void;

/** Makes an event of a row's words. */
type Reader = (of: { vni: number; dev: string }, words: Int32Array, at: number, time: string) => AgentEvent;

const READERS: Readonly<Record<number, Reader>> = {
  [L2_MISS]: (of, words, i, at) => ({
    type: "l2miss",
    ...of,
    mac: formatMacKey(words[i]!, words[i + 1]!),
    at,
  }),
  [L3_MISS_IPV4]: (of, words, i, at) => ({
    type: "l3miss",
    ...of,
    address: formatIpv4(bytesOf(words, i, 1), 0),
    at,
  }),
  [L3_MISS_IPV6]: (of, words, i, at) => ({
    type: "l3miss",
    ...of,
    address: formatIpv6(bytesOf(words, i, 4), 0),
    at,
  }),
};

export class EventHub {
  readonly #rings: readonly EventRing[];
  readonly #devices: ReadonlyMap<number, string>;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;

  /** @param devices by the VNIs of the overlays that the rings are of */
  constructor(rings: readonly EventRing[], devices: ReadonlyMap<number, string>) {
    this.#devices = devices;
    this.#rings = rings;
  }

  /** Calls `heard` with each event from now on. @returns what ends it */
  listen(heard: Listener): () => void {
    const listener: Listener = (event) => heard(event);
    this.#listeners.add(listener);
    if (this.#timer === undefined) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /** Nobody hears anything any more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
    for (const ring of this.#rings) ring.close();
  }

  #start(): void {
    for (const ring of this.#rings) ring.open(clock());
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#timer.unref();
  }

  #look(): void {
    let lost = 0;
    const at = new Date().toISOString();
    for (const ring of this.#rings) {
      lost += ring.drain(clock(), (kind, vni, words, i) => {
        const read = READERS[kind];
        const dev = this.#devices.get(vni) ?? "";
        if (read !== undefined) this.#tell(read({ vni, dev }, words, i, at));
      });
    }
    if (lost > 0) this.#tell({ type: "lost", count: lost, at });
  }

  #tell(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Milliseconds in 32 bits: it wraps around, and differences do not mind. */
function clock(): number {
  return performance.now() | 0;
}

function bytesOf(words: Int32Array, at: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 4);
  for (let i = 0; i < count; i++) putU32(bytes, i * 4, words[at + i]!);
  return bytes;
}
