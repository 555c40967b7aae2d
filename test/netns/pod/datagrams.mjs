// UDP as a pod may use it and node:dgram cannot: TOS and UDP_SEGMENT per send, and the TOS of what arrives.
import { addressBytes } from "../../../dist/control/address.js";
import { Arena } from "../../../dist/dataplane/arena.js";
import { LENGTH, OFFSET, OUTER, PEER, Ring, SEGMENT } from "../../../dist/dataplane/ring.js";
import { ADDRESS_BYTES, sockaddrPort, writeSockaddr } from "../../../dist/fdb/sockaddr.js";
import { loadShim, POLLIN } from "../../../dist/io/linux/shim.js";
import { openUdp } from "../../../dist/io/linux/udp.js";

const SLOTS = 64;
/** The largest UDP payload, rounded up to a cache line. */
const SLOT_BYTES = 65_536;
const NO_SENDERS = new Int32Array(0);

/** Bytes to ask for each buffer: a test is about what the tunnel loses, not about what a pod's socket does. */
const BUFFER = 8 << 20;
const DEFAULTS = { gro: false, reusePort: false, noCheck: false, dontFragment: false, ttl: 0 };

export class Datagrams {
  #shim = loadShim();
  #ring = new Ring(new Arena(SLOTS * SLOT_BYTES).carvePool(SLOT_BYTES, SLOTS), SLOTS);
  #watch;

  /** @param port 0 for any free one */
  constructor(family, port = 0, address = "") {
    const buffers = { receiveBuffer: BUFFER, sendBuffer: BUFFER };
    const socket = openUdp({ family, address, port, ...buffers, ...DEFAULTS });
    this.fd = socket.fd;
    this.port = socket.port;
  }

  /**
   * Sends one datagram, or with `segment` one UDP_SEGMENT send that the kernel cuts into as many as it takes.
   * @throws Error with the errno when the kernel refuses it
   */
  send(payload, address, port, { tos = 0, segment = 0 } = {}) {
    const ring = this.#ring;
    const slot = ring.pool.take();
    ring.bytes.set(payload, slot);
    const at = ring.push(slot, slot, payload.length);
    ring.words[at + PEER] = 0;
    ring.words[at + OUTER] = tos;
    ring.words[at + SEGMENT] = segment;
    const to = new Uint8Array(ADDRESS_BYTES);
    writeSockaddr(to, 0, addressBytes(address), port);
    let sent = 0;
    const { bytes, words, mask, tail } = ring;
    do sent = this.#shim.sendBatch(this.fd, bytes, words, mask, tail, 1, to, NO_SENDERS, false);
    while (sent === 0);
    ring.complete(1);
    if (sent < 0) throw new Error(`sending ${payload.length} bytes to ${address} failed with errno ${-sent}`);
  }

  /** Calls `take(payload, tos, sourcePort)` for all that arrives from now on; the payload is lent for the call. */
  receive(take) {
    const ring = this.#ring;
    const { bytes, words, mask, addresses } = ring;
    const drain = () => {
      for (;;) {
        const n = ring.prepare(SLOTS, 0);
        const got = this.#shim.recvBatch(this.fd, bytes, words, mask, ring.head, n, addresses);
        ring.publish(n, Math.max(got, 0));
        if (got <= 0) return;
        for (let i = 0; i < got; i++) this.#take(take);
      }
    };
    this.#watch = this.#shim.watch(this.fd, drain);
    this.#watch.update(POLLIN);
  }

  #take(take) {
    const ring = this.#ring;
    const at = ring.row(ring.tail);
    const from = sockaddrPort(ring.addresses, (ring.tail & ring.mask) * ADDRESS_BYTES);
    const offset = ring.words[at + OFFSET];
    take(ring.bytes.subarray(offset, offset + ring.words[at + LENGTH]), ring.words[at + OUTER] & 0xff, from);
    ring.complete(1);
  }

  close() {
    this.#watch?.stop();
    this.#shim.close(this.fd);
  }
}
