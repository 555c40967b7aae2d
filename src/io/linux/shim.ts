/**
 * The TypeScript face of `native-shims/`: system calls, and nothing that knows what a VXLAN is.
 *
 * Set-up calls throw an Error with `code` ("EPERM"), `errno` (a positive number) and `syscall` ("ioctl(TUNSETIFF)");
 * `errors.ts` turns those into sentences for people. Hot calls never throw for what the kernel says. They return how
 * many packets moved; what stopped them before the last row is told only when it met the *first* one: 0 when the
 * kernel has (or takes) no packet now, −errno when it refused, a RangeError when the row points outside the arena.
 * Otherwise the next call, which starts at that row, meets it again.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export { TRUNCATED } from "../../dataplane/ring.ts";

/** What a socket should be like. A request that the kernel grants only in part comes back in `UdpSocket.warnings`. */
export interface UdpSocketOptions {
  readonly family: 4 | 6;
  /** Address to bind, "" for the wildcard. */
  readonly address: string;
  readonly port: number;
  /** Bytes; SO_RCVBUFFORCE, else SO_RCVBUF and a warning. */
  readonly receiveBuffer: number;
  /** Bytes; SO_SNDBUFFORCE, else SO_SNDBUF and a warning. */
  readonly sendBuffer: number;
  /** UDP_GRO: several datagrams in one receive. */
  readonly gro: boolean;
  /** SO_REUSEPORT: several sockets, one per worker, on one port. */
  readonly reusePort: boolean;
  /**
   * UDP checksum sent as zero: SO_NO_CHECK, over IPv6 UDP_NO_CHECK6_TX (RFC 6935). Excludes UDP_SEGMENT: the kernel
   * answers EINVAL.
   */
  readonly noCheck: boolean;
  /** Zero UDP checksums are accepted over IPv6, as they always are over IPv4: UDP_NO_CHECK6_RX. Left out: false. */
  readonly acceptNoCheck?: boolean;
  /** False: IP_PMTUDISC_DONT, the outer DF bit stays clear, as flannel's VXLAN leaves it. True: IP_PMTUDISC_DO. */
  readonly dontFragment: boolean;
  /** Outer TTL or hop limit, 0 for the kernel's default. */
  readonly ttl: number;
  /** The same for what is sent to a group; left out or 0: `ttl`, or 1, which is the kernel's default. */
  readonly multicastTtl?: number;
  /** IPv6: the socket may send with this flow label, which each address that is sent to names. Left out: 0. */
  readonly flowLabel?: number;
  /** The socket only sends: whatever comes to it is thrown away unseen. Left out: false. */
  readonly deaf?: boolean;
}

/** A socket with nothing special, on a port that the kernel chooses; what it is bound to is left to say. */
export const PLAIN_SOCKET: Omit<UdpSocketOptions, "family" | "address"> = {
  port: 0,
  receiveBuffer: 0,
  sendBuffer: 0,
  gro: false,
  reusePort: false,
  noCheck: false,
  dontFragment: false,
  ttl: 0,
};

export interface UdpSocket {
  readonly fd: number;
  readonly port: number;
  /** Bytes the kernel really reserved, as SO_RCVBUF reports them. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly gro: boolean;
  readonly warnings: readonly string[];
}

/** Bits for `poll` and `watch`, those of poll(2). */
export const POLLIN = 1;
export const POLLOUT = 4;
/** Bits that only come as an answer: the descriptor has failed, or was never open. */
export const POLLERR = 8;
export const POLLHUP = 16;
export const POLLNVAL = 32;

export interface Shim {
  /** Opens a queue of the TAP `name`; it is made if it does not exist. Sets vnet header size and offloads. */
  tapOpen(
    name: string,
    flags: number,
    vnetHeaderSize: number,
    offloads: number,
  ): { fd: number; name: string };
  /** The MAC of the device behind a queue, as "aa:bb:cc:dd:ee:ff". */
  tapMac(fd: number): string;
  /** TUNSETPERSIST: whether the device outlives its last descriptor. */
  tapPersist(fd: number, persistent: boolean): void;
  /** TUNSETOFFLOAD: what the kernel may leave to whoever reads the device. */
  tapOffload(fd: number, offloads: number): void;
  /** if_nametoindex(3): the index of a network device, 0 when there is none of that name. */
  linkIndex(name: string): number;
  /** Switches a network device on. */
  linkUp(name: string): void;
  /** SO_BINDTODEVICE: what the socket sends goes out of that device. Takes CAP_NET_RAW before kernel 5.7. */
  bindDevice(fd: number, name: string): void;
  udpOpen(options: UdpSocketOptions): UdpSocket;
  /** SO_REUSEPORT on a socket that is bound already: from now on others may join it on its port. */
  reusePort(fd: number): void;
  /** IP_UNICAST_IF and IP_MULTICAST_IF: what the socket sends leaves by that interface. */
  udpInterface(fd: number, name: string): void;
  /** MCAST_JOIN_GROUP: from now on the interface hears `group` (IGMP, MLD), and the socket what it is bound to of it. */
  udpJoin(fd: number, name: string, group: string): void;
  /** IP_MULTICAST_ALL off: no datagrams of groups that another socket of this host has joined. */
  udpMembersOnly(fd: number): void;
  /** An eventfd(2): what wakes a sleeping `poll` from another thread. */
  eventOpen(): number;
  eventSignal(fd: number): void;
  /** Forgets the signals so far. */
  eventClear(fd: number): void;
  /**
   * A socket of this machine's processes (unix(7)) at `path`, to accept from. Its file has mode 0600 from the first moment.
   * @param packets SOCK_SEQPACKET, which keeps messages apart and carries descriptors; else SOCK_STREAM
   */
  unixListen(path: string, packets: boolean, backlog: number): number;
  /** Connects to one that was made with `packets`. */
  unixConnect(path: string): number;
  /** accept4(2). @returns the descriptor of a connection, or −errno */
  unixAccept(fd: number): number;
  /** SO_PEERCRED: who connected, or who called listen(2). */
  unixPeer(fd: number): { readonly pid: number; readonly uid: number };
  /** shutdown(2) for both directions: whoever sends from now on is refused (EPIPE), what was sent before can be read. */
  unixShutdown(fd: number): number;
  /** sendmsg(2) with SCM_RIGHTS: one packet, and at most 253 descriptors with it. @returns bytes, or −errno */
  sendDescriptors(fd: number, bytes: Uint8Array, descriptors: Int32Array): number;
  /**
   * recvmsg(2): one packet. What it is too long for, or has no room for, is an error (−EMSGSIZE, −EMFILE).
   * @param descriptors becomes those that came with it, and −1 behind them
   * @returns bytes, 0 at the end, or −errno
   */
  receiveDescriptors(fd: number, bytes: Uint8Array, descriptors: Int32Array): number;
  close(fd: number): void;

  // Hot calls. `words` is a Ring's descriptor table of mask + 1 rows; rows start … start + count − 1 (masked) are used.
  // A row may be the first of several that make up one message (FOLLOW_SHIFT in `ring.ts`): they move together.
  /**
   * read(2) per row into its body; LENGTH becomes the bytes read. A frame longer than its room is cut to it.
   * @param budget bytes after which no further frame is read, at least 1
   */
  readBatch(
    fd: number,
    arena: Uint8Array,
    words: Int32Array,
    mask: number,
    start: number,
    count: number,
    budget: number,
  ): number;
  /** writev(2) per message. Only an Ethernet device that is up takes a frame: −EIO before that. */
  writeBatch(
    fd: number,
    arena: Uint8Array,
    words: Int32Array,
    mask: number,
    start: number,
    count: number,
  ): number;
  /**
   * sendmmsg(2) of messages to row PEER of `addresses`; the TOS of OUTER and the TTL of PEER by control message where
   * non-zero, the segment size by UDP_SEGMENT.
   * @param senders (bits, socket) after (bits, socket): by which socket a row leaves whose OUTER has those bits of source port and DONT_FRAGMENT; `fd` for all others
   * @param single each row is a datagram of its own, whatever SEGMENT says
   */
  sendBatch(
    fd: number,
    arena: Uint8Array,
    words: Int32Array,
    mask: number,
    start: number,
    count: number,
    addresses: Uint8Array,
    senders: Int32Array,
    single: boolean,
  ): number;
  /**
   * recvmmsg(2) into the bodies; LENGTH becomes the bytes received, OUTER the TOS, SEGMENT the GRO size, row i of
   * `addresses` the sender.
   * A datagram that was longer than its room has the bit TRUNCATED (`ring.ts`) in OUTER, and LENGTH is the room.
   */
  recvBatch(
    fd: number,
    arena: Uint8Array,
    words: Int32Array,
    mask: number,
    start: number,
    count: number,
    addresses: Uint8Array,
  ): number;
  /** Datagrams that a socket has dropped for want of room (SO_MEMINFO); it wraps at 2^32. */
  socketDrops(fd: number): number;
  /**
   * Ones-complement sums of pieces of the arena (`wire/checksum.ts`: `fold(sum(…))`).
   * @param ranges (offset, length) after (offset, length), `count` of them; each offset becomes the sum in 16 bits
   */
  sumRanges(arena: Uint8Array, ranges: Int32Array, count: number): void;
  /**
   * Copies bytes in pieces, a copy of one header before each, and sums the pieces on the way.
   * @param job `CopyPieces` of `dataplane/sums.ts` says what its words are
   * @param sums becomes the sum of each piece, as in `sumRanges`
   */
  copyPieces(arena: Uint8Array, job: Int32Array, sums: Int32Array): void;
  /** How many bytes the memory of `arena` starts above a multiple of 64. */
  misalignment(arena: Uint8Array): number;
  /**
   * poll(2) over `set`, at most 16 rows of (fd, wanted events, events that came); a negative fd is passed over.
   * @param timeout milliseconds, −1 for ever
   * @returns how many rows have events, 0 after the timeout or a signal.
   */
  poll(set: Int32Array, timeout: number): number;
  /**
   * The same, but looks for `budget` microseconds before it sleeps, and gives the CPU away in between; it sleeps sooner
   * when somebody else had the CPU for `patience` microseconds.
   * @param report becomes how the wait ended (`dataplane/spin.ts`), its microseconds, and 1 when the CPU was wanted
   */
  pollSpinning(
    set: Int32Array,
    timeout: number,
    budget: number,
    patience: number,
    report: Int32Array,
  ): number;
  /**
   * uv_poll: watches a descriptor from the calling thread's event loop, which it keeps alive until `stop`. It starts
   * paused. `callback` gets the events that came, or −errno when the descriptor has failed: then it is paused again.
   * A descriptor has one watch per thread (EEXIST), and the watch is stopped before the descriptor is closed.
   */
  watch(fd: number, callback: (events: number) => void): Watch;
  /** epoll_create1(2). */
  epollOpen(): number;
  /** From now on `epollReady` says `key` while `fd` can be read, or has failed (level-triggered). */
  epollAdd(epoll: number, fd: number, key: number): void;
  /** epoll_wait(2) without waiting. @returns how many keys were written to `out`, at most 64 */
  epollReady(epoll: number, out: Int32Array): number;
  /**
   * A NETLINK_ROUTE socket bound to multicast groups, to be read with `receiveFrom`: −ENOBUFS when something was missed.
   * @param groups bit n−1 for RTNLGRP n
   * @param receiveBuffer bytes; SO_RCVBUFFORCE, else what SO_RCVBUF grants
   */
  netlinkOpen(groups: number, receiveBuffer: number): number;
  /** SO_ATTACH_FILTER, in place of a filter before. @param program instructions of classic BPF, 8 bytes each */
  attachFilter(fd: number, program: Uint8Array): void;
  /** PACKET_STATISTICS of a packet(7) socket: packets its full ring has lost since the last time somebody asked. */
  packetDrops(fd: number): number;
  /**
   * What the kernel's route to each address says of the MTU: the route's or the interface's own, or the smaller one
   * that ICMP has taught it. Nothing is sent.
   * @param fd a UDP socket for this and nothing else: it is connected to one address after the other
   * @param addresses a sockaddr per row
   * @param mtus one for each row; becomes the MTU, or −errno
   */
  routeMtus(fd: number, addresses: Uint8Array, mtus: Int32Array): void;
  /**
   * A socket that sends ICMP with DF set and whatever the kernel has learnt of the path (IP_PMTUDISC_PROBE), and receives
   * echo replies. Raw where we may (CAP_NET_RAW), else a ping socket (`net.ipv4.ping_group_range`).
   * @param address the sockaddr to send from; its family is the socket's
   */
  icmpOpen(address: Uint8Array): { fd: number; raw: boolean };
  /** sendto(2). @returns bytes, or −errno */
  sendTo(fd: number, bytes: Uint8Array, address: Uint8Array): number;
  /** recvfrom(2). @returns bytes that were received, as many as there is room for, or −errno; `address` becomes the sender */
  receiveFrom(fd: number, bytes: Uint8Array, address: Uint8Array): number;
  /**
   * A datagram to the AF_UNIX socket of this name: a path, or an abstract name behind `@`. It never waits.
   * @returns bytes, or −errno
   */
  sendLocal(name: string, bytes: Uint8Array): number;
  /** send(2) into a socket, without waiting whatever its flags say (MSG_DONTWAIT). @returns bytes taken, or −errno */
  sendNow(fd: number, bytes: Uint8Array): number;
  /** The numbers of the descriptor words as C has them, for the test that compares them with `ring.ts`. */
  readonly descriptor: Readonly<Record<string, number>>;
}

export interface Watch {
  /** Waits for these events from now on, 0 for none. Nothing after `stop`. */
  update(events: number): void;
  /** From now on it does not keep the event loop alive. */
  unref(): void;
  /** Ends the watch. Safe to call twice. */
  stop(): void;
}

let loaded: Shim | undefined;

/**
 * Loads the native shim once per thread: a prebuilt binary, or what node-gyp built.
 * @throws Error naming the command that builds it, when there is none for this machine.
 */
export function loadShim(): Shim {
  loaded ??= load();
  return loaded;
}

/** It is there in a clone and in an installed package, and works from any folder. */
const SETUP = fileURLToPath(new URL("../../../scripts/setup.mjs", import.meta.url));

function load(): Shim {
  const require = createRequire(import.meta.url);
  const folder = fileURLToPath(new URL("../../../native-shims", import.meta.url));
  try {
    return require("node-gyp-build")(folder) as Shim;
  } catch (cause) {
    const why = (cause as Error).message;
    const what = why.startsWith("No native build was found")
      ? "the native shim is not built for this machine"
      : `the native shim cannot be loaded (${why})`;
    const remedy = `build it with \`node ${SETUP} --only shim\` (needs a C compiler, make and python3)`;
    throw Object.assign(new Error(`${what}, and without it no TAP can be opened; ${remedy}`, { cause }), {
      code: "POPLIN_NO_SHIM",
      remedy,
    });
  }
}
