// What both ends in the pods agree on (`serve.mjs`, `send.mjs`).
import { createHash } from "node:crypto";

export const DATA_PORT = 21000;
export const REPORT_PORT = 21001;
/** Bytes of a stream that are made at once. */
export const CHUNK = 64 * 1024;
export const DIGEST_BYTES = 32;

/** Enough of a digest to tell a datagram's content. */
export function digestOf(payload) {
  return createHash("sha256").update(payload).digest("hex").slice(0, 16);
}
