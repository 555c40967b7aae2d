/**
 * The packets that taught the forwarding table its rows: the beginning of each, who sent it and when, for `fdb why`.
 * The last `KEPT` are remembered, whatever is learned: a table of a million rows takes no more memory for it.
 */
import { ADDRESS_BYTES, AF_INET, sockaddrAddressAt, sockaddrFamily, sockaddrPort } from "../fdb/sockaddr.ts";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";

/** Packets that are remembered. */
export const KEPT = 4096;
/** Bytes of an inner frame that are: two VLAN tags, IPv6 and TCP without options fit. */
const FRAME_BYTES = 96;

/** One packet that taught a row. */
export interface Lesson {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Outer source address and UDP port. */
  readonly address: string;
  readonly port: number;
  /** Bytes of the inner frame, and the first of them. */
  readonly length: number;
  readonly frame: Uint8Array;
}

export class Lessons {
  readonly #frames = new Uint8Array(KEPT * FRAME_BYTES);
  readonly #lengths = new Int32Array(KEPT);
  readonly #senders = new Uint8Array(KEPT * ADDRESS_BYTES);
  readonly #times = new Float64Array(KEPT);
  /** Number of the packet that is recorded next; 0 is nobody's. */
  #next = 1;

  /**
   * Remembers a packet.
   * @param addresses holds its sender's sockaddr at `from`
   * @param frame where in `bytes` the inner frame is, and its `length`
   * @returns its number
   */
  record(addresses: Uint8Array, from: number, bytes: Uint8Array, frame: number, length: number): number {
    const number = this.#next++;
    const place = number % KEPT;
    const kept = Math.min(length, FRAME_BYTES);
    for (let i = 0; i < kept; i++) this.#frames[place * FRAME_BYTES + i] = bytes[frame + i]!;
    for (let i = 0; i < ADDRESS_BYTES; i++) this.#senders[place * ADDRESS_BYTES + i] = addresses[from + i]!;
    this.#lengths[place] = length;
    this.#times[place] = Date.now();
    return number;
  }

  /**
   * Remembers a packet that another has told of.
   * @param sender sockaddr of who sent it
   * @returns its number
   */
  recall({ at, length, frame }: Lesson, sender: Uint8Array): number {
    const number = this.record(sender, 0, frame, 0, frame.length);
    const place = number % KEPT;
    this.#lengths[place] = length;
    this.#times[place] = at;
    return number;
  }

  /** @returns the packet of that number, null when it was too long ago, or never was */
  describe(number: number): Lesson | null {
    if (number < 1 || number >= this.#next || number < this.#next - KEPT) return null;
    const place = number % KEPT;
    const sender = place * ADDRESS_BYTES;
    const format = sockaddrFamily(this.#senders, sender) === AF_INET ? formatIpv4 : formatIpv6;
    const length = this.#lengths[place]!;
    const frame = place * FRAME_BYTES;
    return {
      at: this.#times[place]!,
      address: format(this.#senders, sockaddrAddressAt(this.#senders, sender)),
      port: sockaddrPort(this.#senders, sender),
      length,
      frame: this.#frames.slice(frame, frame + Math.min(length, FRAME_BYTES)),
    };
  }
}
