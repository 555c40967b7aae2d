/**
 * Answers for the others: an ARP request (RFC 826) or a neighbour solicitation (RFC 4861 section 7.2) for an address
 * that the table knows is turned into its answer where it lies, and goes back to the TAP (`answers.ts`). No question
 * crosses the underlay then. What the kernel's VXLAN does with its option `proxy` (`arp_reduce`, `neigh_reduce`), and
 * the same bytes, with these differences:
 *
 * - A request that keeps its VLAN tag gets an answer with that tag. (The kernel's answer has none.)
 * - An announcement (gratuitous ARP: sender and target are one) asks nobody, and is not answered.
 * - Every row that is known is answered from. (The kernel leaves a neighbour alone whose MAC has an FDB row without a
 *   VTEP, which it takes for one on our own side; we have no such rows.)
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
import type { NeighbourTable } from "../fdb/neighbours.ts";
import { i32, macHi, macLo } from "../wire/bytes.ts";
import type { Location } from "../wire/flow.ts";
import { ETHERTYPE_ARP } from "../wire/numbers.ts";
import { type EventRing, L2_MISS, L3_MISS_IPV4, L3_MISS_IPV6 } from "./event-ring.ts";
import {
  ARP_TARGET,
  askerOf,
  isArpRequest,
  isSolicitation,
  ND_TARGET,
  writeAdvertisement,
  writeArpReply,
} from "./neighbour-messages.ts";
import type { ProxyPolicy } from "./options.ts";

/** From `answer`: the frame is no question, or goes its way like any other. */
export const NO_QUESTION = 0;
/** From `answer`: the frame ends here. */
export const UNANSWERED = -1;

/** Nothing is answered and nothing told. */
export const NO_PROXY: ProxyPolicy = { on: false, unknown: "drop", l2miss: false, l3miss: false };

export class NeighbourProxy {
  /** Whether questions are answered: encap asks this first. */
  on = false;
  #unanswered = UNANSWERED;
  #l2miss = false;
  #l3miss = false;
  readonly #bytes: Uint8Array;
  readonly #neighbours: NeighbourTable;
  readonly #events: EventRing;
  readonly #vni: number;

  constructor(
    bytes: Uint8Array,
    neighbours: NeighbourTable,
    events: EventRing,
    vni: number,
    policy: ProxyPolicy = NO_PROXY,
  ) {
    this.#bytes = bytes;
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
    const bytes = this.#bytes;
    const { l3At } = where;
    if (where.etherType === ETHERTYPE_ARP) {
      return isArpRequest(bytes, l3At, frame + length) ? this.#arp(frame, l3At) : this.#unanswered;
    }
    return isSolicitation(bytes, where) ? this.#solicitation(frame, where) : NO_QUESTION;
  }

  #arp(frame: number, at: number): number {
    const bytes = this.#bytes;
    const neighbours = this.#neighbours;
    const row = neighbours.find(this.#vni, 4, bytes, at + ARP_TARGET);
    if (row < 0) {
      if (this.#l3miss) this.#events.tell(L3_MISS_IPV4, this.#vni, i32(bytes, at + ARP_TARGET), 0, 0, 0);
      return this.#unanswered;
    }
    return writeArpReply(bytes, frame, at, neighbours.hi(row), neighbours.lo(row));
  }

  #solicitation(frame: number, { l3At, l4At, l4Length }: Location): number {
    const bytes = this.#bytes;
    const neighbours = this.#neighbours;
    const target = l4At + ND_TARGET;
    if (bytes[target] === 0xff) return this.#unanswered; // multicast
    const row = neighbours.find(this.#vni, 6, bytes, target);
    if (row < 0) {
      if (this.#l3miss) this.#tellIpv6(target);
      return this.#unanswered;
    }
    const asker = askerOf(bytes, frame, l4At, l4Length);
    if (asker < 0) return this.#unanswered;
    return writeAdvertisement(bytes, frame, l3At, asker, neighbours.hi(row), neighbours.lo(row));
  }

  #tellIpv6(at: number): void {
    const bytes = this.#bytes;
    const b = i32(bytes, at + 4);
    const c = i32(bytes, at + 8);
    this.#events.tell(L3_MISS_IPV6, this.#vni, i32(bytes, at), b, c, i32(bytes, at + 12));
  }
}
