/**
 * What the dataplane's threads tell, on its way to whoever listens: their rings (`dataplane/event-ring.ts`) are looked
 * at a few times a second, and only while somebody does. Who tells something new adds a kind there, its reader here
 * and its type to `AgentEvent`.
 */
import { getSystemErrorName } from "node:util";
import { addressOf, readDrop } from "../dataplane/drop-row.ts";
import {
  DROP,
  DROPPED,
  type EventRing,
  L2_MISS,
  L3_MISS_IPV4,
  L3_MISS_IPV6,
  MISSES,
  PACKETS,
} from "../dataplane/event-ring.ts";
import { readPacket } from "../dataplane/packet-row.ts";
import { formatMacKey, hex } from "../wire/bytes.ts";
import { readVni, VXLAN_LENGTH } from "../wire/vxlan.ts";
import type { AgentEvent, Endpoint, PacketEvent, ToldEvent, Topic } from "./api/agent-view.ts";
import { type Drops, DropTally } from "./drop-tally.ts";

/** Milliseconds between two looks: less than anybody's patience with a flow that has to wait for an answer. */
const LOOK_EVERY = 50;
/** Looks between two at the drops that nobody was told of. */
const TALLY_EVERY = 20;

const BITS: Readonly<Record<Topic, number>> = { misses: MISSES, drops: DROPPED, packets: PACKETS };

const NOTHING: ReadonlyMap<number, Drops> = new Map();

interface Listener {
  readonly heard: (event: ToldEvent) => void;
  readonly topics: readonly Topic[];
}

/** Makes an event of a row's words. */
type Reader = (of: { vni: number; dev: string }, words: Int32Array, at: number, time: string) => AgentEvent;

const READERS: Readonly<Record<number, Reader>> = {
  [L2_MISS]: (of, words, i, at) => ({
    type: "l2miss",
    ...of,
    mac: formatMacKey(words[i]!, words[i + 1]!),
    at,
  }),
  [L3_MISS_IPV4]: (of, words, i, at) => ({ type: "l3miss", ...of, address: addressOf(words, i, true), at }),
  [L3_MISS_IPV6]: (of, words, i, at) => ({ type: "l3miss", ...of, address: addressOf(words, i, false), at }),
  [DROP]: (of, words, i, at) => {
    const { errno, header, ...packet } = readDrop(words, i);
    const named = header && { flags: header.flags.toString(16).padStart(8, "0"), vni: header.vni };
    const error = errno === 0 ? null : getSystemErrorName(-errno);
    return { type: "drop", ...of, ...packet, error, header: named, at };
  },
};

export class EventHub {
  readonly #rings: readonly EventRing[];
  readonly #devices: ReadonlyMap<number, string>;
  readonly #local: Endpoint;
  readonly #drops: () => ReadonlyMap<number, Drops>;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  /** By VNI; empty while nobody listens to drops. */
  readonly #tallies = new Map<number, DropTally>();
  /** Somebody watches packets. */
  #watched = false;

  /**
   * @param devices by the VNIs of the overlays that the rings are of
   * @param drops what the counters of each say, the kernel's drops among it
   * @param local our own VTEP
   */
  constructor(
    rings: readonly EventRing[],
    devices: ReadonlyMap<number, string>,
    drops: () => ReadonlyMap<number, Drops>,
    local: Endpoint,
  ) {
    this.#rings = rings;
    this.#devices = devices;
    this.#drops = drops;
    this.#local = local;
  }

  /** Calls `heard` with each event from now on that is about one of the topics. @returns what ends it */
  listen(heard: (event: ToldEvent) => void, topics: readonly Topic[]): () => void {
    const listener = { heard, topics };
    this.#listeners.add(listener);
    if (this.#timer === undefined) this.#start();
    this.#choose();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
      else this.#choose();
    };
  }

  /** Nobody hears anything any more. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
    this.#tallies.clear();
    this.#watched = false;
    for (const ring of this.#rings) ring.close();
  }

  #start(): void {
    for (const ring of this.#rings) ring.open(clock(), 0);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#timer.unref();
  }

  /** Has the rings told of what somebody listens to. */
  #choose(): void {
    const topics = new Set([...this.#listeners].flatMap((listener) => listener.topics));
    if (!topics.has("drops")) this.#tallies.clear();
    else if (this.#tallies.size === 0) {
      for (const [vni, drops] of this.#drops()) this.#tallies.set(vni, new DropTally(drops));
    }
    const bits = [...topics].reduce((all, topic) => all | BITS[topic], 0);
    const isNew = topics.has("packets") && !this.#watched;
    this.#watched = topics.has("packets");
    for (const ring of this.#rings) {
      if (isNew) ring.packets.open();
      ring.listen(bits);
    }
  }

  #look(): void {
    const tallies = ++this.#looks % TALLY_EVERY === 0 && this.#tallies.size > 0;
    const drops = tallies ? this.#drops() : NOTHING;
    let lost = 0;
    const at = new Date().toISOString();
    for (const ring of this.#rings) {
      lost += ring.drain(clock(), (kind, vni, words, i) => {
        const event = READERS[kind]?.({ vni, dev: this.#deviceOf(vni) }, words, i, at);
        if (event === undefined) return;
        if (event.type === "drop") this.#tallies.get(vni)?.told(event.direction, event.reason);
        this.#tell(event, kind === DROP ? "drops" : "misses");
      });
    }
    if (lost > 0) this.#tell({ type: "lost", count: lost, at }, "misses");
    for (const [vni, now] of drops) {
      const dev = this.#deviceOf(vni);
      for (const rest of this.#tallies.get(vni)?.rest(now) ?? []) {
        this.#tell({ type: "drops", ...rest, vni, dev, at }, "drops");
      }
    }
    if (this.#watched) this.#lookAtPackets(at);
  }

  #lookAtPackets(at: string): void {
    let passed = 0;
    let dropped = 0;
    for (const ring of this.#rings) {
      const more = ring.packets.drain((words, i) => this.#tell(this.#packet(words, i, at), "packets"));
      passed += more.passed;
      dropped += more.dropped;
    }
    if (passed + dropped > 0) this.#tell({ type: "unseen", passed, dropped, at }, "packets");
  }

  #packet(words: Int32Array, i: number, at: string): PacketEvent {
    const { vni: known, direction, drop, isDatagram, bytes, sourcePort, ...packet } = readPacket(words, i);
    const vni = known ?? vniOf(bytes);
    const port = direction === "tx" && sourcePort !== 0 ? sourcePort : this.#local.port;
    return {
      ...{ type: "packet", ...packet, direction, vni, at },
      dev: vni === null ? null : (this.#devices.get(vni) ?? null),
      drop: drop && { reason: drop.reason, error: drop.errno === 0 ? null : getSystemErrorName(-drop.errno) },
      layer: isDatagram ? "udp-payload" : "ethernet",
      bytes: hex(bytes),
      local: isDatagram ? { address: this.#local.address, port } : null,
    };
  }

  #deviceOf(vni: number): string {
    return this.#devices.get(vni) ?? "";
  }

  #tell(event: ToldEvent, topic: Topic): void {
    for (const { heard, topics } of this.#listeners) if (topics.includes(topic)) heard(event);
  }
}

/** The VNI that a datagram was let in by: no drop has named one. */
function vniOf(datagram: Uint8Array): number | null {
  return datagram.length < VXLAN_LENGTH ? null : readVni(datagram, 0);
}

/** Milliseconds in 32 bits: it wraps around, and differences do not mind. */
function clock(): number {
  return performance.now() | 0;
}
