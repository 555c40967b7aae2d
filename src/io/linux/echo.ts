/**
 * ICMP echo requests of a size that the caller chooses, with DF set, and the replies to them (RFC 792, RFC 4443 section
 * 4.1). The kernel's knowledge of the path is not asked (IP_PMTUDISC_PROBE), so a request leaves in that size or not at
 * all. Runs on the event loop of the thread that opened it, and keeps it alive until `close`.
 */
import { randomInt } from "node:crypto";
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { putU16, u16 } from "../../wire/bytes.ts";
import { checksum } from "../../wire/checksum.ts";
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST } from "../../wire/icmp.ts";
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from "../../wire/icmpv6.ts";
import { IPV4_LENGTH, IPV6_LENGTH, ipv4HeaderLength } from "../../wire/views.ts";
import { loadShim, POLLIN, type Watch } from "./shim.ts";

/** Bytes of the longest reply: a ping socket tells no length but that of what it has copied. */
const LONGEST = 65_575;
const ICMP_LENGTH = 8;
/** Replies that are read before somebody else has his turn. */
const AT_ONCE = 64;

/** Called with the sequence number of the request and the bytes of the IP packet that came. */
export type OnReply = (sequence: number, size: number) => void;

export class EchoSocket {
  readonly #fd: number;
  readonly #raw: boolean;
  readonly #family: 4 | 6;
  readonly #id = randomInt(0x10000);
  readonly #watch: Watch;
  readonly #onReply: OnReply;
  readonly #buffer = new Uint8Array(LONGEST);
  readonly #row = new Uint8Array(ADDRESS_BYTES);

  /**
   * @param local our address, 4 or 16 bytes
   * @throws Error of a system call: EACCES without CAP_NET_RAW, and where `net.ipv4.ping_group_range` leaves us out
   */
  constructor(local: Uint8Array, onReply: OnReply) {
    const shim = loadShim();
    this.#family = local.length === 4 ? 4 : 6;
    this.#onReply = onReply;
    writeSockaddr(this.#row, 0, local, 0);
    const { fd, raw } = shim.icmpOpen(this.#row);
    this.#fd = fd;
    this.#raw = raw;
    this.#watch = shim.watch(fd, () => this.#read());
    this.#watch.update(POLLIN);
  }

  /**
   * Sends a request.
   * @param size bytes of the IP packet, at least 48
   * @returns 0, or the errno: EMSGSIZE (90) when the interface takes no packet of that size
   */
  send(to: Uint8Array, sequence: number, size: number): number {
    const message = new Uint8Array(size - (this.#family === 4 ? IPV4_LENGTH : IPV6_LENGTH));
    message[0] = this.#family === 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
    putU16(message, 4, this.#id);
    putU16(message, 6, sequence);
    // Over IPv6 the kernel does it: it knows the addresses (RFC 3542 section 3.1).
    if (this.#family === 4) putU16(message, 2, checksum(message, 0, message.length));
    writeSockaddr(this.#row, 0, to, 0);
    return Math.max(0, -loadShim().sendTo(this.#fd, message, this.#row));
  }

  close(): void {
    this.#watch.stop();
    loadShim().close(this.#fd);
  }

  #read(): void {
    for (let i = 0; i < AT_ONCE; i++) {
      const size = loadShim().receiveFrom(this.#fd, this.#buffer, this.#row);
      if (size < 0) return;
      this.#take(size);
    }
  }

  /** A raw socket gets everybody's replies: over IPv4 with the IP header, over IPv6 without. */
  #take(size: number): void {
    const headed = this.#raw && this.#family === 4;
    const at = headed ? ipv4HeaderLength(this.#buffer, 0) : 0;
    if (size < at + ICMP_LENGTH) return;
    if (this.#buffer[at] !== (this.#family === 4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) return;
    // Of a ping socket the kernel chooses the id, and finds the socket by it.
    if (this.#raw && u16(this.#buffer, at + 4) !== this.#id) return;
    const header = headed ? 0 : this.#family === 4 ? IPV4_LENGTH : IPV6_LENGTH;
    this.#onReply(u16(this.#buffer, at + 6), size + header);
  }
}
