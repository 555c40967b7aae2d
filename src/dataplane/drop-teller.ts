/**
 * A packet that we drop goes through here: it is counted, and whoever listens is told which packet it was (`event-ring.ts`).
 * While nobody does, a drop costs two looks at a word more than its counter.
 *
 * What the kernel dropped before us, the rest of a message that it refused, and the rest of a train that is longer than any
 * kernel's is only counted.
 */
import { AF_INET, AF_INET6, sockaddrAddressAt, sockaddrFamily, sockaddrPort } from "../fdb/sockaddr.ts";
import { i32, macHi, macLo } from "../wire/bytes.ts";
import { Location, locate } from "../wire/flow.ts";
import { ETHERTYPE_ARP, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import { VXLAN_LENGTH } from "../wire/vxlan.ts";
import type { Counters } from "./counters.ts";
import {
  DESTINATION,
  HAS_HEADER,
  HAS_INNER_IPV4,
  HAS_INNER_IPV6,
  HAS_MACS,
  HAS_PORTS,
  HAS_REMOTE_IPV4,
  HAS_REMOTE_IPV6,
  HEADER,
  KINDS,
  LENGTH,
  MACS,
  NO_PROTOCOL,
  PORTS,
  REMOTE,
  REMOTE_PORT,
  SOURCE,
  WHY,
} from "./drop-row.ts";
import { ABOUT, DROP, DROPPED, type EventRing } from "./event-ring.ts";
import { PacketTeller } from "./packet-teller.ts";

/** Bytes of an ARP message for Ethernet and IPv4, and where in it the two addresses are (RFC 826). */
const ARP_LENGTH = 28;
const ARP_SENDER = 14;
const ARP_TARGET = 24;

export class DropTeller {
  /** The counters'. */
  readonly values: Float64Array;
  /** Tells of packets, where somebody watches: those that are dropped, and others. */
  readonly packets: PacketTeller;
  readonly #events: EventRing;
  readonly #bytes: Uint8Array;
  readonly #vni: number;
  readonly #where = new Location();

  /**
   * @param events where it is told
   * @param bytes in which packets lie
   * @param vni of the overlay whose counters these are
   */
  constructor(counters: Counters, events: EventRing, bytes: Uint8Array, vni: number) {
    this.values = counters.values;
    this.#events = events;
    this.#bytes = bytes;
    this.#vni = vni;
    this.packets = new PacketTeller(events, bytes, vni);
  }

  /**
   * A datagram that was received is dropped.
   * @param counter of the reason (`dropIndex`)
   * @param addresses whose bytes at `from` are the sender's sockaddr
   * @param at where its VXLAN header starts
   * @param length of it and the frame, in bytes
   * @param tos of the outer header
   */
  datagram(
    counter: number,
    addresses: Uint8Array,
    from: number,
    at: number,
    length: number,
    tos: number,
  ): void {
    if (this.#events.listensTo(DROPPED)) this.#tell(counter, 0, addresses, from, at, length);
    if (this.packets.watched) this.packets.dropped(counter, tos, addresses, from, at, length);
    this.values[counter]! += 1;
  }

  /** A frame that came from the TAP, or that it refused, is dropped. @param errno 0 where we did it ourselves */
  frame(counter: number, at: number, length: number, errno = 0): void {
    if (this.#events.listensTo(DROPPED)) {
      this.#begin(counter, errno, 0);
      this.#frame(at, length);
      this.#events.commit();
    }
    if (this.packets.watched) this.packets.droppedFrame(counter, errno, at, length);
    this.values[counter]! += 1;
  }

  /**
   * The underlay has refused a datagram of ours.
   * @param addresses whose bytes at `to` are its VTEP's sockaddr
   * @param at where its VXLAN header starts
   * @param outer as in its row: TOS and source port
   */
  refused(
    counter: number,
    errno: number,
    addresses: Uint8Array,
    to: number,
    at: number,
    length: number,
    outer: number,
  ): void {
    if (this.#events.listensTo(DROPPED)) this.#tell(counter, errno, addresses, to, at, length);
    if (this.packets.watched) {
      this.packets.refused(counter | (errno << 16), outer, addresses, to, at, length);
    }
    this.values[counter]! += 1;
  }

  #tell(counter: number, errno: number, addresses: Uint8Array, to: number, at: number, length: number): void {
    const header = length >= VXLAN_LENGTH ? HAS_HEADER : 0;
    this.#begin(counter, errno, header);
    this.#remote(addresses, to);
    if (header !== 0) {
      const { row } = this.#events;
      row[ABOUT + HEADER] = i32(this.#bytes, at);
      row[ABOUT + HEADER + 1] = i32(this.#bytes, at + 4);
      this.#frame(at + VXLAN_LENGTH, length - VXLAN_LENGTH);
    }
    this.#events.commit();
  }

  #begin(counter: number, errno: number, has: number): void {
    const { row } = this.#events;
    row.fill(0);
    row[0] = DROP;
    row[1] = this.#vni;
    row[ABOUT + WHY] = counter | (errno << 16);
    row[ABOUT + KINDS] = has | (NO_PROTOCOL << 8);
  }

  #remote(addresses: Uint8Array, at: number): void {
    const family = sockaddrFamily(addresses, at);
    if (family !== AF_INET && family !== AF_INET6) return;
    const { row } = this.#events;
    const address = sockaddrAddressAt(addresses, at);
    const words = family === AF_INET ? 1 : 4;
    for (let i = 0; i < words; i++) row[ABOUT + REMOTE + i] = i32(addresses, address + 4 * i);
    row[ABOUT + REMOTE_PORT] = sockaddrPort(addresses, at);
    row[ABOUT + KINDS]! |= family === AF_INET ? HAS_REMOTE_IPV4 : HAS_REMOTE_IPV6;
  }

  #frame(at: number, length: number): void {
    const bytes = this.#bytes;
    const { row } = this.#events;
    row[ABOUT + LENGTH] = length;
    if (length < ETHERNET_LENGTH) return;
    row[ABOUT + MACS] = (macHi(bytes, at) << 16) | macHi(bytes, at + 6);
    row[ABOUT + MACS + 1] = macLo(bytes, at);
    row[ABOUT + MACS + 2] = macLo(bytes, at + 6);
    row[ABOUT + KINDS]! |= HAS_MACS;
    this.#packet(at + length);
  }

  /** What is in the frame that ends at `end`. */
  #packet(end: number): void {
    const bytes = this.#bytes;
    const { row } = this.#events;
    const where = this.#where;
    const length = row[ABOUT + LENGTH]!;
    locate(bytes, end - length, length, where);
    const { version, l3At, l4At, protocol, etherType } = where;
    let kinds = row[ABOUT + KINDS]! | (etherType << 16);
    if (version === 4) kinds |= this.#addresses(HAS_INNER_IPV4, l3At + 12, l3At + 16);
    else if (version === 6) kinds |= this.#addresses(HAS_INNER_IPV6, l3At + 8, l3At + 24);
    else if (etherType === ETHERTYPE_ARP && l3At + ARP_LENGTH <= end) {
      kinds |= this.#addresses(HAS_INNER_IPV4, l3At + ARP_SENDER, l3At + ARP_TARGET);
    }
    if (version !== 0 && protocol >= 0) kinds = (kinds & ~(NO_PROTOCOL << 8)) | (protocol << 8);
    if (l4At > 0 && (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP)) {
      kinds |= HAS_PORTS;
      row[ABOUT + PORTS] = i32(bytes, l4At);
    }
    row[ABOUT + KINDS] = kinds;
  }

  /** @returns `has` */
  #addresses(has: number, source: number, destination: number): number {
    const bytes = this.#bytes;
    const { row } = this.#events;
    const words = has === HAS_INNER_IPV4 ? 1 : 4;
    for (let i = 0; i < words; i++) {
      row[ABOUT + SOURCE + i] = i32(bytes, source + 4 * i);
      row[ABOUT + DESTINATION + i] = i32(bytes, destination + 4 * i);
    }
    return has;
  }
}
