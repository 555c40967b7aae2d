/**
 * What the kernel knows of the MTU on the way to somebody: that of the route or the interface, or the smaller one that an
 * ICMP "too big" from the underlay has taught it.
 *
 * How ICMP is heard, and why not otherwise: the kernel looks at each such message itself, whatever our sockets ask for
 * (`__udp4_lib_err`, `__udp6_lib_err`). It compares the quoted datagram with the sockets that there are, and puts what it
 * learns into the routing table as an exception, for ten minutes (`net.ipv4.route.mtu_expires`, also IPv6's). So the
 * routing table is asked. An error queue (IP_RECVERR) would tell it sooner, at two prices: a pending error fails the next
 * send of that socket, which costs somebody else's datagram; and its control messages may be copied from packets whose
 * memory a hardened kernel does not let go (BUG at mm/usercopy.c: "Facts paid for" in ARCHITECTURE.md, and CVE-2026-22977,
 * which is about `sock_recv_errqueue`). A raw ICMP socket would hear whatever anybody sends us, and leave the checks to us.
 *
 * Limits: where several ways lead to one address (ECMP), an exception belongs to one of them, and this socket's datagrams
 * may take another.
 */
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { loadShim, PLAIN_SOCKET } from "./shim.ts";
import { openUdp } from "./udp.ts";

export class RouteMtus {
  readonly #fd: number;
  readonly #port: number;

  /**
   * @param local our address in the underlay, in words, and its family
   * @param port that of the datagrams: routes may go by it (`ip rule`)
   * @throws SystemCallError
   */
  constructor(local: string, family: 4 | 6, port: number) {
    this.#port = port;
    this.#fd = openUdp({ ...PLAIN_SOCKET, family, address: local, deaf: true }).fd;
  }

  /** Two system calls for each address; nothing is sent. @returns for each its MTU, null where there is no route */
  ask(addresses: readonly Uint8Array[]): (number | null)[] {
    const rows = new Uint8Array(addresses.length * ADDRESS_BYTES);
    addresses.forEach((address, i) => void writeSockaddr(rows, i * ADDRESS_BYTES, address, this.#port));
    const mtus = new Int32Array(addresses.length);
    loadShim().routeMtus(this.#fd, rows, mtus);
    return Array.from(mtus, (mtu) => (mtu > 0 ? mtu : null));
  }

  close(): void {
    loadShim().close(this.#fd);
  }
}
