/**
 * A raw IPv4 socket for sending, through the `raw-socket` package: an optional dependency in CommonJS, bound to one
 * Node ABI, loaded when it is asked for. Its native side hangs its poll handle on libuv's default loop whatever
 * thread it runs in, so it is for the main thread only.
 *
 * Its queue sends one packet for each turn of the event loop; measured, that is a tenth of what its native `send` does
 * when called directly, which is what happens here. `send` either hands the packet over or throws strerror(3)'s text.
 *
 * The protocol is IPPROTO_RAW: the kernel takes the IP header from us (IP_HDRINCL is implied), and the socket receives
 * nothing. It is not close-on-exec, and raw-socket does not say which descriptor it is: a child process inherits it,
 * with the right to send that comes with it.
 */
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { firstErrno } from "./strerror.ts";

const IPPROTO_RAW = 255;
/** `include/uapi/asm-generic/socket.h`; raw-socket names only those without FORCE. */
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
  readonly remedy: string;

  constructor(code: RawSocketErrorCode, message: string, remedy: string, cause?: unknown) {
    super(`${message}; ${remedy}`, { cause });
    this.name = "RawSocketError";
    this.code = code;
    this.remedy = remedy;
  }
}
