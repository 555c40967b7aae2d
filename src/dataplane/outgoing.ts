/**
 * From a finished frame to a row that can be sent: the VXLAN header in front of it, the VTEP it goes to, and what its
 * outer header says. The last step of encap, for frames to one VTEP and for the copies of one to several.
 */
import { encapTos } from "../wire/ecn.ts";
import { Location } from "../wire/flow.ts";
import { setVxlanHeader, VXLAN_LENGTH, vxlanFlags } from "../wire/vxlan.ts";
import { VNET_LENGTH } from "./arena.ts";
import { sourcePort } from "./entropy.ts";
import { Inherit } from "./inherit.ts";
import type { DataplanePolicy, OverlayOptions } from "./options.ts";
import { completeChecksum } from "./partial.ts";
import type { Underlay } from "./ports.ts";
import { OUTER, PEER, type Ring } from "./ring.ts";
import { NEEDS_CSUM, VNET_FLAGS } from "./vnet.ts";

export class Outgoing {
  /** Where the headers of the frame at hand are: to be filled in before anything else here is asked. */
  readonly where = new Location();
  readonly #bytes: Uint8Array;
  /** Of the same bytes. */
  readonly #view: DataView;
  readonly #vni: number;
  readonly #ports: Uint16Array;
  readonly #sendTos: boolean;
  readonly #inherit: Inherit;
  /** Whether that has anything to do. */
  readonly #inherits: boolean;
  /** −1: the inner TOS is taken over whole. Else the outer TOS without its ECN bits. */
  #tos = 0;
  /** First word of every VXLAN header. */
  #flags = 0;

  /** @param bytes the arena's */
  constructor(
    bytes: Uint8Array,
    options: OverlayOptions,
    { capabilities, sourcePorts }: Pick<Underlay, "capabilities" | "sourcePorts">,
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#vni = options.vni;
    this.#ports = sourcePorts;
    this.#sendTos = capabilities.sendTos;
    this.#inherit = new Inherit(bytes, options, capabilities);
    this.#inherits = this.#inherit.any;
  }

  /** First word of every VXLAN header. */
  get flags(): number {
    return this.#flags;
  }

  /** Changes the headers of what is pushed from now on. */
  setPolicy({ tos, gbp }: Pick<DataplanePolicy, "tos" | "gbp">): void {
    this.#tos = tos === "inherit" ? -1 : tos & 0xfc;
    this.#flags = vxlanFlags(gbp);
  }

  /**
   * Completes a frame's checksum, puts the VXLAN header before it and makes it a row. One function, not several: more
   * would not fit into the loop that calls it, by V8's measure (`max_inlined_bytecode_size_cumulative`), and a frame
   * would cost a tenth more.
   * @param slot −1 where another row owns it
   * @param peer index of a VTEP
   */
  push(slot: number, frame: number, length: number, peer: number, ready: Ring): void {
    const bytes = this.#bytes;
    const vnet = frame - VNET_LENGTH;
    if ((bytes[vnet + VNET_FLAGS]! & NEEDS_CSUM) !== 0) completeChecksum(bytes, vnet, frame, length);
    setVxlanHeader(this.#view, frame - VXLAN_LENGTH, this.#flags, this.#vni);
    const row = ready.push(slot, frame - VXLAN_LENGTH, length + VXLAN_LENGTH);
    ready.words[row + PEER] = this.#inherits ? this.#inherit.peer(peer, this.where) : peer;
    ready.words[row + OUTER] = this.outer(frame);
  }

  /** The PEER word of the frame at hand: a VTEP's index, and the inner TTL where that is taken over. */
  to(peer: number): number {
    return this.#inherits ? this.#inherit.peer(peer, this.where) : peer;
  }

  /** The OUTER word: TOS as the kernel's VXLAN derives it (`ip_tunnel_ecn_encap`), source port from the flow. */
  outer(frame: number): number {
    const where = this.where;
    const tos = this.#sendTos ? encapTos(this.#tos < 0 ? where.tos : this.#tos, where.tos) : 0;
    const low = this.#inherits ? this.#inherit.outer(tos, frame, where) : tos;
    return this.#ports.length > 0 ? low | (sourcePort(this.#view, frame, where, this.#ports) << 16) : low;
  }
}
