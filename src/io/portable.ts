/**
 * What the underlays that send one datagram per call share (`dgram`, `raw`): the checks that sendmsg(2) would make,
 * and addresses as text, since both packages know them in no other form.
 */
import { HEAD_LENGTH, LENGTH, PEER, type Ring, SEGMENT, VTEP_MASK } from "../dataplane/ring.ts";
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  sockaddrAddressAt,
  sockaddrFamily,
  sockaddrPort,
} from "../fdb/sockaddr.ts";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";

export const EBADF = 9;
const EINVAL = 22;
const EMSGSIZE = 90;
const EAFNOSUPPORT = 97;

/** Largest UDP payloads: 65,535 less the headers that IPv4 counts in its length, and IPv6 does not. */
export const LARGEST_PAYLOAD = { 4: 65_507, 6: 65_527 } as const;

/**
 * Why a row cannot be sent, whoever tries.
 * @param row its first word
 * @returns the errno that sendmsg(2) has for it on a socket of that family, 0 when there is none
 */
export function refusal(ring: Ring, row: number, addresses: Uint8Array, family: 4 | 6): number {
  const { words } = ring;
  const to = (words[row + PEER]! & VTEP_MASK) * ADDRESS_BYTES;
  const length = words[row + HEAD_LENGTH]! + words[row + LENGTH]!;
  const segment = words[row + SEGMENT]! & 0xffff;
  if (sockaddrPort(addresses, to) === 0) return EINVAL;
  if (sockaddrFamily(addresses, to) !== (family === 4 ? AF_INET : AF_INET6)) return EAFNOSUPPORT;
  if (segment !== 0 && segment < length) return EINVAL; // what a socket without UDP_SEGMENT says
  return length > LARGEST_PAYLOAD[family] ? EMSGSIZE : 0;
}

/** The addresses of a slab as text, each made once and kept until its row changes. */
export class PeerTexts {
  #seen = new Uint8Array(0);
  readonly #texts: string[] = [];

  /** @returns the address in row `peer`, without its port. */
  of(addresses: Uint8Array, peer: number): string {
    const at = peer * ADDRESS_BYTES;
    if (at + ADDRESS_BYTES > this.#seen.length) this.#grow(addresses.length);
    for (let i = at; i < at + ADDRESS_BYTES; i++) {
      if (addresses[i] !== this.#seen[i]) return this.#read(addresses, peer);
    }
    return this.#texts[peer]!;
  }

  #read(addresses: Uint8Array, peer: number): string {
    const at = peer * ADDRESS_BYTES;
    const format = sockaddrFamily(addresses, at) === AF_INET ? formatIpv4 : formatIpv6;
    const text = format(addresses, sockaddrAddressAt(addresses, at));
    this.#seen.set(addresses.subarray(at, at + ADDRESS_BYTES), at);
    this.#texts[peer] = text;
    return text;
  }

  #grow(length: number): void {
    const seen = new Uint8Array(length);
    seen.set(this.#seen);
    this.#seen = seen;
  }
}

/**
 * @returns the 4 or 16 bytes of an address as the kernel's tools write it: with a zone, and IPv4 inside IPv6. Checks
 * nothing; what people write is read by `control/address.ts`, which refuses both.
 */
export function ntopBytes(text: string): Uint8Array {
  if (!text.includes(":")) return Uint8Array.from(text.split("."), Number);
  const [start, end] = text.split("%", 1)[0]!.split("::");
  const first = bytesOfGroups(start!);
  const last = bytesOfGroups(end ?? "");
  return Uint8Array.from([...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last]);
}

/** The bytes of "2001:db8", or of "ffff:192.0.2.1". */
function bytesOfGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
