/**
 * The packet(7) socket under a libpcap capture, which the `cap` package keeps to itself: found among our descriptors,
 * and asked how much it has lost. libpcap would know (pcap_stats), but cap has no word for it.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { loadShim, type Shim } from "./linux/shim.ts";

export class PacketSocket {
  readonly #fd: number;
  readonly #shim: Shim;

  private constructor(fd: number, shim: Shim) {
    this.#fd = fd;
    this.#shim = shim;
  }

  /**
   * Runs `open`, and finds the packet socket that it has opened.
   * @returns what `open` returned, and the socket; null when there is none, or no native shim to ask it with
   */
  static watch<T>(open: () => T): { result: T; socket: PacketSocket | null } {
    const before = new Set(packetSockets());
    const result = open();
    const fd = packetSockets().find((one) => !before.has(one));
    const shim = fd === undefined ? null : shimOrNull();
    return { result, socket: fd === undefined || shim === null ? null : new PacketSocket(fd, shim) };
  }

  /** Packets that the filter let through and the full ring did not take, since the last call. */
  takeDrops(): number {
    return this.#shim.packetDrops(this.#fd);
  }
}

/** Descriptors of ours that are packet sockets. */
function packetSockets(): number[] {
  // /proc/net/packet: sk RefCnt Type Proto Iface R Rmem User Inode
  const inodes = new Set(
    readFileSync("/proc/self/net/packet", "utf8")
      .split("\n")
      .slice(1)
      .map((line) => `socket:[${line.trim().split(/\s+/)[8]}]`),
  );
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => inodes.has(target(fd)));
}

/** What a descriptor leads to; the one that listed the folder is closed by now. */
function target(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** A capture works without the shim. */
function shimOrNull(): Shim | null {
  try {
    return loadShim();
  } catch {
    return null;
  }
}
