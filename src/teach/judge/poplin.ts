/**
 * What poplin does with a datagram: its own dataplane is asked, between a TAP and an underlay that nobody else has. So what
 * is taught of it is what runs.
 */
import { VXLAN_AT } from "../../dataplane/arena.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import { DROPS, type DropReason } from "../../dataplane/drops.ts";
import type { DataplaneOptions } from "../../dataplane/options.ts";
import type { Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import { LENGTH, OFFSET, OUTER, type Ring } from "../../dataplane/ring.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { MemoryTap } from "../../io/memory/tap.ts";
import { VXLAN_PORT_LINUX } from "../../wire/index.ts";
import type { Receiver } from "./judgement.ts";

const CAPABILITIES: UnderlayCapabilities = {
  ...{ sendTos: true, recvTos: true, df: false, ttl: false, ttlPerPacket: false, flowLabel: false },
  ...{ acceptsNoCheck6: false, sourcePort: false, gso: false, gro: false, checksum: "zero" },
};

/** A datagram as a socket has received it. */
export interface Received {
  /** The VXLAN header and what follows it. */
  readonly payload: Uint8Array;
  /** The sender's: 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** The outer TOS, or traffic class. */
  readonly tos: number;
}

/** An underlay that brings one datagram, and drops what it is to send. */
class OneDatagram implements Underlay {
  readonly kind = "one datagram";
  readonly fd = -1;
  readonly capabilities = CAPABILITIES;
  readonly sourcePorts = new Uint16Array(0);
  readonly family: 4 | 6;
  next: Received | null = null;

  constructor(family: 4 | 6) {
    this.family = family;
  }

  recvBatch(ring: Ring, max: number): number {
    const { next } = this;
    if (next === null || max === 0 || ring.prepare(1, VXLAN_AT) === 0) return 0;
    const row = ring.row(ring.head);
    const { payload, address, port, tos } = next;
    ring.bytes.set(payload, ring.words[row + OFFSET]!);
    ring.words[row + LENGTH] = payload.length;
    ring.words[row + OUTER] = tos | (port << 16);
    writeSockaddr(ring.addresses, (ring.head & ring.mask) * ADDRESS_BYTES, address, port);
    ring.publish(1, 1);
    this.next = null;
    return 1;
  }

  sendBatch(ring: Ring, _addresses: Uint8Array, count = ring.length): number {
    ring.complete(count);
    return count;
  }

  overflows(): number {
    return 0;
  }

  setWake(): void {}
  setInterest(): void {}
  close(): void {}
}

/** Null where the frame came out, else why it did not. */
export type PoplinVerdict = null | { readonly reason: DropReason; readonly words: string };

/** A row by which a sender is known: whose MAC it is does not matter. */
const PEER_MAC = "02:70:6f:70:00:01";

/** A poplin node that can be asked, again and again. */
export class PoplinVtep {
  readonly #underlay: OneDatagram;
  readonly #tap = new MemoryTap({ frames: 4 });
  readonly #dataplane: Dataplane;

  constructor({ vni, mac, mtu, learning, gbp, port }: Receiver, family: 4 | 6) {
    this.#underlay = new OneDatagram(family);
    const options: DataplaneOptions = {
      ...{ vni, mac, mtu, learning, port, tos: 0 },
      ...{ reservedBits: "rfc", senderCheck: "strict" },
      gbp: gbp ? { group: 0, dontLearn: false, applied: false } : null,
    };
    this.#dataplane = new Dataplane(options, this.#tap, this.#underlay);
  }

  /** @param known whether the sender is a VTEP that it knows */
  receive(datagram: Received, known: boolean): PoplinVerdict {
    // Whatever port it sends from: it is known by its address.
    const peer = { mac: PEER_MAC, address: datagram.address, port: VXLAN_PORT_LINUX } as const;
    if (known) this.#dataplane.update({ op: "add", ...peer });
    const reason = this.#pass(datagram);
    if (known) this.#dataplane.update({ op: "del", ...peer });
    return reason === undefined ? null : { reason, words: DROPS[reason] };
  }

  /** @returns the reason whose count has grown */
  #pass(datagram: Received): DropReason | undefined {
    const { counters, loop } = this.#dataplane;
    const before = counters.snapshot().drops.rx;
    this.#underlay.next = datagram;
    while (loop.turn() > 0);
    while (this.#tap.take() !== null);
    const after = counters.snapshot().drops.rx;
    return (Object.keys(after) as DropReason[]).find((one) => after[one] !== before[one]);
  }
}
