/**
 * The TAP: a network device whose far end is a descriptor. What the kernel sends out of the device we read, what we
 * write arrives on it, each frame behind a vnet header of 12 bytes.
 *
 * The flags are the same for every device, one queue or many: a TAP keeps those it was made with. Whether the device
 * outlives us is its owner's to say (`loadShim().tapPersist`). A descriptor may be opened in one thread and used in
 * another, by one at a time.
 */
import { VNET_AT, VNET_LENGTH } from "../../dataplane/arena.ts";
import type { Offloads } from "../../dataplane/offloads.ts";
import type { Tap } from "../../dataplane/ports.ts";
import { LENGTH, type Ring } from "../../dataplane/ring.ts";
import { isSystemCallFailure } from "./errors.ts";
import { type ProcessName, tapHolders } from "./holders.ts";
import { loadShim } from "./shim.ts";
import { type Explanation, explainNew, explainOld, sharedTap } from "./tap-errors.ts";
import { Watching } from "./watching.ts";

// include/uapi/linux/if_tun.h
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** Fail with EBUSY when the device is there already. Not a property of the device. */
const IFF_TUN_EXCL = 0x8000;

const EBADF = 9;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO = 0x02 | 0x04;
const TUN_F_USO = 0x20 | 0x40;

/** What every poplin TAP is made with. */
const TAP_FLAGS = IFF_TAP | IFF_MULTI_QUEUE | IFF_NO_PI | IFF_VNET_HDR;

/** Bytes after which a read stops for this turn: two super-frames. More would leave the cache before they are sent. */
const READ_BUDGET = 128 * 1024;

/** The bits of TUNSETOFFLOAD: what the kernel may leave to us. It takes the others only together with the checksums. */
export function tapOffloads(offloads: Offloads | undefined): number {
  if (!offloads?.["tap-csum"]) return 0;
  return TUN_F_CSUM | (offloads["tap-tso"] ? TUN_F_TSO : 0) | (offloads["tap-uso"] ? TUN_F_USO : 0);
}

/** A queue of a TAP. */
export interface OpenTap {
  readonly fd: number;
  readonly name: string;
  /** The device was there before: it is persistent, and has kept its addresses and rows. */
  readonly existed: boolean;
}

/**
 * Opens a queue of the TAP `name`, made if it does not exist; a "%d" in the name becomes the next free number.
 * @param offloads what frames from it may need done; left out: nothing. What somebody left on otherwise is switched off
 * @param holdersOf says who holds a device that is there already
 * @throws TapPermissionError, TunMissingError, TapBusyError, TapMismatchError, TapNameError, SystemCallError
 * @throws RangeError for a name of more than 15 bytes
 */
export function openTap(
  name: string,
  offloads?: Offloads,
  holdersOf: (name: string) => readonly ProcessName[] = tapHolders,
): OpenTap {
  const bits = tapOffloads(offloads);
  const fresh = tryOpen(name, TAP_FLAGS | IFF_TUN_EXCL, bits, explainNew);
  if (fresh !== undefined) return { ...fresh, existed: false };
  const holders = holdersOf(name);
  // Each queue of a device gets a share of its frames: two owners would both lose packets.
  if (holders.length > 0) throw sharedTap(name, holders);
  const found = tryOpen(name, TAP_FLAGS, bits, explainOld);
  return { ...found!, existed: true };
}

/**
 * Opens one more queue of a TAP that we hold already: the kernel gives each flow to one of them.
 * @throws as `openTap`
 */
export function openTapQueue(name: string, offloads?: Offloads): OpenTap {
  return { ...tryOpen(name, TAP_FLAGS, tapOffloads(offloads), explainOld)!, existed: true };
}

export class LinuxTap implements Tap {
  readonly fd: number;
  readonly name: string;
  readonly #shim = loadShim();
  readonly #watching: Watching;
  more = false;
  #closed = false;

  /** Takes over a descriptor that `openTap` returned, in this thread or another. */
  constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
    this.#watching = new Watching(fd);
  }

  readBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    this.more = false;
    const prepared = ring.prepare(max, VNET_AT);
    if (prepared === 0) return 0;
    const { bytes, words, mask, head } = ring;
    const read = this.#shim.readBatch(this.fd, bytes, words, mask, head, prepared, READ_BUDGET);
    let octets = 0;
    for (let i = 0; i < read; i++) octets += words[ring.row(head + i) + LENGTH]!;
    this.more = octets >= READ_BUDGET;
    ring.publish(prepared, Math.max(read, 0));
    return read;
  }

  writeBatch(ring: Ring, count = ring.length): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    if (count === 0) return 0;
    const written = this.#shim.writeBatch(this.fd, ring.bytes, ring.words, ring.mask, ring.tail, count);
    if (written > 0) ring.complete(written);
    return written;
  }

  setWake(wake: (() => void) | null): void {
    this.#watching.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#watching.setInterest(readable, writable);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watching.setWake(null);
    this.#shim.close(this.fd);
  }
}

/** @returns undefined when `explain` says that the failure is none. */
function tryOpen(
  name: string,
  flags: number,
  offloads: number,
  explain: Explanation,
): { fd: number; name: string } | undefined {
  try {
    return loadShim().tapOpen(name, flags, VNET_LENGTH, offloads);
  } catch (error) {
    if (!isSystemCallFailure(error)) throw error;
    const explained = explain(name, error);
    if (explained === undefined) return undefined;
    throw explained;
  }
}
