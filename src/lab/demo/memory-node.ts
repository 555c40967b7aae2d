/**
 * A node of the demo in memory: the real dataplane between a TAP and an underlay that are queues, and above the TAP a
 * pod small enough to read. The pod answers pings; it also does what the node's kernel would: it writes the Ethernet
 * header that neighbour and route rows lead to, and the TTL has passed one hop.
 */
import type { Engine } from "../../agent/engine/engine.ts";
import { startInlineEngine } from "../../agent/engine/inline-engine.ts";
import type { DataplaneOptions } from "../../dataplane/options.ts";
import type { Underlay } from "../../dataplane/ports.ts";
import { MemoryTap } from "../../io/memory.ts";
import {
  checksum,
  encode,
  formatMac,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  IPV4,
  parseMac,
  putMac,
  putU16,
  u16,
  u32,
} from "../../wire/index.ts";
import { DEVICE, VNI, VXLAN_PORT } from "../node.ts";
import type { NodePlan } from "../plan.ts";
import { podAddress } from "../plan.ts";

export const MTU = 1450;

/** Where things are in a frame of ours: Ethernet 14, IPv4 20, ICMP echo 8, data. */
const IP_AT = 14;
const ICMP_AT = 34;
const DATA_AT = 42;
const DATA_BYTES = 56;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_ICMP = 1;
const IDENTIFIER = 0x706f; // "po"
/** A pod sends 64, and the node's kernel has forwarded it once before it reaches the device. */
const TTL = 63;

const POLICY: Pick<DataplaneOptions, "reservedBits" | "senderCheck" | "tos"> = {
  reservedBits: "rfc",
  senderCheck: "strict",
  tos: 0,
};

export class MemoryNode {
  readonly plan: NodePlan;
  readonly engine: Engine;
  readonly #tap = new MemoryTap({ name: DEVICE, frames: 64, frameBytes: 2048 });
  readonly #underlay: Underlay;
  readonly #address: number;
  #waiting: { readonly sequence: number; readonly done: () => void } | null = null;
  #sequence = 0;

  constructor(plan: NodePlan, underlay: Underlay) {
    this.plan = plan;
    this.#underlay = underlay;
    this.#address = ipv4Number(podAddress(plan).v4);
    this.engine = startInlineEngine(
      { vni: VNI, mac: plan.vtepMac, mtu: MTU, ...POLICY },
      this.#tap,
      underlay,
    );
    this.#tap.onFrame(({ frame }) => this.#receive(frame));
  }

  /** Makes the peers known: one FDB row each. */
  async join(peers: readonly NodePlan[]): Promise<void> {
    const changes = peers.map((peer) => ({
      op: "add" as const,
      mac: peer.vtepMac,
      address: Uint8Array.from(peer.address.split("."), Number),
      port: VXLAN_PORT,
    }));
    await this.engine.ask({ type: "update", changes });
  }

  /** Pings another node's pod. @returns milliseconds, null when no answer came within `timeout` milliseconds */
  ping(peer: NodePlan, timeout: number): Promise<number | null> {
    const sequence = ++this.#sequence;
    const start = performance.now();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeout);
      this.#waiting = {
        sequence,
        done: () => {
          clearTimeout(timer);
          resolve(performance.now() - start);
        },
      };
      const data = Uint8Array.from({ length: DATA_BYTES }, (_, i) => 0x10 + i);
      this.#send(peer.vtepMac, ipv4Number(podAddress(peer).v4), ICMP_ECHO_REQUEST, sequence, data);
    });
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    this.#tap.close();
    this.#underlay.close();
  }

  #send(mac: string, destination: number, type: number, sequence: number, data: Uint8Array): void {
    const frame = new Uint8Array(DATA_AT + data.length);
    const [to, from] = [parseMac(mac), parseMac(this.plan.vtepMac)];
    putMac(frame, 0, to.hi, to.lo);
    putMac(frame, 6, from.hi, from.lo);
    putU16(frame, 12, ETHERTYPE_IPV4);
    const ip = {
      totalLength: frame.length - IP_AT,
      dontFragment: 1,
      ttl: TTL,
      protocol: PROTOCOL_ICMP,
      source: this.#address,
      destination,
    };
    encode(IPV4, ip, frame, IP_AT);
    encode(IPV4, { ...ip, headerChecksum: checksum(frame, IP_AT, 20) }, frame, IP_AT);
    frame.set(data, DATA_AT);
    const echo = { type, identifier: IDENTIFIER, sequence };
    encode(ICMP_ECHO, echo, frame, ICMP_AT);
    const sum = checksum(frame, ICMP_AT, frame.length - ICMP_AT);
    encode(ICMP_ECHO, { ...echo, checksum: sum }, frame, ICMP_AT);
    this.#tap.inject(frame);
  }

  /** The pod: answers echo requests to its address, and notices the answers to its own. */
  #receive(frame: Uint8Array): void {
    const forUs = u16(frame, 12) === ETHERTYPE_IPV4 && u32(frame, IP_AT + 16) === this.#address;
    if (!forUs || frame[IP_AT + 9] !== PROTOCOL_ICMP) return;
    const sequence = u16(frame, ICMP_AT + 6);
    if (frame[ICMP_AT] === ICMP_ECHO_REPLY && this.#waiting?.sequence === sequence) this.#waiting.done();
    if (frame[ICMP_AT] !== ICMP_ECHO_REQUEST) return;
    this.#send(formatMac(frame, 6), u32(frame, IP_AT + 12), ICMP_ECHO_REPLY, sequence, frame.slice(DATA_AT));
  }
}

function ipv4Number(text: string): number {
  return u32(Uint8Array.from(text.split("."), Number), 0);
}
