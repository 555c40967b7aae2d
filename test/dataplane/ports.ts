/** Ports that do as they are told, and a dataplane between them: the loop's tests say what each call returns. */
import { VNET_AT, VXLAN_AT } from "../../src/dataplane/arena.ts";
import { Dataplane } from "../../src/dataplane/dataplane.ts";
import { EventRing } from "../../src/dataplane/event-ring.ts";
import type { Offloads } from "../../src/dataplane/offloads.ts";
import type { DataplaneOptions } from "../../src/dataplane/options.ts";
import type { Tap, Underlay } from "../../src/dataplane/ports.ts";
import { FOLLOW_SHIFT, LENGTH, OFFSET, PEER, type Ring, SEGMENT } from "../../src/dataplane/ring.ts";
import { frame, MAC_A, MAC_B } from "./frames.ts";
import { CAPABILITIES, OPTIONS } from "./stages.ts";

class ScriptedPort {
  readonly fd = -1;
  /** Packets to be read. */
  readonly incoming: Uint8Array[] = [];
  /** Packets that were written. */
  readonly outgoing: Uint8Array[] = [];
  /** What the next writes return; then everything is taken. */
  readonly writes: number[] = [];
  /** What the next reads return; then what is there. */
  readonly reads: number[] = [];
  wake: (() => void) | null = null;
  interest = [false, false];

  setWake(wake: (() => void) | null): void {
    this.wake = wake;
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.interest = [readable, writable];
  }

  close(): void {}

  protected read(ring: Ring, max: number, lead: number): number {
    const scripted = this.reads.shift();
    if (scripted !== undefined) return scripted;
    const prepared = ring.prepare(max, lead);
    const n = Math.min(prepared, this.incoming.length);
    for (let i = 0; i < n; i++) {
      const row = ring.row(ring.head + i);
      const bytes = this.incoming.shift()!;
      ring.bytes.set(bytes, ring.words[row + OFFSET]!);
      ring.words[row + LENGTH] = bytes.length;
      ring.addresses.set([2, 0, 0x21, 0x18, 172, 19, 0, 3], ((ring.head + i) & ring.mask) * 28);
    }
    ring.publish(prepared, n);
    return n;
  }

  protected write(ring: Ring, count = ring.length): number {
    const n = Math.min(this.writes.shift() ?? count, count);
    for (let i = 0; i < n; i++) {
      const row = ring.row(ring.tail + i);
      const at = ring.words[row + OFFSET]!;
      this.outgoing.push(ring.bytes.slice(at, at + ring.words[row + LENGTH]!));
    }
    if (n > 0) ring.complete(n);
    return n;
  }
}

export class ScriptedTap extends ScriptedPort implements Tap {
  readonly name = "tap";
  more = false;
  /** Frames after which a read stops and says that there may be more. */
  budget = Number.POSITIVE_INFINITY;

  readBatch(ring: Ring, max: number): number {
    const read = this.read(ring, Math.min(max, this.budget), VNET_AT);
    this.more = read === this.budget;
    return read;
  }

  writeBatch(ring: Ring, count?: number): number {
    return this.write(ring, count);
  }
}

export class ScriptedUnderlay extends ScriptedPort implements Underlay {
  readonly kind = "scripted";
  readonly family = 4;
  capabilities = CAPABILITIES;
  readonly sourcePorts = new Uint16Array(0);
  /** Rows of the address slab that were sent to. */
  readonly peers: number[] = [];
  /** Rows of the messages of each call. */
  readonly messages: number[][] = [];

  recvBatch(ring: Ring, max: number): number {
    return this.read(ring, max, VXLAN_AT);
  }

  sendBatch(ring: Ring, _addresses: Uint8Array, count = ring.length): number {
    const words = (word: number): number[] =>
      Array.from({ length: count }, (_, i) => ring.words[ring.row(ring.tail + i) + word]!);
    const [peers, segments] = [words(PEER), words(SEGMENT)];
    const n = this.write(ring, count);
    if (n > 0) this.peers.push(...peers.slice(0, n));
    const messages: number[] = [];
    for (let i = 0; i < n; i += messages.at(-1)!) messages.push(1 + (segments[i]! >>> FOLLOW_SHIFT));
    if (n > 0) this.messages.push(messages);
    return n;
  }

  overflows(): number {
    return 7;
  }
}

/** A dataplane between them, with MAC_A and MAC_B behind one VTEP. */
export function setUp(offloads?: Offloads, options: Partial<DataplaneOptions> = {}) {
  const tap = new ScriptedTap();
  const underlay = new ScriptedUnderlay();
  const events = new EventRing();
  const all = { ...OPTIONS, ...options, ...(offloads && { offloads }) };
  const dataplane = new Dataplane(all, tap, underlay, undefined, undefined, events);
  for (const mac of [MAC_A, MAC_B]) {
    dataplane.update({ op: "add", mac, address: Uint8Array.of(172, 19, 0, 3), port: 8472 });
  }
  const { loop, counters } = dataplane;
  return { tap, underlay, dataplane, loop, counters, events };
}

/** A frame as the TAP hands it over: a vnet header first. */
export function tapFrame(payload = 100): Uint8Array {
  return Uint8Array.from([...new Uint8Array(12), ...frame({ payload })]);
}

export function slotsInUse(dataplane: Dataplane): number {
  const { tx, rx } = dataplane.health().slots;
  return tx.count - tx.free + rx.count - rx.free;
}
