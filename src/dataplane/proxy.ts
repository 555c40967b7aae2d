/**
 * Answers for the others: an ARP request (RFC 826) or a neighbour solicitation (RFC 4861 section 7.2) for an address
 * that the table knows is turned into its answer where it lies, and goes back to the TAP (`answers.ts`). No question
 * crosses the underlay then. What the kernel's VXLAN does with its option `proxy` (`arp_reduce`, `neigh_reduce`), and
 * the same bytes, with these differences:
 *
 * - A request that keeps its VLAN tag gets an answer with that tag. (The kernel's answer has none.)
 * - An announcement (gratuitous ARP: sender and target are one) asks nobody, and is not answered.
 * - A solicitation with another hop limit than 255 came from beyond a router, and is none (RFC 4861 section 7.1.1).
 * - A probe for a duplicate (source ::) is answered as section 7.2.4 says: to all nodes, Solicited clear. The kernel
 *   answers to ::, which no packet may be sent to (RFC 4291 section 2.5.2), so that nobody hears it. An ARP probe
 *   (RFC 5227: the sender is 0.0.0.0) is answered by both.
 *
 * What is not answered is swallowed, as by the kernel, and with it every ARP message that asks for nothing; or goes its
 * way, if the policy says so. An address without a row is told as `l3miss`.
 *
 * It belongs to encap, which asks for frames that its short loop has left over, and allocates nothing.
 */
import type { Fdb } from "../fdb/fdb.ts";
import type { NeighbourTable } from "../fdb/neighbours.ts";
import { NOBODY } from "../fdb/vteps.ts";
import { i32, macHi, macLo, putMac, putU16, putU32, u16 } from "../wire/bytes.ts";
import { checksum, pseudoSumV6 } from "../wire/checksum.ts";
import type { Location } from "../wire/flow.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTOCOL_ICMPV6 } from "../wire/numbers.ts";
import { IPV6_LENGTH } from "../wire/views.ts";
import { type EventRing, L2_MISS, L3_MISS_IPV4, L3_MISS_IPV6 } from "./event-ring.ts";
import type { ProxyPolicy } from "./options.ts";

/** From `answer`: the frame is no question, or goes its way like any other. */
export const NO_QUESTION = 0;
/** From `answer`: the frame ends here. */
export const UNANSWERED = -1;

const ARP_LENGTH = 28;
/** Hardware types that the kernel's `arp_reduce` takes for Ethernet: 1, and 6, IEEE 802. */
const HARDWARE_ETHERNET = 1;
const HARDWARE_IEEE802 = 6;
/** Address lengths, 6 and 4, and the opcode of a request. */
const LENGTHS_AND_REQUEST = 0x06040001;
const ARP_REPLY = 2;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;

const ND_SOLICITATION = 135;
const ND_ADVERTISEMENT = 136;
const ND_TARGET = 8;
/** Bytes before the options. */
const ND_LENGTH = 24;
const OPTION_SOURCE = 1;
const OPTION_TARGET = 2;
const OPTION_BYTES = 8;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const HOP_LIMIT = 255;
const IP_SOURCE = 8;
const IP_DESTINATION = 24;
/** First word of ff02::1, all nodes on the link, and its MAC. */
const ALL_NODES = 0xff020000 | 0;
const ALL_NODES_MAC = [0x3333, 1] as const;

/** Nothing is answered and nothing told. */
export const NO_PROXY: ProxyPolicy = { on: false, unknown: "drop", l2miss: false, l3miss: false };

export class NeighbourProxy {
  /** Whether questions are answered: encap asks this first. */
  on = false;
  #unanswered = UNANSWERED;
  #l2miss = false;
  #l3miss = false;
  readonly #bytes: Uint8Array;
  readonly #fdb: Fdb;
  readonly #neighbours: NeighbourTable;
  readonly #events: EventRing;
  readonly #vni: number;
  /** Where the MAC lies that an advertisement goes to. */
  #asker = 0;

  constructor(
    bytes: Uint8Array,
    fdb: Fdb,
    neighbours: NeighbourTable,
    events: EventRing,
    vni: number,
    policy: ProxyPolicy = NO_PROXY,
  ) {
    this.#bytes = bytes;
    this.#fdb = fdb;
    this.#neighbours = neighbours;
    this.#events = events;
    this.#vni = vni;
    this.setPolicy(policy);
  }

  setPolicy({ on, unknown, l2miss, l3miss }: ProxyPolicy): void {
    this.on = on;
    this.#unanswered = unknown === "drop" ? UNANSWERED : NO_QUESTION;
    this.#l2miss = l2miss;
    this.#l3miss = l3miss;
  }

  /** Tells that there is no row for the destination of the frame at `frame`, as `vxlan_fdb_miss` does. */
  missed(frame: number): void {
    const bytes = this.#bytes;
    if (!this.#l2miss || (bytes[frame]! & 1) !== 0) return;
    this.#events.tell(L2_MISS, this.#vni, macHi(bytes, frame), macLo(bytes, frame), 0, 0);
  }

  /**
   * Makes the answer of a question that is one.
   * @param frame where it starts; behind its `length` there is room for an option more
   * @param where as `locate` has found it
   * @returns the length of the answer that lies there now, `NO_QUESTION` or `UNANSWERED`
   */
  answer(frame: number, length: number, where: Location): number {
    if (where.etherType === ETHERTYPE_ARP) return this.#arp(frame, frame + length, where.l3At);
    const { l3At, l4At } = where;
    const solicits =
      where.protocol === PROTOCOL_ICMPV6 &&
      l4At === l3At + IPV6_LENGTH &&
      where.l4Length >= ND_LENGTH &&
      u16(this.#bytes, l4At) === ND_SOLICITATION << 8 && // type, and code 0
      this.#bytes[l3At + 7] === HOP_LIMIT;
    return solicits ? this.#solicitation(frame, l3At, where.l4Length) : NO_QUESTION;
  }

  #arp(frame: number, end: number, at: number): number {
    const bytes = this.#bytes;
    if (at + ARP_LENGTH > end) return this.#unanswered;
    const hardware = u16(bytes, at);
    if (hardware !== HARDWARE_ETHERNET && hardware !== HARDWARE_IEEE802) return this.#unanswered;
    if (u16(bytes, at + 2) !== ETHERTYPE_IPV4) return this.#unanswered;
    if (i32(bytes, at + 4) !== LENGTHS_AND_REQUEST) return this.#unanswered;
    const first = bytes[at + TARGET_IP]!;
    const multicast = first >>> 4 === 0xe;
    const loopback = first === 127;
    if (multicast || loopback || i32(bytes, at + TARGET_IP) === i32(bytes, at + SENDER_IP)) {
      return this.#unanswered;
    }
    const row = this.#neighbours.find(this.#vni, 4, bytes, at + TARGET_IP);
    if (row < 0) {
      if (this.#l3miss) this.#events.tell(L3_MISS_IPV4, this.#vni, i32(bytes, at + TARGET_IP), 0, 0, 0);
      return this.#unanswered;
    }
    if (this.#isLocal(row)) return this.#unanswered;
    bytes.copyWithin(frame, at + SENDER_MAC, at + SENDER_MAC + 6);
    this.#putMac(frame + 6, row);
    putU16(bytes, at, HARDWARE_ETHERNET);
    putU16(bytes, at + 6, ARP_REPLY);
    const address = i32(bytes, at + TARGET_IP);
    bytes.copyWithin(at + TARGET_MAC, at + SENDER_MAC, at + SENDER_MAC + 10);
    this.#putMac(at + SENDER_MAC, row);
    putU32(bytes, at + SENDER_IP, address);
    return at + ARP_LENGTH - frame;
  }

  #solicitation(frame: number, ip: number, length: number): number {
    const bytes = this.#bytes;
    const at = ip + IPV6_LENGTH;
    const target = at + ND_TARGET;
    if (bytes[target] === 0xff) return this.#unanswered;
    const row = this.#neighbours.find(this.#vni, 6, bytes, target);
    if (row < 0) {
      if (this.#l3miss) this.#tellIpv6(target);
      return this.#unanswered;
    }
    if (this.#isLocal(row) || !this.#findAsker(frame, at, length)) return this.#unanswered;
    this.#advertise(frame, ip, at, row);
    return at + ND_LENGTH + OPTION_BYTES - frame;
  }

  /** Turns the solicitation into the advertisement. `vxlan_na_create` writes the same bytes. */
  #advertise(frame: number, ip: number, at: number, row: number): void {
    const bytes = this.#bytes;
    const probe =
      (i32(bytes, ip + IP_SOURCE) |
        i32(bytes, ip + IP_SOURCE + 4) |
        i32(bytes, ip + IP_SOURCE + 8) |
        i32(bytes, ip + IP_SOURCE + 12)) ===
      0;
    bytes.copyWithin(frame, this.#asker, this.#asker + 6);
    this.#putMac(frame + 6, row);
    bytes.fill(0, ip + 1, ip + 4); // of traffic class and flow label the kernel keeps the first four bits
    putU16(bytes, ip + 4, ND_LENGTH + OPTION_BYTES);
    bytes.copyWithin(ip + IP_DESTINATION, ip + IP_SOURCE, ip + IP_DESTINATION);
    bytes.copyWithin(ip + IP_SOURCE, at + ND_TARGET, at + ND_TARGET + 16);
    if (probe) {
      putMac(bytes, frame, ALL_NODES_MAC[0], ALL_NODES_MAC[1]);
      putU32(bytes, ip + IP_DESTINATION, ALL_NODES);
      bytes[ip + IP_DESTINATION + 15] = 1;
    }
    putU32(bytes, at, ND_ADVERTISEMENT << 24);
    putU32(bytes, at + 4, (probe ? OVERRIDE : SOLICITED | OVERRIDE) << 24);
    putU16(bytes, at + ND_LENGTH, (OPTION_TARGET << 8) | (OPTION_BYTES >> 3));
    this.#putMac(at + ND_LENGTH + 2, row);
    const size = ND_LENGTH + OPTION_BYTES;
    putU16(bytes, at + 2, checksum(bytes, at, size, pseudoSumV6(bytes, ip, PROTOCOL_ICMPV6, size)));
  }

  /**
   * Finds the MAC to answer to: that of the first source link-layer option, else the frame's source.
   * @returns false for options that make no sense (RFC 4861 section 4.6): the message is silently discarded then
   */
  #findAsker(frame: number, at: number, length: number): boolean {
    const bytes = this.#bytes;
    this.#asker = frame + 6;
    const end = at + length;
    for (let option = at + ND_LENGTH; option + 1 < end; ) {
      const size = bytes[option + 1]! << 3;
      if (size === 0 || option + size > end) return false;
      if (bytes[option] === OPTION_SOURCE) {
        this.#asker = option + 2;
        return true;
      }
      option += size;
    }
    return true;
  }

  /** A neighbour behind a row that leads to nobody is on our own side, and answers for itself. One without a row is not. */
  #isLocal(row: number): boolean {
    return this.#fdb.lookup(this.#vni, this.#neighbours.hi(row), this.#neighbours.lo(row)) === NOBODY;
  }

  #putMac(at: number, row: number): void {
    putMac(this.#bytes, at, this.#neighbours.hi(row), this.#neighbours.lo(row));
  }

  #tellIpv6(at: number): void {
    const bytes = this.#bytes;
    const b = i32(bytes, at + 4);
    const c = i32(bytes, at + 8);
    this.#events.tell(L3_MISS_IPV6, this.#vni, i32(bytes, at), b, c, i32(bytes, at + 12));
  }
}
