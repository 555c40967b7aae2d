/** A packet that the agent tells of, as people want it: whole, in a line, explained. */
import type { PacketEvent } from "../agent/api/agent-view.ts";
import { DROPS, type DropReason } from "../dataplane/drops.ts";
import { type Explanation, explain, fieldsOf } from "../teach/explanation.ts";
import { summarize } from "../teach/summary.ts";
import { parseValue } from "../teach/value.ts";
import {
  encodePacket,
  type FieldValue,
  fromHex,
  IPV4,
  IPV6,
  type PacketLayer,
  type PacketOptions,
  UDP,
} from "../wire/index.ts";

/** A TTL for the outer header: which one it had, nobody has told the agent. */
const TTL = 64;

/** What is shown: of each the packets that have it, and null for all. */
export interface WatchFilter {
  /** The overlay's, or the one that the header names. */
  readonly vni: number | null;
  /** "aa:bb:cc:dd:ee:ff", outside or inside. */
  readonly mac: string | null;
  /** An IP address, outside or inside, as poplin writes it. */
  readonly address: string | null;
  readonly reason: DropReason | null;
  readonly dropsOnly: boolean;
}

export class Watched {
  readonly event: PacketEvent;
  /** From the outer IP header on, as far as the agent knows that; of what was never on the underlay, the frame. */
  readonly bytes: Uint8Array;
  readonly layer: "ip" | "udp-payload" | "ethernet";
  readonly #ports: readonly number[];
  #explanation: Explanation | null = null;

  constructor(event: PacketEvent) {
    this.event = event;
    const payload = fromHex(event.bytes);
    const outer = outerLayers(event);
    // One whose VTEP has gone meanwhile has no outer header that anybody knows.
    this.layer = outer === null ? event.layer : "ip";
    this.bytes = outer === null ? payload : encodePacket(outer, payload);
    const port = event.direction === "rx" ? event.local?.port : event.remote?.port;
    this.#ports = port === undefined ? [] : [port];
  }

  get options(): PacketOptions {
    const { layer } = this;
    return this.#ports.length === 0 ? { layer } : { layer, vxlanPorts: this.#ports };
  }

  get explanation(): Explanation {
    this.#explanation ??= explain(this.bytes, this.options);
    return this.#explanation;
  }

  /** "172.19.0.2:50300 > 172.19.0.3:8472 VXLAN vni 1 | …" */
  get summary(): string {
    return summarize(this.bytes, this.options);
  }

  /** The same without what all have in common, for narrow screens: the other VTEP, and what is inside. */
  get short(): string {
    const { remote, direction, vni } = this.event;
    const [, inner = this.summary] = this.summary.split(" | ");
    if (remote === null) return inner;
    return `${direction === "tx" ? "to" : "from"} ${remote.address} vni ${vni ?? "?"} ${inner}`;
  }

  /** Why it was dropped, in words; null where it was not. */
  get dropWords(): string | null {
    const { drop } = this.event;
    if (drop === null) return null;
    return `${DROPS[drop.reason]}${drop.error === null ? "" : ` (${drop.error})`}`;
  }

  /** The conversation that it belongs to: the innermost addresses and ports that there are. */
  get flow(): string {
    const [, inner = this.summary] = this.summary.split(" | ");
    return inner.replace(/(, \d+ bytes?.*| seq \d+.*| ack \d+.*|, [A-Z].*)$/, "");
  }

  isMeant({ vni, mac, address, reason, dropsOnly }: WatchFilter): boolean {
    const { drop } = this.event;
    if ((dropsOnly || reason !== null) && drop === null) return false;
    if (reason !== null && drop!.reason !== reason) return false;
    if (vni !== null && this.event.vni !== vni && !this.#has("vni", vni)) return false;
    if (mac !== null && !this.#says(mac)) return false;
    return address === null || this.#says(address);
  }

  #has(name: string, value: number): boolean {
    return fieldsOf(this.explanation).some((field) => field.name === name && field.value === value);
  }

  #says(text: string): boolean {
    return fieldsOf(this.explanation).some((field) => field.text === text);
  }
}

/** The headers that were around a datagram; null where there was none. Lengths are those of the whole one. */
function outerLayers({ direction, local, remote, length, tos }: PacketEvent): PacketLayer[] | null {
  if (local === null || remote === null) return null;
  const [source, destination] = direction === "tx" ? [local, remote] : [remote, local];
  const traffic = { dscp: tos >> 2, ecn: tos & 3 };
  const udp: PacketLayer = [
    UDP,
    { sourcePort: source.port, destinationPort: destination.port, length: length + 8, checksum: 0 },
  ];
  const addresses = { source: addressValue(source.address), destination: addressValue(destination.address) };
  const ip: PacketLayer = source.address.includes(":")
    ? [IPV6, { ...traffic, ...addresses, payloadLength: length + 8, hopLimit: TTL }]
    : [IPV4, { ...traffic, ...addresses, totalLength: length + 28, ttl: TTL }];
  return [ip, udp];
}

function addressValue(address: string): FieldValue {
  const isLong = address.includes(":");
  return parseValue({ id: "address", width: isLong ? 128 : 32, format: isLong ? "ipv6" : "ipv4" }, address);
}
