/**
 * Packets off an interface, through libpcap and the `cap` package.
 *
 * `cap` is an optional dependency, bound to one Node ABI and to the main thread; it is loaded when the first source is
 * opened. It tells no timestamps, and not what the kernel dropped (`packet-socket.ts` finds that out). Three habits of
 * its native side shape this file:
 * - it holds no reference to the buffer it writes packets into, so this side must, or the collector frees it;
 * - a closed capture leaves a freed poll handle in libuv's list when it is collected, so none ever is;
 * - it hands over packets until the kernel has none left, and while they keep coming nothing else on the thread runs,
 *   not even a signal's handler. Then the capture is closed and opened anew (`restarts`): packets are lost either way.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PacketSocket } from "./packet-socket.ts";

/** LINKTYPE_ numbers (https://www.tcpdump.org/linktypes.html) for the names that cap has. */
const LINK_TYPES: Readonly<Record<string, number>> = {
  NULL: 0,
  ETHERNET: 1,
  RAW: 101,
  LINKTYPE_LINUX_SLL: 113,
};

/** Bytes of the largest packet: cap sets a snapshot length of 65,535. */
const SNAPLEN = 65_535;
/** Bytes of the kernel's ring in front of us: about 500 packets, since libpcap gives each the room of the largest. */
const KERNEL_BUFFER = 32 * 1024 * 1024;
/** Milliseconds that packets may keep the event loop from turning. */
const LONGEST_TURN = 500;

export type PcapErrorCode =
  | "CAP_MISSING"
  | "CAPTURE_PERMISSION"
  | "NO_SUCH_INTERFACE"
  | "INTERFACE_DOWN"
  | "CAPTURE_FAILED";

/** No capture, and why. */
export class PcapError extends Error {
  readonly code: PcapErrorCode;
  readonly remedy: string;

  constructor(code: PcapErrorCode, message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.name = "PcapError";
    this.code = code;
    this.remedy = remedy;
  }
}

export interface PcapSourceOptions {
  /** Interface name. */
  readonly device: string;
  /** In libpcap's language, pcap-filter(7). */
  readonly filter: string;
  /**
   * Called for each packet. `bytes` are the capture's own and hold until it returns; `truncated` when there was more.
   */
  readonly onPacket: (bytes: Uint8Array, truncated: boolean) => void;
  /** Called when a restart failed: the capture is over. */
  readonly onError: (error: PcapError) => void;
}

export interface PcapSource {
  /** LINKTYPE_ number: what the first byte of a packet is. */
  readonly linkType: number;
  /** Times packets came faster than `onPacket` took them, and the capture was started anew. */
  readonly restarts: number;
  /** Packets that the kernel's full ring has lost; null where the native shim is not there to ask. */
  readonly dropped: number | null;
  /** Ends the capture; `onPacket` is not called again. Safe to call twice, and from `onPacket`. */
  close(): void;
}

/** What of cap is used here (it has no types of its own). */
interface Cap {
  open(device: string, filter: string, kernelBuffer: number, buffer: Buffer): string;
  on(event: "packet", listener: (length: number, truncated: boolean) => void): void;
  close(): boolean;
}

/**
 * Starts a capture.
 * @throws PcapError
 */
export function openPcapSource(options: PcapSourceOptions): PcapSource {
  const CapClass = loadCap();
  checkInterface(options.device);
  return new CapSource(options, CapClass);
}

/**
 * Matches VXLAN to or from `port`, and what a filter on ports alone misses: later fragments, which have no ports, and
 * IPv6 fragments. `FragmentTracker` tells which of those are VXLAN's.
 */
export function vxlanFilter(port: number): string {
  return `udp port ${port} or (ip proto 17 and (ip[6:2] & 0x1fff) != 0) or ip6[6] == 44`;
}

/** Every capture there was: see the head of this file. */
const everOpened: Cap[] = [];

class CapSource implements PcapSource {
  readonly linkType: number;
  restarts = 0;
  readonly #options: PcapSourceOptions;
  readonly #Cap: new () => Cap;
  readonly #buffer = Buffer.alloc(SNAPLEN);
  #cap: Cap | null = null;
  #socket: PacketSocket | null = null;
  #dropped: number | null = 0;
  /** When the event loop last turned, NaN until a packet has come in this turn. */
  #turnStart = Number.NaN;

  constructor(options: PcapSourceOptions, CapClass: new () => Cap) {
    this.#options = options;
    this.#Cap = CapClass;
    this.linkType = this.#open();
  }

  get dropped(): number | null {
    if (this.#cap !== null) this.#countDrops();
    return this.#dropped;
  }

  close(): void {
    if (this.#cap === null) return;
    this.#countDrops();
    this.#cap.close();
    this.#cap = null;
    this.#socket = null;
  }

  #countDrops(): void {
    if (this.#socket !== null && this.#dropped !== null) this.#dropped += this.#socket.takeDrops();
  }

  #open(): number {
    const { device, filter } = this.#options;
    const cap = new this.#Cap();
    everOpened.push(cap);
    cap.on("packet", (length, truncated) => this.#deliver(cap, length, truncated));
    let name: string;
    try {
      const open = () => cap.open(device, filter, KERNEL_BUFFER, this.#buffer);
      ({ result: name, socket: this.#socket } = PacketSocket.watch(open));
    } catch (error) {
      throw openError(device, error as Error);
    }
    this.#cap = cap;
    if (this.#socket === null) this.#dropped = null;
    const linkType = LINK_TYPES[name];
    if (linkType !== undefined) return linkType;
    this.close();
    throw new PcapError(
      "CAPTURE_FAILED",
      `${device} carries packets of a kind that cap does not know: ${name}`,
      "capture on the interface below it",
    );
  }

  #deliver(cap: Cap, length: number, truncated: boolean): void {
    if (cap !== this.#cap) return;
    if (Number.isNaN(this.#turnStart)) {
      this.#turnStart = performance.now();
      setImmediate(() => {
        this.#turnStart = Number.NaN;
      });
    }
    this.#options.onPacket(this.#buffer.subarray(0, length), truncated);
    if (cap === this.#cap && performance.now() - this.#turnStart > LONGEST_TURN) this.#restart(cap);
  }

  #restart(cap: Cap): void {
    this.restarts++;
    this.#countDrops();
    this.#socket = null;
    cap.close();
    // Two immediates: signals that came meanwhile are handled between them.
    setImmediate(() => setImmediate(() => this.#reopen(cap)));
  }

  #reopen(closed: Cap): void {
    if (this.#cap !== closed) return;
    try {
      this.#open();
    } catch (error) {
      this.#cap = null;
      this.#options.onError(error as PcapError);
    }
  }
}

function loadCap(): new () => Cap {
  const require = createRequire(import.meta.url);
  try {
    return (require("cap") as { Cap: new () => Cap }).Cap;
  } catch (cause) {
    throw new PcapError(
      "CAP_MISSING",
      `capturing needs the optional package "cap", which does not load here: ${firstLine(cause as Error)}`,
      "install libpcap's headers and a C++ compiler (Debian: apt-get install libpcap-dev build-essential python3), " +
        "then `npm install cap` or, if it is there but built for another Node, `npm rebuild cap`",
      cause,
    );
  }
}

/** IFF_UP, `include/uapi/linux/if.h`. */
const UP = 1;

/** libpcap would say the same, after a warning of cap's on standard error. */
function checkInterface(device: string): void {
  let flags: number;
  try {
    flags = Number(readFileSync(`/sys/class/net/${device}/flags`, "utf8"));
  } catch (cause) {
    const names = readdirSync("/sys/class/net").join(", ");
    throw new PcapError("NO_SUCH_INTERFACE", `there is no interface ${device}`, `there are ${names}`, cause);
  }
  if ((flags & UP) !== 0) return;
  throw new PcapError("INTERFACE_DOWN", `${device} is down`, `set it up: ip link set ${device} up`);
}

function openError(device: string, cause: Error): PcapError {
  const message = firstLine(cause);
  if (/not permitted|permission/i.test(message)) {
    return new PcapError(
      "CAPTURE_PERMISSION",
      `not allowed to capture on ${device}: that takes CAP_NET_RAW`,
      "run it as root: `sudo poplin capture`",
      cause,
    );
  }
  return new PcapError(
    "CAPTURE_FAILED",
    `cannot capture on ${device}: ${message}`,
    "try another interface with -i",
    cause,
  );
}

function firstLine(error: Error): string {
  return error.message.split("\n", 1)[0]!;
}
