/** A dataplane's stages without ports: what the encap and decap tests run on. */
import { Arena } from "../../src/dataplane/arena.ts";
import { Coalescer } from "../../src/dataplane/coalesce.ts";
import { Counters, type Direction } from "../../src/dataplane/counters.ts";
import { Decap, HEADER_SLAB_BYTES, READY_ROWS } from "../../src/dataplane/decap.ts";
import { type DroppedPacket, readDrop } from "../../src/dataplane/drop-row.ts";
import { DropTeller } from "../../src/dataplane/drop-teller.ts";
import type { DropReason } from "../../src/dataplane/drops.ts";
import { Encap } from "../../src/dataplane/encap.ts";
import { portsBetween } from "../../src/dataplane/entropy.ts";
import { DROP, EventRing } from "../../src/dataplane/event-ring.ts";
import { Learner } from "../../src/dataplane/learn.ts";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { type DataplaneOptions, NO_LEARNING } from "../../src/dataplane/options.ts";
import { PathMtus } from "../../src/dataplane/path-mtus.ts";
import type { UnderlayCapabilities } from "../../src/dataplane/ports.ts";
import { NeighbourProxy } from "../../src/dataplane/proxy.ts";
import {
  DONT_FRAGMENT,
  FOLLOW_SHIFT,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  Ring,
  SEGMENT,
  TTL_SHIFT,
  VTEP_MASK,
} from "../../src/dataplane/ring.ts";
import { Segmenter, SLOTS_TO_CUT, segmentSlabBytes } from "../../src/dataplane/segment.ts";
import { copyPieces, sumRanges } from "../../src/dataplane/sums.ts";
import { Fdb } from "../../src/fdb/fdb.ts";
import { NeighbourTable } from "../../src/fdb/neighbours.ts";
import { RemoteSets } from "../../src/fdb/remotes.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { VtepTable } from "../../src/fdb/vteps.ts";
import { parseMac } from "../../src/wire/bytes.ts";

export const OWN_MAC = "02:00:00:00:00:01";

export const CAPABILITIES: UnderlayCapabilities = {
  sendTos: true,
  recvTos: true,
  df: true,
  ttl: true,
  ttlPerPacket: true,
  flowLabel: false,
  acceptsNoCheck6: false,
  sourcePort: true,
  gso: false,
  gro: true,
  checksum: "computed",
};

/** What a test says nothing about. */
export const OPTIONS: DataplaneOptions = {
  vni: 1,
  mac: OWN_MAC,
  mtu: 1450,
  reservedBits: "rfc",
  senderCheck: "strict",
  tos: 0,
};

/** A datagram as the underlay would have put it into a slot. */
export interface Received {
  bytes: Uint8Array;
  from?: readonly number[];
  tos?: number;
  segment?: number;
}

/** What a stage left in its ready ring. */
export interface Output {
  /** Bytes before the body: of a frame for the TAP its vnet header, of a segment its headers. */
  head: Uint8Array;
  body: Uint8Array;
  peer: number;
  /** 0: the socket's. */
  ttl: number;
  df: boolean;
  tos: number;
  port: number;
  /** Rows of the message that begins here; 0 inside one. */
  message: number;
  /** Segment size of that message. */
  segment: number;
}

/** Takes the drops out of a ring. */
export function droppedOf(events: EventRing): DroppedPacket[] {
  const packets: DroppedPacket[] = [];
  events.drain(0, (kind, _vni, words, at) => {
    if (kind === DROP) packets.push(readDrop(words, at));
  });
  return packets;
}

export class Stages {
  readonly counters = new Counters();
  readonly fdb = new Fdb();
  readonly vteps = new VtepTable();
  readonly remotes = new RemoteSets();
  readonly learner: Learner;
  readonly arena = new Arena(32 * 1024 * 1024);
  readonly filled: Ring;
  readonly ready: Ring;
  readonly answers: Ring;
  readonly neighbours = new NeighbourTable();
  readonly events = new EventRing();
  readonly proxy: NeighbourProxy;
  readonly paths = new PathMtus();
  readonly encap: Encap;
  readonly decap: Decap;

  constructor(options: Partial<DataplaneOptions> = {}, capabilities: Partial<UnderlayCapabilities> = {}) {
    const all = { ...OPTIONS, ...options };
    const pool = this.arena.carvePool(66_000, 128);
    this.filled = new Ring(pool, 64, SLOTS_TO_CUT);
    this.ready = new Ring(pool, READY_ROWS);
    this.answers = new Ring(pool, 64);
    const { bytes } = this.arena;
    const can = { ...CAPABILITIES, ...capabilities };
    const target = { capabilities: can, sourcePorts: can.sourcePort ? portsBetween() : new Uint16Array(0) };
    const segmenter = new Segmenter(bytes, this.arena.reserve(segmentSlabBytes(READY_ROWS)), all, copyPieces);
    const release = (vtep: number, learned: boolean): void => void this.vteps.release(vtep, learned);
    const learning = { ...NO_LEARNING, port: 8472, ...all };
    this.learner = new Learner(this.fdb, this.vteps, bytes, learning, this.counters, release);
    this.proxy = new NeighbourProxy(bytes, this.neighbours, this.events, all.vni, all.proxy);
    const { fdb, remotes, learner, answers, proxy } = this;
    const drops = new DropTeller(this.counters, this.events, bytes, all.vni);
    const parts = { bytes, fdb, remotes, learner, segmenter, answers, proxy, paths: this.paths, drops };
    this.encap = new Encap(parts, all, target, this.counters);
    const headers = this.arena.reserve(HEADER_SLAB_BYTES);
    const { offloads = everyOffload(false) } = all;
    const joins = [offloads["tcp-coalesce"], offloads["udp-coalesce"]] as const;
    const coalescer = new Coalescer(bytes, READY_ROWS, ...joins, sumRanges);
    const inwards = { bytes, headers, fdb, vteps: this.vteps, coalescer, learner, drops };
    this.decap = new Decap(inwards, all, this.counters);
  }

  /** Adds a row: `mac` lives behind the VTEP at `address`. @returns the VTEP's index */
  peer(mac: string, address: readonly number[]): number {
    const vtep = this.vteps.acquire(Uint8Array.from(address), 8472);
    const { hi, lo } = parseMac(mac);
    this.fdb.replace(1, hi, lo, vtep);
    return vtep;
  }

  /** Sends frames, each with a vnet header (zero when left out), through encap. */
  transmit(...frames: { bytes: Uint8Array; vnet?: readonly number[] }[]): Output[] {
    this.#fill(
      4,
      frames.map(({ bytes, vnet = new Array(12).fill(0) }) => ({
        bytes: Uint8Array.from([...vnet, ...bytes]),
      })),
    );
    this.encap.run(this.filled, this.ready);
    return this.#drain();
  }

  /** The path to a VTEP takes packets of `mtu` bytes. */
  limit(address: string, mtu: number, ...vteps: number[]): void {
    this.paths.replace([{ address, mtu }]);
    for (const vtep of vteps) this.paths.enter(vtep, address);
    this.encap.pathsChanged();
  }

  /** What encap has answered itself since the last call. */
  answered(): Output[] {
    return this.#drain(this.answers);
  }

  /** Sends datagrams through decap. */
  receive(...datagrams: Received[]): Output[] {
    this.#fill(8, datagrams);
    this.decap.run(this.filled, this.ready);
    return this.#drain();
  }

  /** The same, and the TAP refuses each super-frame. */
  receiveRefused(...datagrams: Received[]): Output[] {
    this.#fill(8, datagrams);
    this.decap.run(this.filled, this.ready);
    this.decap.takeApart(this.ready);
    return this.#drain();
  }

  /** The drops that were told since the last call, or since somebody began to listen. */
  told(): DroppedPacket[] {
    return droppedOf(this.events);
  }

  drops(direction: Direction, reason: DropReason): number {
    return this.counters.drops(direction, reason);
  }

  /** Appends a VTEP to the row of a group's MAC, or of all zeros. @returns its index */
  append(mac: string, address: readonly number[]): number {
    const vtep = this.vteps.acquire(Uint8Array.from(address), 8472);
    const { hi, lo } = parseMac(mac);
    const set = this.fdb.lookup(1, hi, lo);
    if (set < 0) this.fdb.add(1, hi, lo, this.remotes.create(vtep));
    else this.remotes.append(set, vtep);
    return vtep;
  }

  /** Slots in use: 0 whenever nothing waits. */
  get leaked(): number {
    return this.filled.pool.count - this.filled.pool.free;
  }

  #fill(lead: number, packets: Received[]): void {
    const { filled } = this;
    const n = filled.prepare(packets.length, lead);
    packets.forEach(({ bytes, from = [172, 19, 0, 3], tos = 0, segment = 0 }, i) => {
      const row = filled.row(filled.head + i);
      this.arena.bytes.set(bytes, filled.words[row + OFFSET]!);
      filled.words[row + LENGTH] = bytes.length;
      filled.words[row + OUTER] = tos;
      filled.words[row + SEGMENT] = segment;
      const at = ((filled.head + i) & filled.mask) * ADDRESS_BYTES;
      writeSockaddr(filled.addresses, at, Uint8Array.from(from), 8472);
    });
    filled.publish(n, packets.length);
  }

  #drain(ready = this.ready): Output[] {
    const { words } = ready;
    const outputs: Output[] = [];
    let next = 0;
    for (let i = 0; i < ready.length; i++) {
      const row = ready.row(ready.tail + i);
      const message = i === next ? 1 + (words[row + SEGMENT]! >>> FOLLOW_SHIFT) : 0;
      next += message;
      const head = words[row + HEAD_OFFSET]!;
      const body = words[row + OFFSET]!;
      outputs.push({
        head: this.arena.bytes.slice(head, head + words[row + HEAD_LENGTH]!),
        body: this.arena.bytes.slice(body, body + words[row + LENGTH]!),
        peer: words[row + PEER]! & VTEP_MASK,
        ttl: words[row + PEER]! >>> TTL_SHIFT,
        df: (words[row + OUTER]! & DONT_FRAGMENT) !== 0,
        tos: words[row + OUTER]! & 0xff,
        port: words[row + OUTER]! >>> 16,
        message,
        segment: words[row + SEGMENT]! & 0xffff,
      });
    }
    ready.complete(ready.length);
    return outputs;
  }
}
