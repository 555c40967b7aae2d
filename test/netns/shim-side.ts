/** What scenarios about the TAP and the socket have at hand inside a namespace: a device, a ring, what came out of them. */
import { execFileSync } from "node:child_process";
import { Arena, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { LENGTH, OFFSET, Ring, SLOT } from "../../src/dataplane/ring.ts";
import { loadShim, PLAIN_SOCKET, POLLIN, type UdpSocketOptions } from "../../src/io/linux/shim.ts";
import type { LinuxTap } from "../../src/io/linux/tap.ts";

/** Of the TAP. */
export const NAME = "pop0";

/** What an error of ours says. */
export interface Failure {
  readonly name: string;
  readonly code: string;
  readonly errnoName: string;
  readonly message: string;
}

/** @returns what iproute2 prints */
export function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

/** @returns the error that a call ends with; null where it does not */
export function failureOf(run: () => unknown): Failure | null {
  try {
    run();
    return null;
  } catch (error) {
    const { name, code, errnoName, message } = error as Failure;
    return { name, code, errnoName, message };
  }
}

/** An empty ring of 64 rows over as many slots of 8 KB. */
export function makeRing(): Ring {
  return new Ring(new Arena(1 << 20).carvePool(8192, 64), 64);
}

/** Gives the TAP addresses and a neighbour, without a word of IPv6 autoconfiguration. */
export function configure(name: string): void {
  ip("link", "set", name, "addrgenmode", "none");
  ip("link", "set", name, "up");
  ip("address", "add", "192.0.2.1/24", "dev", name);
  ip("address", "add", "2001:db8::1/64", "dev", name, "nodad");
  ip("neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", name);
  ip("neighbour", "add", "2001:db8::2", "lladdr", "02:00:00:00:00:02", "dev", name);
}

/** Waits for frames and returns the first that `wanted` likes, as (vnet header, frame, where the vnet header was). */
export function readFrame(tap: LinuxTap, ring: Ring, wanted: (frame: Buffer) => boolean) {
  const set = Int32Array.of(tap.fd, POLLIN, 0);
  for (let tries = 0; tries < 50; tries++) {
    loadShim().poll(set, 100);
    tap.readBatch(ring, 8);
    while (ring.length > 0) {
      const at = ring.row(ring.tail);
      const offset = ring.words[at + OFFSET]!;
      const bytes = Buffer.from(ring.bytes.slice(offset, offset + ring.words[at + LENGTH]!));
      const place = offset - ring.words[at + SLOT]!;
      ring.complete(1);
      const frame = bytes.subarray(VNET_LENGTH);
      if (wanted(frame)) return { vnet: bytes.subarray(0, VNET_LENGTH), frame, place };
    }
  }
  throw new Error("no such frame came");
}

/** Whether a frame without a tag carries UDP. */
export function isUdp(frame: Buffer): boolean {
  const type = frame.readUInt16BE(12);
  return (type === 0x0800 && frame[23] === 17) || (type === 0x86dd && frame[20] === 17);
}

/** Options of a socket on the loopback's address. */
export function udp(overrides: Partial<UdpSocketOptions> = {}): UdpSocketOptions {
  return { ...PLAIN_SOCKET, family: 4, address: "127.0.0.1", ...overrides };
}
