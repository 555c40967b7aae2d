/** One packet at a time in and out of a descriptor, by the shim's hot calls: probes send few and need no ring. */
import { ADDRESS_BYTES, LENGTH, OFFSET, PEER, SEGMENT, WORDS } from "../../../dataplane/ring.ts";
import { writeSockaddr } from "../../../fdb/sockaddr.ts";
import { loadShim, POLLIN } from "../shim.ts";

/** Packets that one read may bring, each with room for the largest that a probe makes. */
const ROWS = 8;
const ROOM = 4096;
/** Milliseconds for which a packet may be on its way. Within one machine it is there at once, or a CPU is busy. */
const PATIENCE = 4;

/** A packet that came, and what was said beside it. */
export interface Arrival {
  readonly bytes: Uint8Array;
  /** The segment size that UDP_GRO told; 0 without. */
  readonly segment: number;
}

export class Packets {
  readonly #shim = loadShim();
  readonly #arena = new Uint8Array(ROWS * ROOM);
  readonly #words = new Int32Array(ROWS * WORDS);
  readonly #addresses = new Uint8Array(ROWS * ADDRESS_BYTES);

  /** Sends a datagram, cut at `segment` if that is not 0. @returns 0 or the errno */
  send(fd: number, address: Uint8Array, port: number, bytes: Uint8Array, segment = 0): number {
    this.#put(bytes);
    this.#words[SEGMENT] = segment;
    writeSockaddr(this.#addresses, 0, address, port);
    return errno(
      this.#shim.sendBatch(fd, this.#arena, this.#words, 0, 0, 1, this.#addresses, new Int32Array(0), false),
    );
  }

  /** Writes a frame, its vnet header before it. @returns 0 or the errno */
  write(fd: number, bytes: Uint8Array): number {
    this.#put(bytes);
    return errno(this.#shim.writeBatch(fd, this.#arena, this.#words, 0, 0, 1));
  }

  /** Waits for datagrams. @returns them; none when nothing comes in time */
  receive(fd: number): Arrival[] {
    return this.#take(fd, (from, mask, count) =>
      this.#shim.recvBatch(fd, this.#arena, this.#words, mask, from, count, this.#addresses),
    );
  }

  /** Waits for frames, each behind its vnet header. @returns them; none when nothing comes in time */
  read(fd: number): Arrival[] {
    return this.#take(fd, (from, mask, count) =>
      this.#shim.readBatch(fd, this.#arena, this.#words, mask, from, count, this.#arena.length),
    );
  }

  #put(bytes: Uint8Array): void {
    this.#words.fill(0);
    this.#arena.set(bytes);
    this.#words[LENGTH] = bytes.length;
    this.#words[PEER] = 0;
  }

  #take(fd: number, into: (from: number, mask: number, count: number) => number): Arrival[] {
    if (this.#shim.poll(Int32Array.of(fd, POLLIN, 0), PATIENCE) === 0) return [];
    this.#words.fill(0);
    for (let i = 0; i < ROWS; i++) {
      this.#words[i * WORDS + OFFSET] = i * ROOM;
      this.#words[i * WORDS + LENGTH] = ROOM;
    }
    const count = Math.max(0, into(0, ROWS - 1, ROWS));
    return Array.from({ length: count }, (_, i) => {
      const at = i * WORDS;
      const bytes = this.#arena.slice(i * ROOM, i * ROOM + this.#words[at + LENGTH]!);
      return { bytes, segment: this.#words[at + SEGMENT]! };
    });
  }
}

/** @param moved what a hot call for one packet returned: nothing moved means that there was no room */
function errno(moved: number): number {
  const EAGAIN = 11;
  return moved > 0 ? 0 : moved === 0 ? EAGAIN : -moved;
}
