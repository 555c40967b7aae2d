/**
 * A raw IPv4 socket for sending, through the `raw-socket` package: an optional dependency in CommonJS, bound to one
 * Node ABI, loaded when it is asked for. Its native side hangs its poll handle on libuv's default loop whatever
 * thread it runs in, so it is for the main thread only.
 *
 * Its JavaScript side keeps a queue and sends one packet per poll event, which measured a sixth of what its native side
 * does when it is called directly (40 against 265 thousand packets of 1400 bytes a second, loopback, two cores). So we
 * call that: its `send` is sendto(2) at once, and throws strerror(3)'s text when the kernel refuses.
 *
 * The protocol is IPPROTO_RAW: the IP header comes from us (IP_HDRINCL is implied), and the socket receives nothing.
 * raw-socket sets no O_CLOEXEC and does not say which descriptor it has: a child process inherits the socket.
 */
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { errnoOf } from "./strerror.ts";

const IPPROTO_RAW = 255;
/** `include/uapi/asm-generic/socket.h`; raw-socket has no name for it. */
const SO_SNDBUFFORCE = 32;

export type RawSocketErrorCode =
  | "RAW_SOCKET_MISSING"
  | "RAW_SOCKET_PERMISSION"
  | "RAW_SOCKET_THREAD"
  | "RAW_SOCKET_FAMILY"
  | "RAW_SOCKET_FAILED";

/** No raw socket, and why. */
export class RawSocketError extends Error {
  readonly code: RawSocketErrorCode;
  /** What to do about it: a sentence without its full stop. */
  readonly remedy: string;

  constructor(code: RawSocketErrorCode, message: string, remedy: string, cause?: unknown) {
    super(`${message}; ${remedy}`, { cause });
    this.name = "RawSocketError";
    this.code = code;
    this.remedy = remedy;
  }
}

/** What of raw-socket is used here (it has no types of its own). */
interface Package {
  createSocket(options: { protocol: number }): {
    readonly wrap: Wrap;
    on(event: "error", listener: (error: Error) => void): void;
    close(): void;
  };
  readonly SocketLevel: Readonly<Record<string, number>>;
  readonly SocketOption: Readonly<Record<string, number>>;
}

/** Its native side. */
interface Wrap {
  send(bytes: Uint8Array, offset: number, length: number, address: string, sent: () => void): void;
  pause(receiving: boolean, sending: boolean): void;
  on(event: "sendReady", listener: () => void): void;
  setOption(level: number, option: number, value: number): void;
  getOption(level: number, option: number, value: Buffer, length: number): number;
}

export class RawSocket {
  /** Bytes the kernel really reserved, as SO_SNDBUF reports them. */
  readonly sendBuffer: number;
  /** What the kernel granted only in part. */
  readonly warnings: readonly string[] = [];
  readonly #wrap: Wrap;
  readonly #close: () => void;
  #closed = false;

  /**
   * @param sendBuffer bytes; 0 for the kernel's default
   * @throws RawSocketError
   */
  constructor(sendBuffer: number) {
    const raw = load();
    const socket = create(raw);
    this.#wrap = socket.wrap;
    this.#close = () => socket.close();
    this.#wrap.pause(true, true); // it was made to receive
    socket.on("error", () => {
      this.#closed = true; // its poll handle has failed, and it has closed itself
    });
    const options = { ...raw.SocketLevel, ...raw.SocketOption };
    this.warnings = resize(this.#wrap, sendBuffer, options.SOL_SOCKET!, options.SO_SNDBUF!);
    this.sendBuffer = read(this.#wrap, options.SOL_SOCKET!, options.SO_SNDBUF!);
  }

  /** Sends must stop: the socket was closed, by us or by an error. After that, `send` would open another one. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends one packet, IP header included. @returns 0 when the kernel has it, else the errno, EAGAIN among others. */
  send(packet: Uint8Array, length: number, address: string): number {
    try {
      this.#wrap.send(packet, 0, length, address, nothing);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Calls `listener` while `poll` is on and the socket takes packets. */
  onWritable(listener: () => void): void {
    this.#wrap.on("sendReady", listener);
  }

  /** Whether to wait for room in the send buffer. */
  poll(on: boolean): void {
    if (!this.#closed) this.#wrap.pause(true, !on);
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#close();
  }
}

function load(): Package {
  if (!isMainThread) {
    throw new RawSocketError(
      "RAW_SOCKET_THREAD",
      "raw-socket works in the main thread only: it uses the main thread's event loop from wherever it is loaded",
      "open the raw underlay in the main thread",
    );
  }
  try {
    return createRequire(import.meta.url)("raw-socket") as Package;
  } catch (cause) {
    const [why] = (cause as Error).message.split("\n", 1);
    throw new RawSocketError(
      "RAW_SOCKET_MISSING",
      `the raw underlay needs the optional package "raw-socket", which does not load here: ${why}`,
      "install a C++ compiler, make and python3, then `npm install raw-socket` or, if it is there but built for another " +
        'Node, `npm rebuild raw-socket` (Node 24 and later need `"overrides": { "nan": "^2.30.0" }` in package.json); ' +
        "or choose the batch or dgram underlay",
      cause,
    );
  }
}

function create(raw: Package): ReturnType<Package["createSocket"]> {
  try {
    return raw.createSocket({ protocol: IPPROTO_RAW });
  } catch (cause) {
    const { message } = cause as Error;
    if (/not permitted|denied/.test(message)) {
      throw new RawSocketError(
        "RAW_SOCKET_PERMISSION",
        "not allowed to open a raw socket",
        "run as root or with CAP_NET_RAW, or choose the batch or dgram underlay",
        cause,
      );
    }
    throw new RawSocketError(
      "RAW_SOCKET_FAILED",
      `a raw socket could not be opened: ${message}`,
      "choose the batch or dgram underlay",
      cause,
    );
  }
}

/** Asks for a send buffer beyond the machine's limit, and where that is not ours to do, for what the limit allows. */
function resize(wrap: Wrap, bytes: number, level: number, option: number): string[] {
  if (bytes === 0) return [];
  try {
    wrap.setOption(level, SO_SNDBUFFORCE, bytes);
    return [];
  } catch {
    wrap.setOption(level, option, bytes);
  }
  const got = read(wrap, level, option) / 2; // the kernel reports twice what it is asked for (sock_setsockopt)
  if (got >= bytes) return [];
  return [
    `SO_SNDBUFFORCE refused: asked for ${bytes} bytes, got ${got}; CAP_NET_ADMIN or net.core.wmem_max lifts it`,
  ];
}

function read(wrap: Wrap, level: number, option: number): number {
  const value = Buffer.alloc(4);
  wrap.getOption(level, option, value, value.length);
  return new Int32Array(value.buffer, value.byteOffset, 1)[0]!;
}

function nothing(): void {}
