/**
 * The TAP: a network device whose far end is a descriptor. What the kernel sends out of the device we read, what we
 * write arrives on it, each frame behind a vnet header of 12 bytes.
 *
 * The flags are the same for every device, one queue or many: a TAP keeps those it was made with. Whether the device
 * outlives us is its owner's to say (`loadShim().tapPersist`). A descriptor may be opened in one thread and used in
 * another, by one at a time.
 */
import { VNET_AT, VNET_LENGTH } from "../../dataplane/arena.ts";
import type { Tap } from "../../dataplane/ports.ts";
import type { Ring } from "../../dataplane/ring.ts";
import { isSystemCallFailure } from "./errors.ts";
import { tapHolders } from "./holders.ts";
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

/** What every poplin TAP is made with. */
const TAP_FLAGS = IFF_TAP | IFF_MULTI_QUEUE | IFF_NO_PI | IFF_VNET_HDR;
/** No offloads: every frame we read is complete and within the MTU. */
const NO_OFFLOADS = 0;

/** A queue of a TAP. */
export interface OpenTap {
  readonly fd: number;
  readonly name: string;
  /** The device was there before: it is persistent, and has kept its addresses and rows. */
  readonly existed: boolean;
}

/**
 * Opens a queue of the TAP `name`, made if it does not exist; a "%d" in the name becomes the next free number.
 * Offloads that somebody left on are switched off.
 * @throws TapPermissionError, TunMissingError, TapBusyError, TapMismatchError, TapNameError, SystemCallError
 * @throws RangeError for a name of more than 15 bytes
 */
export function openTap(name: string): OpenTap {
  const fresh = tryOpen(name, TAP_FLAGS | IFF_TUN_EXCL, explainNew);
  if (fresh !== undefined) return { ...fresh, existed: false };
  const holders = tapHolders(name);
  // Each queue of a device gets a share of its frames: two owners would both lose packets.
  if (holders.length > 0) throw sharedTap(name, holders);
  const found = tryOpen(name, TAP_FLAGS, explainOld);
  return { ...found!, existed: true };
}

export class LinuxTap implements Tap {
  readonly fd: number;
  readonly name: string;
  readonly #shim = loadShim();
  readonly #watching: Watching;
  #closed = false;

  /** Takes over a descriptor that `openTap` returned, in this thread or another. */
  constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
    this.#watching = new Watching(fd);
  }

  readBatch(ring: Ring, max: number): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    const prepared = ring.prepare(max, VNET_AT);
    if (prepared === 0) return 0;
    const read = this.#shim.readBatch(this.fd, ring.bytes, ring.words, ring.mask, ring.head, prepared);
    ring.publish(prepared, Math.max(read, 0));
    return read;
  }

  writeBatch(ring: Ring): number {
    if (this.#closed) return -EBADF; // the descriptor's number may be somebody else's by now
    const count = ring.length;
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
  explain: Explanation,
): { fd: number; name: string } | undefined {
  try {
    return loadShim().tapOpen(name, flags, VNET_LENGTH, NO_OFFLOADS);
  } catch (error) {
    if (!isSystemCallFailure(error)) throw error;
    const explained = explain(name, error);
    if (explained === undefined) return undefined;
    throw explained;
  }
}
