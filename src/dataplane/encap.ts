/**
 * Overlay → underlay: frames read from the TAP become datagrams to send.
 *
 * Per frame: undo what the TAP's vnet header says is still to be done (a partial checksum is completed, because a
 * UDP socket cannot do it for us), find the VTEP that owns the inner destination MAC, write the VXLAN header into
 * the headroom in front of the frame, choose the outer TOS and, where the underlay can set it, the source port.
 * The frame itself is not moved. What cannot go is counted under its reason and its slot released.
 *
 * Limits: a frame is at most one overlay MTU; a super-frame is dropped as TAP_GSO, since the TAP is opened without
 * segmentation offload.
 */
import type { Fdb } from "../fdb/fdb.ts";
import { macHi, macLo } from "../wire/bytes.ts";
import { encapTos } from "../wire/ecn.ts";
import { Location, locate } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import { VXLAN_LENGTH, writeVxlanHeader } from "../wire/vxlan.ts";
import { VNET_LENGTH } from "./arena.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import { sourcePort } from "./entropy.ts";
import type { DataplaneOptions } from "./options.ts";
import { completeChecksum } from "./partial.ts";
import type { UnderlayCapabilities } from "./ports.ts";
import { LENGTH, OFFSET, OUTER, PEER, type Ring, SLOT } from "./ring.ts";
import { GSO_NONE, NEEDS_CSUM, VNET_FLAGS, VNET_GSO_TYPE } from "./vnet.ts";

const NO_TX_TARGET = dropIndex("tx", "NO_TX_TARGET");
const INNER_TOO_SMALL = dropIndex("tx", "INNER_TOO_SMALL");
const PKT_TOO_BIG = dropIndex("tx", "PKT_TOO_BIG");
const TAP_GSO = dropIndex("tx", "TAP_GSO");
const TX_FRAMES = counterIndex("txFrames");
const TX_BYTES = counterIndex("txBytes");

export class Encap {
  readonly #bytes: Uint8Array;
  readonly #fdb: Fdb;
  readonly #values: Float64Array;
  readonly #vni: number;
  readonly #largest: number;
  readonly #sendTos: boolean;
  readonly #sendPort: boolean;
  readonly #where = new Location();
  /** −1: the inner TOS is taken over whole. Else the outer TOS without its ECN bits. */
  #tos = 0;

  constructor(
    bytes: Uint8Array,
    fdb: Fdb,
    options: DataplaneOptions,
    capabilities: UnderlayCapabilities,
    counters: Counters,
  ) {
    this.#bytes = bytes;
    this.#fdb = fdb;
    this.#values = counters.values;
    this.#vni = options.vni;
    this.#largest = options.mtu + ETHERNET_LENGTH;
    this.#sendTos = capabilities.sendTos;
    this.#sendPort = capabilities.sourcePort;
    this.setTos(options.tos);
  }

  /** Changes the outer TOS of what is sent from now on. */
  setTos(tos: DataplaneOptions["tos"]): void {
    this.#tos = tos === "inherit" ? -1 : tos & 0xfc;
  }

  /** Moves as many frames from `filled` to `ready` as `ready` has room for. */
  run(filled: Ring, ready: Ring): void {
    const n = Math.min(filled.length, ready.room);
    const { words, pool } = filled;
    const values = this.#values;
    let frames = 0;
    let octets = 0;
    for (let i = 0; i < n; i++) {
      const at = filled.row(filled.tail + i);
      const slot = words[at + SLOT]!;
      const frame = words[at + OFFSET]! + VNET_LENGTH;
      const length = words[at + LENGTH]! - VNET_LENGTH;
      const verdict = this.#check(frame, length);
      if (verdict < 0) {
        values[-verdict]! += 1;
        pool.release(slot);
        continue;
      }
      writeVxlanHeader(this.#bytes, frame - VXLAN_LENGTH, this.#vni);
      const row = ready.push(slot, frame - VXLAN_LENGTH, length + VXLAN_LENGTH);
      ready.words[row + PEER] = verdict;
      ready.words[row + OUTER] = this.#outer(frame);
      frames++;
      octets += length;
    }
    filled.forward(n);
    values[TX_FRAMES]! += frames;
    values[TX_BYTES]! += octets;
  }

  /** @returns the VTEP the frame goes to, or minus the index of the drop counter. */
  #check(frame: number, length: number): number {
    if (length < ETHERNET_LENGTH) return -INNER_TOO_SMALL;
    const bytes = this.#bytes;
    const vnet = frame - VNET_LENGTH;
    if (bytes[vnet + VNET_GSO_TYPE] !== GSO_NONE) return -TAP_GSO;
    const where = this.#where;
    locate(bytes, frame, length, where);
    if (length > this.#largest && length > this.#largest + (where.l3At - frame - ETHERNET_LENGTH))
      return -PKT_TOO_BIG;
    if ((bytes[vnet + VNET_FLAGS]! & NEEDS_CSUM) !== 0) {
      completeChecksum(bytes, vnet, frame, length);
    }
    const vtep = this.#fdb.lookup(this.#vni, macHi(bytes, frame), macLo(bytes, frame));
    return vtep < 0 ? -NO_TX_TARGET : vtep;
  }

  /** The OUTER word: TOS as the kernel's VXLAN derives it (`ip_tunnel_ecn_encap`), source port from the flow. */
  #outer(frame: number): number {
    const where = this.#where;
    const tos = this.#sendTos ? encapTos(this.#tos < 0 ? where.tos : this.#tos, where.tos) : 0;
    return this.#sendPort ? tos | (sourcePort(this.#bytes, frame, where) << 16) : tos;
  }
}
