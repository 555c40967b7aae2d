/**
 * What an outer header takes over from the inner one beside the TOS: TTL and DF, as the kernel's VXLAN does with
 * `ttl inherit` and `df inherit` (`vxlan_xmit_one`). Both become part of the row's PEER and OUTER words, so that
 * packets which differ in them never leave in one send.
 */
import type { Location } from "../wire/flow.ts";
import { ETHERNET_LENGTH } from "../wire/views.ts";
import type { DataplaneOptions } from "./options.ts";
import type { UnderlayCapabilities } from "./ports.ts";
import { DONT_FRAGMENT, TTL_SHIFT } from "./ring.ts";

/** From the start of an IPv4 header. */
const IPV4_FLAGS_AT = 6;
const IPV4_DF = 0x40;
const IPV4_TTL_AT = 8;
/** From the start of an IPv6 header. */
const IPV6_HOP_LIMIT_AT = 7;

export class Inherit {
  /** Whether anything is taken over at all; if not, nobody needs to ask. */
  readonly any: boolean;
  readonly #ttl: boolean;
  readonly #df: boolean;
  readonly #bytes: Uint8Array;

  /** @param can what the underlay cannot set is left to it */
  constructor(
    bytes: Uint8Array,
    { ttl, df }: Pick<DataplaneOptions, "ttl" | "df">,
    can: Pick<UnderlayCapabilities, "ttlPerPacket" | "df">,
  ) {
    this.#bytes = bytes;
    this.#ttl = ttl === "inherit" && can.ttlPerPacket;
    this.#df = df === "inherit" && can.df;
    this.any = this.#ttl || this.#df;
  }

  /**
   * The PEER word: `peer` with the inner TTL or hop limit (`ip_tunnel_get_ttl`). What is no IP, and a TTL of 0, leave it
   * to the socket, which has the kernel's default.
   */
  peer(peer: number, { version, l3At }: Location): number {
    if (!this.#ttl || version === 0) return peer;
    return peer | (this.#bytes[l3At + (version === 4 ? IPV4_TTL_AT : IPV6_HOP_LIMIT_AT)]! << TTL_SHIFT);
  }

  /**
   * The OUTER word: `outer` with DF as the inner IPv4 header has it, set for IPv6, which routers never fragment. The
   * kernel asks the EtherType behind the two MACs, and so never sets it for a frame with a VLAN tag.
   * @param frame where the inner frame starts
   */
  outer(outer: number, frame: number, { version, l3At }: Location): number {
    if (!this.#df || version === 0 || l3At !== frame + ETHERNET_LENGTH) return outer;
    if (version === 4 && (this.#bytes[l3At + IPV4_FLAGS_AT]! & IPV4_DF) === 0) return outer;
    return outer | DONT_FRAGMENT;
  }
}
