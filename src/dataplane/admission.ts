/**
 * Which packets decap lets in. The checks are the kernel's, in the order of its `vxlan_rcv`: length, I flag, VNI, reserved
 * bits, sender, inner length and tag, source MAC (where it is learned from the packet, or compared), ECN.
 */
import type { Fdb } from "../fdb/fdb.ts";
import { SETS } from "../fdb/remotes.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { macHi, macLo, parseMac } from "../wire/bytes.ts";
import { decapEcn, ECN_DROP, ECN_MASK, NOT_ECT, setEcn } from "../wire/ecn.ts";
import type { Location } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import {
  gbpDontLearn,
  hasReservedBits,
  hasReservedBitsBesideGroup,
  hasVni,
  readVni,
  VXLAN_LENGTH,
} from "../wire/vxlan.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import type { Learner } from "./learn.ts";
import type { DataplanePolicy, OverlayOptions } from "./options.ts";
import { isTagged } from "./vlan.ts";

const PKT_TOO_SMALL = dropIndex("rx", "PKT_TOO_SMALL");
const VXLAN_INVALID_HDR = dropIndex("rx", "VXLAN_INVALID_HDR");
const VXLAN_RESERVED_BITS = dropIndex("rx", "VXLAN_RESERVED_BITS");
const VXLAN_VNI_NOT_FOUND = dropIndex("rx", "VXLAN_VNI_NOT_FOUND");
const UNKNOWN_VTEP = dropIndex("rx", "UNKNOWN_VTEP");
const INNER_TOO_SMALL = dropIndex("rx", "INNER_TOO_SMALL");
const INNER_VLAN = dropIndex("rx", "INNER_VLAN");
const LOCAL_MAC = dropIndex("rx", "LOCAL_MAC");
const IP_TUNNEL_ECN = dropIndex("rx", "IP_TUNNEL_ECN");
const RX_MISMATCH = counterIndex("rxSenderMismatch");
const RX_ECN_MARKED = counterIndex("rxEcnMarked");

export class Admission {
  /** Our device's MAC: nobody else may send from it. */
  readonly ownHi: number;
  readonly ownLo: number;
  /** Only packets from known VTEPs are let in. */
  checkAddress = true;
  /** Headers may name a group. */
  gbp = false;
  /** The packet at hand came from another address than its MAC's VTEP. */
  mismatch = false;
  readonly #bytes: Uint8Array;
  readonly #fdb: Fdb;
  readonly #vteps: VtepTable;
  readonly #learner: Learner;
  readonly #values: Float64Array;
  readonly #vni: number;
  #dropReserved = false;
  #checkMac = false;
  #dropTagged = false;

  /** @param bytes the arena's */
  constructor(
    bytes: Uint8Array,
    fdb: Fdb,
    vteps: VtepTable,
    learner: Learner,
    { vni, mac }: OverlayOptions,
    counters: Counters,
  ) {
    this.#bytes = bytes;
    this.#fdb = fdb;
    this.#vteps = vteps;
    this.#learner = learner;
    this.#values = counters.values;
    this.#vni = vni;
    const own = parseMac(mac);
    this.ownHi = own.hi;
    this.ownLo = own.lo;
  }

  /** Changes what is let in from now on. */
  setPolicy(policy: Omit<DataplanePolicy, "tos">): void {
    this.#dropReserved = policy.reservedBits === "linux";
    this.checkAddress = policy.senderCheck === "strict";
    this.#checkMac = policy.senderCheck === "mac";
    this.#dropTagged = policy.vlan === "rfc";
    this.gbp = (policy.gbp ?? null) !== null;
  }

  /**
   * @param addresses whose bytes at `from` are the sender's sockaddr
   * @param at where the VXLAN header starts
   * @param length of it and the frame, in bytes
   * @returns 0 to go on, or the index of the counter of the reason not to
   */
  refuse(addresses: Uint8Array, from: number, at: number, length: number): number {
    const bytes = this.#bytes;
    this.mismatch = false;
    if (length < VXLAN_LENGTH) return PKT_TOO_SMALL;
    if (!hasVni(bytes, at)) return VXLAN_INVALID_HDR;
    if (readVni(bytes, at) !== this.#vni) return VXLAN_VNI_NOT_FOUND;
    // RFC 7348 section 5 says to ignore them; Linux says in a comment that it diverges.
    if (this.#dropReserved && (this.gbp ? hasReservedBitsBesideGroup(bytes, at) : hasReservedBits(bytes, at)))
      return VXLAN_RESERVED_BITS;
    if (this.checkAddress && this.#vteps.findByAddress(addresses, from) < 0) return UNKNOWN_VTEP;
    if (length < VXLAN_LENGTH + ETHERNET_LENGTH) return INNER_TOO_SMALL;
    if (this.#dropTagged && isTagged(bytes, at + VXLAN_LENGTH)) return INNER_VLAN;
    const source = at + VXLAN_LENGTH + 6;
    const hi = macHi(bytes, source);
    const lo = macLo(bytes, source);
    if (hi === this.ownHi && lo === this.ownLo) return LOCAL_MAC;
    const learner = this.#learner;
    if (learner.on && !(this.gbp && gbpDontLearn(bytes, at))) {
      return learner.see(hi, lo, addresses, from, at + VXLAN_LENGTH, length - VXLAN_LENGTH);
    }
    if (this.checkAddress) return 0;
    const row = this.#fdb.lookup(this.#vni, hi, lo);
    const vtep = row >= SETS ? -1 : row; // a group's row is nobody's
    if (vtep < 0 && this.#checkMac) return UNKNOWN_VTEP;
    this.mismatch = vtep < 0 || !this.#vteps.isAddressOf(vtep, addresses, from);
    if (this.mismatch) this.#values[RX_MISMATCH]! += 1;
    return 0;
  }

  /**
   * Carries the outer congestion mark inwards (RFC 6040).
   * @param tos the outer header's
   * @param where the inner headers are
   * @returns 0, or the counter of the drop
   */
  mark(tos: number, where: Location): number {
    if ((tos & ECN_MASK) === NOT_ECT || where.version === 0) return 0;
    const ecn = decapEcn(tos, where.tos);
    if (ecn === ECN_DROP) return IP_TUNNEL_ECN;
    if (ecn !== (where.tos & ECN_MASK)) {
      setEcn(this.#bytes, where.l3At, ecn);
      this.#values[RX_ECN_MARKED]! += 1;
    }
    return 0;
  }
}
