/** What the ports of a loop refuse, and when one of them is of no more use. */
import type { Direction } from "./counters.ts";

/** errno values after which a descriptor is of no more use: EBADF, EBADFD (the TAP was deleted), ENOTSOCK, ENODEV. */
const GONE = new Set([9, 77, 88, 19]);
/** Reads that may fail in a row, each with an errno of its own making, before the port counts as gone. */
const READ_FAILURES = 1000;

/** A port that is of no more use, and the errno that said so. */
export interface PortFailure {
  readonly port: "tap" | "underlay";
  readonly errno: number;
  /** Of several overlays, the place of the one whose TAP it is. */
  readonly overlay?: number;
}

/** What a port refused a packet with. */
export interface Refusal {
  /** 0 when none was refused ever. */
  errno: number;
  /** Milliseconds since 1970. */
  at: number;
}

export class PortFailures {
  /** What a port last refused a packet with: `poplin status` explains it. */
  readonly lastRefused: Readonly<Record<Direction, Refusal>> = {
    tx: { errno: 0, at: 0 },
    rx: { errno: 0, at: 0 },
  };
  /** The errno that ended a port, and which; undefined while both live. */
  failure: PortFailure | undefined;
  readonly #describe: (port: PortFailure["port"], errno: number) => PortFailure;
  #reads = 0;

  constructor(describe: (port: PortFailure["port"], errno: number) => PortFailure) {
    this.#describe = describe;
  }

  /** A packet was refused. */
  note(direction: Direction, errno: number): void {
    this.lastRefused[direction].errno = errno;
    this.lastRefused[direction].at = Date.now();
  }

  /** A read brought something. */
  readable(): void {
    this.#reads = 0;
  }

  /** A read failed. An error that stays would wake us for ever, so after many in a row the port counts as gone. */
  unreadable(port: PortFailure["port"], errno: number): void {
    this.note(port === "tap" ? "tx" : "rx", errno);
    if (this.ended(port, errno)) return;
    this.#reads++;
    if (this.#reads >= READ_FAILURES) this.failure ??= this.#describe(port, errno);
  }

  /** Notes a port that is gone. @returns whether it is: other errors concern one packet only. */
  ended(port: PortFailure["port"], errno: number): boolean {
    if (!GONE.has(errno)) return false;
    this.failure ??= this.#describe(port, errno);
    return true;
  }
}
