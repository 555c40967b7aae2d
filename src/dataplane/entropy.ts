/**
 * Source-port entropy (RFC 7348 section 5): the outer UDP source port is a hash of the inner flow, so that routers
 * and network cards that look no deeper than the outer header spread flows over paths and queues, and keep the
 * packets of one flow together. Only for underlays that can set a port per packet.
 */
import type { Location } from "../wire/flow.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/numbers.ts";

/** The range that RFC 7348 recommends: the dynamic ports. */
export const FIRST_PORT = 49152;
export const LAST_PORT = 65535;

/** All ports from `first` to `last`, for an underlay that can send from any. */
export function portsBetween(first = FIRST_PORT, last = LAST_PORT): Uint16Array {
  return Uint16Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/**
 * The outer source port for a frame.
 * @param view of the bytes in which the frame is
 * @param at the frame, at least an Ethernet header long
 * @param where what `locate` found in it
 * @param ports those there are, at least one
 * @returns one of them; the same for all frames of a flow, fragments included
 */
export function sourcePort(view: DataView, at: number, where: Location, ports: Uint16Array): number {
  const hash = flowHash(view, at, where);
  // The kernel's way to map a hash onto a range without a division (`udp_flow_src_port`), in 16 bits.
  return ports[((hash >>> 16) * ports.length) >>> 16]!;
}

/** A 32-bit hash of the flow: addresses, protocol and ports where there are such, else the two MACs and the type. */
export function flowHash(view: DataView, at: number, where: Location): number {
  const { l3At, l4At } = where;
  let hash: number;
  if (where.version === 4) {
    hash = mix(mix(where.protocol, view.getInt32(l3At + 12)), view.getInt32(l3At + 16));
  } else if (where.version === 6) {
    hash = where.protocol;
    for (let i = 8; i < 40; i += 4) hash = mix(hash, view.getInt32(l3At + i));
  } else {
    hash = mix(mix(mix(0, view.getInt32(at)), view.getInt32(at + 4)), view.getInt32(at + 8));
    return finish(mix(hash, where.etherType));
  }
  const { protocol } = where;
  if (l4At !== 0 && (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP)) {
    hash = mix(hash, view.getInt32(l4At)); // both ports
  }
  return finish(hash);
}

/** One round of MurmurHash3 (x86, 32 bits): a public-domain mix whose low and high bits are both good. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
