/**
 * The transmit sockets of an underlay: one per source port, so that routers and network cards which hash the outer
 * header spread inner flows over paths and queues (RFC 7348 section 5), while the datagrams of one flow can still leave
 * in one send (UDP_SEGMENT), which goes by socket.
 *
 * Which ports is chance, within the range that is asked for: nodes of one cluster then differ, and so do two agents on
 * one machine. They receive nothing: what somebody sends to one of them is thrown away by the kernel.
 */
import { isSystemCallFailure } from "./errors.ts";
import { loadShim, type UdpSocket, type UdpSocketOptions } from "./shim.ts";
import { explainUdp, openUdp } from "./udp.ts";

/** Ports to spread flows over. More spread better, and take the datagrams of a batch apart into more sends. */
export const SENDERS = 16;

const EADDRINUSE = 98;

/** From the first to the last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Opens `count` sockets on different ports of `range`, or as many as it has free ports.
 * @param options of the socket that receives; port and buffers to receive into do not matter
 * @param random numbers from 0 to 1
 * @returns the sockets, which the caller closes; at least one
 * @throws SystemCallError, with none left open
 */
export function openSenders(
  options: UdpSocketOptions,
  range: PortRange,
  count = SENDERS,
  random: () => number = Math.random,
): UdpSocket[] {
  const shim = loadShim();
  const width = range.last - range.first + 1;
  const sockets: UdpSocket[] = [];
  try {
    // Every port of the range is tried once at most, from a random one on and in steps that do not fall together.
    const start = Math.floor(random() * width);
    const step = coprime(width, random);
    for (let i = 0; i < width && sockets.length < count; i++) {
      const port = range.first + ((start + i * step) % width);
      const socket = openOne(options, port);
      if (socket !== undefined) sockets.push(socket);
    }
    if (sockets.length > 0) return sockets;
    throw explainUdp(
      { ...options, port: range.first },
      { code: "EADDRINUSE", errno: EADDRINUSE, syscall: "bind" },
    );
  } catch (error) {
    for (const { fd } of sockets) shim.close(fd);
    throw error;
  }
}

/**
 * Opens a socket beside each of `senders`, on the same port, that sets DF on what it sends: DF goes by socket
 * (IP_MTU_DISCOVER), and a flow's port is the same with it and without it. IP_PMTUDISC_DO rather than PROBE, which would
 * set DF as well: what is longer than the path MTU that the kernel has learned is then refused here, and counted, instead
 * of being lost on the way.
 * @param options those of `openSenders`
 * @returns the sockets, which the caller closes
 * @throws SystemCallError, with none left open
 */
export function openTwins(options: UdpSocketOptions, senders: readonly UdpSocket[]): UdpSocket[] {
  const shim = loadShim();
  const twins: UdpSocket[] = [];
  try {
    for (const { fd, port } of senders) {
      // Only now: while they were bound, nobody could share the port (`openUdpGroup`).
      shim.reusePort(fd);
      twins.push(openUdp({ ...options, ...SENDS_ONLY, port, reusePort: true, dontFragment: true }));
    }
    return twins;
  } catch (error) {
    for (const { fd } of twins) shim.close(fd);
    throw error;
  }
}

/** What a socket to send from has and does not need. */
const SENDS_ONLY = { receiveBuffer: 0, gro: false, reusePort: false, deaf: true } as const;

/** @returns undefined when somebody has the port */
function openOne(options: UdpSocketOptions, port: number): UdpSocket | undefined {
  const wanted = { ...options, ...SENDS_ONLY, port };
  try {
    return loadShim().udpOpen(wanted);
  } catch (error) {
    if (!isSystemCallFailure(error)) throw error;
    if (error.errno === EADDRINUSE) return undefined;
    throw explainUdp({ ...options, port }, error);
  }
}

/** A step that visits every one of `n` places: without a common divisor with n. */
function coprime(n: number, random: () => number): number {
  let step = 1 + Math.floor(random() * n);
  while (gcd(step, n) !== 1) step++;
  return step;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
