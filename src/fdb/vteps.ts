/**
 * The VTEPs we know: an index for each, and its underlay address as a sockaddr in a slab that goes to sendmmsg(2) as
 * it is. FDB rows and descriptors name a VTEP by its index.
 *
 * An index stands for one (address, port) and lasts as long as somebody refers to it: every FDB row that points to a
 * VTEP has acquired it once. Freed indices are used again; a datagram that still waits for the socket and names one is
 * pointed to `NOBODY` by the dataplane.
 *
 * References are of two kinds: those of static rows, and those of learned ones. Only the first make a VTEP one that is
 * known: else whoever was let in once would stay known for as long as he sends.
 *
 * The way back, from the sender of a datagram to a VTEP, goes by address alone: kernel peers send from any port. It
 * runs per packet, over a hash table of indices, and allocates nothing. An IPv4 address and its IPv4-mapped IPv6
 * form (RFC 4291 section 2.5.5.2) are one sender.
 */
import { formatIpv4, formatIpv6, i32, putU16, putU32 } from "../wire/bytes.ts";
import { ADDRESS_PARTS, drawMultipliers, hashAddress } from "./hash.ts";
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  sockaddrAddressAt,
  sockaddrFamily,
  sockaddrPort,
  writeSockaddr,
} from "./sockaddr.ts";

const SMALLEST = 16;
/** Words of an address as a key: an IPv4 address takes its IPv4-mapped form. */
const KEY_WORDS = 4;
const MAPPED = 0xffff;

/** No VTEP: an index that is never given out, whose row stays zero. Sending to it is refused. */
export const NOBODY = 0;

/** One VTEP, for show. */
export interface Vtep {
  readonly address: string;
  readonly port: number;
  /** How often it has been acquired and not yet released. */
  readonly references: number;
}

export class VtepTable {
  /** The sockaddrs, `ADDRESS_BYTES` each, by index. Replaced when it grows: read it anew for every batch. */
  slab = new Uint8Array(SMALLEST * ADDRESS_BYTES);
  readonly #factors: Int32Array;
  readonly #flowLabel: number;
  #keys = new Int32Array(SMALLEST * KEY_WORDS);
  #references = new Int32Array(SMALLEST);
  /** How many of them are learned rows'. */
  #learned = new Int32Array(SMALLEST);
  /** Open-addressed by address, at most half full: index + 1, 0 for a free place. */
  #places = new Int32Array(SMALLEST * 2);
  #mask = SMALLEST * 2 - 1;
  #shift = 32 - Math.log2(SMALLEST * 2);
  #free: number[] = [];
  /** Indices up to which all have been given out; the first stays nobody's. */
  #used = NOBODY + 1;
  readonly #entered: (index: number) => void;
  /** The sockaddr that is being acquired. */
  readonly #wanted = new Uint8Array(ADDRESS_BYTES);
  /** The IPv4 sender that was looked for last, and its index: −1 when it had none, or the table has changed. */
  #latest = 0;
  #latestIndex = -1;

  /**
   * @param seed fixes how addresses are spread: for tests
   * @param flowLabel of every IPv6 packet to one of them (`writeSockaddr`)
   * @param entered is told each index that is given out anew
   */
  constructor(seed?: number, flowLabel = 0, entered: (index: number) => void = () => {}) {
    this.#flowLabel = flowLabel;
    this.#entered = entered;
    this.#factors = drawMultipliers(ADDRESS_PARTS, seed);
  }

  /** VTEPs that are referred to. */
  get size(): number {
    return this.#used - 1 - this.#free.length;
  }

  /**
   * The per-packet question: whose address is this?
   * @param bytes holds a sockaddr at `at`; its port does not matter
   * @returns the index of a known VTEP with that address (any one, when several differ in their ports only), or −1
   */
  findByAddress(bytes: Uint8Array, at: number): number {
    const family = sockaddrFamily(bytes, at);
    if (family === AF_INET) return this.#findIpv4(i32(bytes, at + 4));
    if (family !== AF_INET6) return -1;
    return this.#find(i32(bytes, at + 8), i32(bytes, at + 12), i32(bytes, at + 16), i32(bytes, at + 20), 1);
  }

  /** Whether anybody refers to a VTEP with the address of the sockaddr at `at`, be it by learned rows only. */
  hasAddress(bytes: Uint8Array, at: number): boolean {
    const family = sockaddrFamily(bytes, at);
    if (family === AF_INET) return this.#find(0, 0, MAPPED, i32(bytes, at + 4), 0) >= 0;
    if (family !== AF_INET6) return false;
    const [a, b] = [i32(bytes, at + 8), i32(bytes, at + 12)];
    return this.#find(a, b, i32(bytes, at + 16), i32(bytes, at + 20), 0) >= 0;
  }

  /** Whether the sockaddr at `at` has the address of VTEP `index`, whatever its port. */
  isAddressOf(index: number, bytes: Uint8Array, at: number): boolean {
    const keys = this.#keys;
    const own = index * KEY_WORDS;
    if (sockaddrFamily(bytes, at) === AF_INET) {
      return (
        keys[own + 3] === i32(bytes, at + 4) &&
        keys[own + 2] === MAPPED &&
        (keys[own]! | keys[own + 1]!) === 0
      );
    }
    for (let word = 0; word < KEY_WORDS; word++) {
      if (keys[own + word] !== i32(bytes, at + 8 + word * 4)) return false;
    }
    return true;
  }

  /**
   * Refers to a VTEP once more; it gets an index if it has none.
   * @param address 4 or 16 bytes
   * @param port UDP port to send to, 1 to 65535
   * @returns its index, the same until as many `release` as `acquire`
   * @throws RangeError for an address or port that is none
   */
  acquire(address: Uint8Array, port: number): number {
    if (!(Number.isInteger(port) && port > 0 && port <= 0xffff)) {
      throw new RangeError(`a UDP port to send to is an integer from 1 to 65535, not ${port}`);
    }
    this.#wanted.fill(0);
    writeSockaddr(this.#wanted, 0, address, port, this.#flowLabel);
    this.#latestIndex = -1; // one that was known by learned rows only is known now
    return this.#acquire();
  }

  /**
   * As `acquire`, for a learned row, and whoever a datagram came from: it is sent to on `port`, whatever port it sends from. Allocates
   * nothing where the VTEP is known.
   * @param bytes holds a sockaddr at `at`
   */
  acquireSender(bytes: Uint8Array, at: number, port: number): number {
    const wanted = this.#wanted;
    for (let i = 0; i < ADDRESS_BYTES; i++) wanted[i] = bytes[at + i]!;
    if (sockaddrFamily(wanted, 0) === AF_INET) wanted.fill(0, 8);
    else putU32(wanted, 4, this.#flowLabel); // ours, not theirs
    putU16(wanted, 2, port);
    const index = this.#acquire();
    this.#learned[index]! += 1;
    return index;
  }

  /** Refers to the VTEP that `#wanted` is. */
  #acquire(): number {
    const wanted = this.#wanted;
    const known = this.#findExact();
    if (known >= 0) {
      this.#references[known]! += 1;
      return known;
    }
    if (this.#free.length === 0 && this.#used === this.#references.length) this.#grow();
    const index = this.#free.shift() ?? this.#used++;
    this.slab.set(wanted, index * ADDRESS_BYTES);
    this.#keys.set(keyOf(wanted), index * KEY_WORDS);
    this.#references[index] = 1;
    this.#place(index);
    this.#entered(index);
    return index;
  }

  /**
   * Takes one reference back; with the last one the VTEP is gone.
   * @param learned whether it was a learned row's
   * @returns whether it was the last one: what still names the index must not be sent any more
   * @throws RangeError for an index that nobody has acquired
   */
  release(index: number, learned = false): boolean {
    this.#check(index);
    if (learned) this.#learned[index]! -= 1;
    this.#latestIndex = -1;
    this.#references[index]! -= 1;
    if (this.#references[index] !== 0) return false;
    let place = this.#homeOf(index);
    while (this.#places[place] !== index + 1) place = (place + 1) & this.#mask;
    this.#vacate(place);
    this.slab.fill(0, index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES);
    this.#keys.fill(0, index * KEY_WORDS, (index + 1) * KEY_WORDS);
    this.#free.push(index);
    return true;
  }

  /** @throws RangeError for an index that nobody has acquired. */
  describe(index: number): Vtep {
    this.#check(index);
    const at = index * ADDRESS_BYTES;
    const addressAt = sockaddrAddressAt(this.slab, at);
    return {
      address: (sockaddrFamily(this.slab, at) === AF_INET ? formatIpv4 : formatIpv6)(this.slab, addressAt),
      port: sockaddrPort(this.slab, at),
      references: this.#references[index]!,
    };
  }

  /** As `describe`, in bytes: 4 or 16. @throws RangeError for an index that nobody has acquired */
  bytesOf(index: number): { readonly address: Uint8Array; readonly port: number } {
    this.#check(index);
    const at = index * ADDRESS_BYTES;
    const address = sockaddrAddressAt(this.slab, at);
    const length = sockaddrFamily(this.slab, at) === AF_INET ? 4 : 16;
    return { address: this.slab.slice(address, address + length), port: sockaddrPort(this.slab, at) };
  }

  /** The indices that somebody refers to. */
  indices(): number[] {
    const indices: number[] = [];
    for (let index = NOBODY + 1; index < this.#used; index++) {
      if (this.#references[index]! > 0) indices.push(index);
    }
    return indices;
  }

  #check(index: number): void {
    if (!(this.#references[index]! > 0)) throw new RangeError(`no VTEP has the index ${index}`);
  }

  /** Most datagrams come from the sender of the one before. */
  #findIpv4(address: number): number {
    if (address === this.#latest && this.#latestIndex >= 0) return this.#latestIndex;
    this.#latest = address;
    this.#latestIndex = this.#find(0, 0, MAPPED, address, 1);
    return this.#latestIndex;
  }

  /** @param least static references that it has */
  #find(a: number, b: number, c: number, d: number, least: number): number {
    const places = this.#places;
    const keys = this.#keys;
    for (let place = this.#home(a, b, c, d); ; place = (place + 1) & this.#mask) {
      const index = places[place]! - 1;
      if (index < 0) return -1;
      const at = index * KEY_WORDS;
      if (keys[at + 3] !== d || keys[at] !== a || keys[at + 1] !== b || keys[at + 2] !== c) continue;
      if (this.#references[index]! - this.#learned[index]! >= least) return index;
    }
  }

  /** As `#find`, for the very same sockaddr as `#wanted`, port and family included. */
  #findExact(): number {
    const wanted = this.#wanted;
    const slab = this.slab;
    const ipv4 = sockaddrFamily(wanted, 0) === AF_INET;
    let place = ipv4
      ? this.#home(0, 0, MAPPED, i32(wanted, 4))
      : this.#home(i32(wanted, 8), i32(wanted, 12), i32(wanted, 16), i32(wanted, 20));
    for (; ; place = (place + 1) & this.#mask) {
      const index = this.#places[place]! - 1;
      if (index < 0) return -1;
      let same = 0;
      while (same < ADDRESS_BYTES && slab[index * ADDRESS_BYTES + same] === wanted[same]) same++;
      if (same === ADDRESS_BYTES) return index;
    }
  }

  #home(a: number, b: number, c: number, d: number): number {
    return hashAddress(this.#factors, a, b, c, d) >>> this.#shift;
  }

  #homeOf(index: number): number {
    const keys = this.#keys;
    const at = index * KEY_WORDS;
    return this.#home(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!);
  }

  #place(index: number): void {
    this.#latestIndex = -1;
    let place = this.#homeOf(index);
    while (this.#places[place] !== 0) place = (place + 1) & this.#mask;
    this.#places[place] = index + 1;
  }

  /** Frees a place, and moves back what a probe could not reach any more. */
  #vacate(hole: number): void {
    this.#latestIndex = -1;
    const places = this.#places;
    const mask = this.#mask;
    for (let i = (hole + 1) & mask; places[i] !== 0; i = (i + 1) & mask) {
      if (((i - this.#homeOf(places[i]! - 1)) & mask) < ((i - hole) & mask)) continue;
      places[hole] = places[i]!;
      hole = i;
    }
    places[hole] = 0;
  }

  #grow(): void {
    this.slab = enlarged(this.slab, new Uint8Array(this.slab.length * 2));
    this.#keys = enlarged(this.#keys, new Int32Array(this.#keys.length * 2));
    this.#references = enlarged(this.#references, new Int32Array(this.#references.length * 2));
    this.#learned = enlarged(this.#learned, new Int32Array(this.#learned.length * 2));
    this.#places = new Int32Array(this.#places.length * 2);
    this.#mask = this.#places.length - 1;
    this.#shift--;
    for (let index = NOBODY + 1; index < this.#used; index++) this.#place(index); // none is free, or we had not grown
  }
}

/** The key words of a whole row; `findByAddress` does the same without an array. */
function keyOf(row: Uint8Array): [number, number, number, number] {
  return sockaddrFamily(row, 0) === AF_INET
    ? [0, 0, MAPPED, i32(row, 4)]
    : [i32(row, 8), i32(row, 12), i32(row, 16), i32(row, 20)];
}

function enlarged<T extends Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
