/**
 * A frame of our own, through the running stages of an overlay and back:
 *
 *   row for a MAC that nobody has → encap → datagram, copied as a wire would copy it → decap → the same frame, or why not
 *
 * What it goes through is what every packet goes through: the overlay's own encap and decap, its forwarding table, the
 * sender check, the header checks, in the thread that moves the packets. What it does not go through is whatever would show
 * it to others: rings and slots are its own, so neither the underlay nor the TAP ever sees it, and the VTEP that it goes to
 * and comes from is this machine's loopback address, which no node has.
 *
 * It runs between two turns of the loop, and leaves everything as it was: the row goes again, no drop of it is told, and
 * the counters get the values that they had (the main thread shows those before it meanwhile:
 * `agent/engine/worker-engine.ts`). While packets wait in the rings it does not run: a stage may be half way through them.
 */
import { ADDRESS_BYTES } from "../fdb/sockaddr.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { formatMacKey, fromHex, parseMac, putMac, putU16 } from "../wire/bytes.ts";
import { checksum, pseudoSumV4, udpChecksum } from "../wire/checksum.ts";
import { ETHERTYPE_IPV4, PROTOCOL_UDP } from "../wire/numbers.ts";
import { ETHERNET_LENGTH, IPV4_LENGTH, UDP_CHECKSUM_AT, UDP_LENGTH } from "../wire/views.ts";
import { hasVni, readVni, VXLAN_FLAG_I, VXLAN_LENGTH } from "../wire/vxlan.ts";
import { type Arena, FRAME_AT, VNET_AT, VNET_LENGTH, VXLAN_AT } from "./arena.ts";
import { COUNTER_NAMES } from "./counters.ts";
import { MAX_SEGMENTS } from "./decap.ts";
import { DROP_REASONS } from "./drops.ts";
import type { EventRing } from "./event-ring.ts";
import type { Overlay } from "./overlay.ts";
import { HEAD_LENGTH, HEAD_OFFSET, LENGTH, OFFSET, OUTER, PEER, Ring, VTEP_MASK } from "./ring.ts";

/** What came of a probe: null, or `busy` where packets wait and it did not run, or why it did not come back. */
export type ProbeVerdict = null | "busy" | { readonly why: string };

/** Bytes of a slot, and of the frame in it. */
const SLOT_BYTES = 192;
const FRAME_BYTES = ETHERNET_LENGTH + IPV4_LENGTH + UDP_LENGTH + 16;
/** From 192.0.2.1 to 192.0.2.2 (RFC 5737: nobody's), 44 bytes, DF, TTL 64, UDP; its checksum is filled in. */
const IPV4_HEADER = fromHex("4500002c0000400040110000c0000201c0000202");
/** Slots: one to send, one to receive. */
const SLOTS = 2;
/** Bytes of the arena that probes need. */
export const PROBE_BYTES = SLOTS * SLOT_BYTES;

/** Locally administered; where somebody behind us has the first, the next is taken. */
const MACS = [0, 1, 2, 3].map((n) => formatMacKey(0x0270, 0x6f706c00 + n));
/** Where it goes, and comes from. */
const LOOPBACK = {
  4: Uint8Array.of(127, 0, 0, 1),
  6: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
} as const;
/** discard (RFC 863): a port like any other for a VTEP that nothing is sent to. */
const PORT = 9;

interface ProbeRings {
  readonly filled: Ring;
  readonly ready: Ring;
  readonly received: Ring;
  readonly decapsulated: Ring;
}

export class SelfProbe {
  readonly #pool: ReturnType<Arena["carvePool"]>;
  readonly #vteps: VtepTable;
  readonly #family: 4 | 6;
  readonly #events: EventRing;
  /** Made by the first probe. */
  #rings: ProbeRings | undefined;
  #number = 0;

  /**
   * @param arena with room for `PROBE_BYTES`
   * @param events in which no drop of a probe's is told
   */
  constructor(arena: Arena, vteps: VtepTable, family: 4 | 6, events: EventRing) {
    this.#pool = arena.carvePool(SLOT_BYTES, SLOTS);
    this.#vteps = vteps;
    this.#family = family;
    this.#events = events;
  }

  /** To be called between two turns, with nothing in the loop's rings. @returns null when the frame came back as it was */
  run(overlay: Overlay): ProbeVerdict {
    const { values } = overlay.counters;
    const before = values.slice();
    const change = { address: LOOPBACK[this.#family], port: PORT };
    const free = MACS.filter((one) => one !== overlay.mac);
    const mac = free.find((one) => overlay.update({ op: "add", mac: one, ...change }) === null);
    if (mac === undefined) return { why: "no MAC is free for it" };
    this.#events.silent = true;
    try {
      return this.#through(overlay, mac, before);
    } finally {
      this.#events.silent = false;
      this.#clear();
      overlay.update({ op: "del", mac, ...change });
      values.set(before);
    }
  }

  /** What a stage has left lying is in nobody's way the next time. */
  #clear(): void {
    for (const ring of Object.values(this.#rings ?? {}) as Ring[]) ring.complete(ring.length);
  }

  #through(overlay: Overlay, mac: string, before: Float64Array): ProbeVerdict {
    this.#rings ??= ringsOver(this.#pool);
    if (this.#pool.free < SLOTS) return { why: "a stage has kept the slot of a probe before" };
    const { filled, ready, received, decapsulated } = this.#rings;
    const slot = this.#pool.take();
    const frame = this.#writeFrame(slot, mac);
    filled.push(slot, slot + VNET_AT, VNET_LENGTH + FRAME_BYTES);
    overlay.encap.run(filled, ready);
    if (ready.length !== 1) return this.#lost("encap", overlay, before);
    const wrong = this.#receive(overlay.vni, ready, received);
    ready.complete(1);
    if (wrong !== null) return { why: wrong };
    overlay.decap.run(received, decapsulated);
    if (decapsulated.length !== 1) return this.#lost("decap", overlay, before);
    const same = sameFrame(decapsulated, frame);
    decapsulated.complete(1);
    return same ? null : { why: "the frame that decap made is not the one that encap was given" };
  }

  /** A UDP packet, no two in a row alike. @returns its bytes */
  #writeFrame(slot: number, mac: string): Uint8Array {
    const { bytes } = this.#pool;
    const frame = bytes.subarray(slot + FRAME_AT, slot + FRAME_AT + FRAME_BYTES);
    bytes.fill(0, slot + VNET_AT, slot + FRAME_AT);
    frame.fill(++this.#number & 0xff);
    const { hi, lo } = parseMac(mac);
    putMac(frame, 0, hi, lo);
    putMac(frame, 6, hi, lo);
    putU16(frame, 12, ETHERTYPE_IPV4);
    const ip = ETHERNET_LENGTH;
    const udp = ip + IPV4_LENGTH;
    const length = FRAME_BYTES - udp;
    frame.set(IPV4_HEADER, ip);
    putU16(frame, ip + 10, checksum(frame, ip, IPV4_LENGTH));
    frame.set([0, PORT, 0, PORT, 0, length, 0, 0], udp);
    const pseudo = pseudoSumV4(frame, ip, PROTOCOL_UDP, length);
    putU16(frame, udp + UDP_CHECKSUM_AT, udpChecksum(frame, udp, length, pseudo));
    return frame.slice();
  }

  /** What a wire does: the datagram, as encap has made it, stands in another slot, with its sender. @returns what is wrong */
  #receive(vni: number, ready: Ring, received: Ring): string | null {
    const { bytes } = this.#pool;
    const { words } = ready;
    const row = ready.row(ready.tail);
    const at = words[row + OFFSET]!;
    const length = words[row + LENGTH]!;
    if (length !== VXLAN_LENGTH + FRAME_BYTES) return `encap made ${length} bytes of it`;
    if (!hasVni(bytes, at) || readVni(bytes, at) !== vni) return "encap wrote another VNI";
    const vtep = words[row + PEER]! & VTEP_MASK;
    if (this.#vteps.describe(vtep).port !== PORT) return "the forwarding table led it to another VTEP";
    const slot = this.#pool.take();
    bytes.copyWithin(slot + VXLAN_AT, at, at + length);
    // The group of a policy, if it has one, would be shown as that of the last packet received.
    bytes.fill(0, slot + VXLAN_AT, slot + VXLAN_AT + 4);
    bytes[slot + VXLAN_AT] = VXLAN_FLAG_I;
    const sender = this.#vteps.slab.subarray(vtep * ADDRESS_BYTES, (vtep + 1) * ADDRESS_BYTES);
    received.rewind();
    received.addresses.set(sender); // that of its one row
    const pushed = received.push(slot, slot + VXLAN_AT, length);
    received.words[pushed + OUTER] = words[row + OUTER]! & 0xff;
    return null;
  }

  /** The reason for which a stage dropped it: the counter that grew. */
  #lost(stage: string, { counters }: Overlay, before: Float64Array): ProbeVerdict {
    const grown = counters.values.findIndex((value, i) => i >= COUNTER_NAMES.length && value > before[i]!);
    const reason = DROP_REASONS[(grown - COUNTER_NAMES.length) % DROP_REASONS.length];
    return { why: `${stage} dropped it${reason === undefined ? "" : `: ${reason}`}` };
  }
}

function ringsOver(pool: ReturnType<Arena["carvePool"]>): ProbeRings {
  const ring = (rows: number): Ring => new Ring(pool, rows);
  return { filled: ring(1), ready: ring(4), received: ring(1), decapsulated: ring(MAX_SEGMENTS) };
}

/** Whether the frame to write is this one, behind a vnet header that asks nothing of the kernel. */
function sameFrame(ring: Ring, frame: Uint8Array): boolean {
  const { bytes, words } = ring;
  const row = ring.row(ring.tail);
  const [head, at] = [words[row + HEAD_OFFSET]!, words[row + OFFSET]!];
  if (words[row + HEAD_LENGTH] !== VNET_LENGTH || words[row + LENGTH] !== frame.length) return false;
  return (
    frame.every((byte, i) => bytes[at + i] === byte) &&
    bytes.subarray(head, head + VNET_LENGTH).every((b) => b === 0)
  );
}
