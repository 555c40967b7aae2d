/**
 * Whether UDP_SEGMENT and UDP_GRO work, and bring the bytes that were sent: from a socket on our underlay address to
 * two others there, one with UDP_GRO and one without.
 *
 *   a plain datagram      does anything arrive at all? Loopback may be down, or a firewall in the way: then nobody knows
 *   two segments and a    the usual train
 *   shorter one
 *   segments of one size  kernels 7.0 to 7.1.4 mangle those
 *
 * Whether the network card on the way out can do it shows only when packets flow (EIO): the dataplane falls back then.
 */
import { getSystemErrorName } from "node:util";
import { loadShim, PLAIN_SOCKET, type UdpSocket } from "../shim.ts";
import { Packets } from "./packets.ts";

export interface UdpReport {
  /** Why it is not to be used; null when it works, or when nothing speaks against it. */
  readonly gso: string | null;
  readonly gro: string | null;
}

const SEGMENT_BYTES = 200;
const TRAINS = [2 * SEGMENT_BYTES + 77, 3 * SEGMENT_BYTES];

/**
 * @param address our underlay address, as text and as bytes
 * @throws whatever a socket may fail with
 */
export function probeUdp(family: 4 | 6, address: string, bytes: Uint8Array): UdpReport {
  const shim = loadShim();
  const open: UdpSocket[] = [];
  const socket = (gro: boolean): UdpSocket => {
    const opened = shim.udpOpen({ ...PLAIN_SOCKET, family, address, gro });
    open.push(opened);
    return opened;
  };
  try {
    const [from, plain, joined] = [socket(false), socket(false), socket(true)];
    const packets = new Packets();
    const deliver = (to: UdpSocket, train: Uint8Array, segment: number): Delivery => {
      const errno = packets.send(from.fd, bytes, to.port, train, segment);
      return { errno, arrived: errno > 0 ? new Uint8Array(0) : collect(packets, to.fd, train.length) };
    };
    const gso = whyNot("UDP_SEGMENT", (train, segment) => deliver(plain, train, segment));
    const gro = joined.gro
      ? gso === null
        ? whyNot("UDP_GRO", (train, segment) => deliver(joined, train, segment))
        : null
      : "the kernel has no UDP_GRO (Linux 5.0 and later have it)";
    return { gso, gro };
  } finally {
    for (const { fd } of open) shim.close(fd);
  }
}

/** What became of a send: the errno of a refusal, or what arrived. */
export interface Delivery {
  readonly errno: number;
  readonly arrived: Uint8Array;
}

/**
 * @param what the offload's name for people
 * @param deliver sends bytes, cut at `segment` if that is not 0
 * @returns why it is not to be used, null where nothing speaks against it
 */
export function whyNot(
  what: string,
  deliver: (train: Uint8Array, segment: number) => Delivery,
): string | null {
  const single = deliver(numbered(SEGMENT_BYTES), 0);
  if (single.errno !== 0) return null;
  for (const length of TRAINS) {
    const sent = numbered(length);
    const { errno, arrived } = deliver(sent, SEGMENT_BYTES);
    if (errno !== 0) return `the kernel refuses ${what} (${getSystemErrorName(-errno)})`;
    if (single.arrived.length === 0 || same(sent, arrived)) continue;
    return `with ${what} ${arrived.length === 0 ? "nothing arrives" : "other bytes arrive than were sent"}`;
  }
  return null;
}

/** What arrives, one datagram behind the other, until it is as long as what was sent or nothing more comes. */
function collect(packets: Packets, fd: number, length: number): Uint8Array {
  const all: number[] = [];
  while (all.length < length) {
    const arrivals = packets.receive(fd);
    if (arrivals.length === 0) break;
    for (const { bytes } of arrivals) all.push(...bytes);
  }
  return Uint8Array.from(all);
}

/** Bytes of which no two stretches are the same. */
function numbered(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8) * 13) & 0xff);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
