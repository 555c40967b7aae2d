/**
 * The two seams of the dataplane: the TAP on the overlay side, the UDP socket on the underlay side. Everything
 * that moves packets in or out stands behind one of them; `io/` has the real ones, their in-memory twins, and
 * middleware that wraps either. Batches first: one call moves many packets.
 */
import type { Ring } from "./ring.ts";

/**
 * What both seams share: how the loop waits for them, and how they end. Wake-ups are level-triggered: they come as long
 * as an interest can be met, and never inside a call on the port. Once closed, a port answers with −EBADF.
 */
export interface Port {
  /** A descriptor the blocking driver can poll, or −1: then only the event-loop driver can run this port. */
  readonly fd: number;
  /** Event-loop driver only: `wake` is called when an interest (below) can be met; null ends it, and clears the interest. */
  setWake(wake: (() => void) | null): void;
  /** Event-loop driver only: which of reading and writing the loop waits for. Nothing may spin on the other. */
  setInterest(readable: boolean, writable: boolean): void;
  /** Ends the port and everything it holds open. Safe to call twice. */
  close(): void;
}

/** The overlay side: Ethernet frames, each behind a vnet header of `VNET_LENGTH` bytes. */
export interface Tap extends Port {
  readonly name: string;
  /**
   * Reads up to `max` frames into free slots and pushes their descriptors. The body of each starts with the vnet
   * header, at slot + `VNET_AT`; its length counts it.
   * @returns frames read, 0 when there is none (or no free slot or row), or −errno.
   */
  readBatch(ring: Ring, max: number): number;
  /** The last read stopped because it had read enough: there may be more. Left out: a full batch says so. */
  readonly more?: boolean | undefined;
  /**
   * Writes messages from the tail on; the head of the first row is the vnet header, all else the frame. Completes what
   * was written.
   * @param count no more than so many rows, which are whole messages; left out, all
   * @returns rows written, 0 when the device takes none now, or −errno when the *oldest* one was refused: it is
   * still there, and the caller counts it and completes it.
   */
  writeBatch(ring: Ring, count?: number): number;
}

/** Which of several TAPs can be read. */
export interface ReadyTaps {
  /**
   * Asks. One that can be read for longer is named again and again.
   * @param out becomes their places, as many as there is room for
   * @returns how many
   */
  ready(out: Int32Array): number;
}

/** The TAPs of several overlays for which received frames wait, and answers; null where none do. */
export interface BlockedTaps {
  readonly frames: Tap | null;
  readonly answers: Tap | null;
}

/** What an underlay can do, shown in `poplin status`. What it cannot, the dataplane leaves out. */
export interface UnderlayCapabilities {
  /** Outer TOS (traffic class) is set on what is sent. */
  readonly sendTos: boolean;
  /** Outer TOS of what is received is known, so that ECN marks can be carried inwards (RFC 6040). */
  readonly recvTos: boolean;
  /** DF on the outer IPv4 header is under our control. */
  readonly df: boolean;
  /** Outer TTL is under our control. */
  readonly ttl: boolean;
  /** Outer TTL can differ from packet to packet, as the inner one does. */
  readonly ttlPerPacket: boolean;
  /** The flow label is under our control, where the outer header is IPv6. */
  readonly flowLabel: boolean;
  /** Zero UDP checksums can be accepted over IPv6 (RFC 6935). */
  readonly acceptsNoCheck6: boolean;
  /** The source port goes by the inner flow (entropy for ECMP, RFC 7348 section 5). */
  readonly sourcePort: boolean;
  /** Several datagrams can leave in one send (UDP_SEGMENT). May become false while packets flow. */
  readonly gso: boolean;
  /** Several datagrams can arrive in one receive (UDP_GRO). */
  readonly gro: boolean;
  /** What the UDP checksum of a sent packet is. */
  readonly checksum: "computed" | "zero";
}

/** The underlay side: UDP payloads, each a VXLAN header and an inner frame. */
export interface Underlay extends Port {
  /** The descriptor to wait on until more can be sent, where that is another than `fd`: of the last send that took nothing. */
  readonly writeFd?: number | undefined;
  /** Which implementation this is: "batch", "dgram", "raw", "memory". */
  readonly kind: string;
  /** 4 or 6: the address family of the outer header. */
  readonly family: 4 | 6;
  readonly capabilities: UnderlayCapabilities;
  /** The source ports that a row's OUTER word may ask for; none where every datagram has the same. */
  readonly sourcePorts: Uint16Array;
  /**
   * TCP super-frames may be sent whole: rows with `SUPER` in OUTER. In front of their body is a head of
   * `superHeadLength` bytes, of which the dataplane has filled the first twelve: the vnet header that the frame came
   * with, its csum_start that of the TCP header from the start of the frame, in place of num_buffers (bytes 10 and 11)
   * that of the inner IP header; the rest is zero. May become false while packets flow. Left out: false.
   */
  readonly takesSuperFrames?: boolean | undefined;
  readonly superHeadLength?: number | undefined;
  /** Why `takesSuperFrames` became false, in words. */
  readonly superRefused?: string | undefined;
  /** Why `capabilities.gso` became false while packets flowed, in words. */
  readonly gsoRefused?: string | undefined;
  /** Sends of several datagrams that the kernel refused, and that then left one by one, ever. */
  readonly gsoFallbacks?: number | undefined;
  /**
   * Receives up to `max` datagrams into free slots and pushes their descriptors, the sender's address in
   * `ring.addresses`. The body is the UDP payload, at slot + `VXLAN_AT`.
   * @returns datagrams received, 0 when there is none (or no free slot or row), or −errno.
   */
  recvBatch(ring: Ring, max: number): number;
  /**
   * Sends messages from the tail on, each to the row of `addresses` (a slab of sockaddrs) that its PEER word
   * names. Completes what the kernel, or the port, took over.
   * @param count no more than so many rows, which are whole messages; left out, all
   * @returns rows sent, 0 when none can be taken now, or −errno when the *oldest* one was refused: it is
   * still there, and the caller counts it and completes it.
   */
  sendBatch(ring: Ring, addresses: Uint8Array, count?: number): number;
  /** Datagrams the kernel dropped because our receive buffer was full, ever. It may be a system call: ask now and then. */
  overflows(): number;
  /**
   * Of a port whose sends end in a callback: datagrams that `sendBatch` took over and that could not be sent, ever.
   * Left out where every refusal is told at once.
   */
  readonly asyncErrors?: number | undefined;
  /** The errno of the last of them. */
  readonly lastAsyncErrno?: number | undefined;
}

/** What the blocking driver sleeps on. */
export interface Waiter {
  /** Whether the last wait ended because the TAP, or the underlay, had something for us. */
  readonly tapReady: boolean;
  readonly underlayReady: boolean;
  /**
   * Sleeps until one of the wanted things is possible, somebody wakes it, or the time is over.
   * @param timeout milliseconds, −1 for ever
   * @param hurry the next packet should be met at once, if it comes soon: it may look for it for a while before it sleeps
   * @returns false when the loop should look at its control messages (it was woken).
   */
  wait(
    tapReadable: boolean,
    tapWritable: boolean,
    underlayReadable: boolean,
    underlayWritable: boolean,
    timeout: number,
    hurry?: boolean,
  ): boolean;
}
