/**
 * raw-socket throws strerror(3)'s text and nothing else. This is the way back to the errno, for what sendto(2) may
 * say on a raw socket, in the words of glibc and, where they differ, of musl.
 */
import { constants } from "node:os";

const { errno } = constants;

export const EAGAIN = errno.EAGAIN;

const TEXTS: ReadonlyMap<string, number> = new Map([
  ["Resource temporarily unavailable", errno.EAGAIN],
  ["Operation not permitted", errno.EPERM],
  ["Permission denied", errno.EACCES],
  ["Message too long", errno.EMSGSIZE],
  ["Message too large", errno.EMSGSIZE],
  ["Invalid argument", errno.EINVAL],
  ["No buffer space available", errno.ENOBUFS],
  ["Cannot allocate memory", errno.ENOMEM],
  ["Out of memory", errno.ENOMEM],
  ["Network is unreachable", errno.ENETUNREACH],
  ["Network unreachable", errno.ENETUNREACH],
  ["No route to host", errno.EHOSTUNREACH],
  ["Host is unreachable", errno.EHOSTUNREACH],
  ["Network is down", errno.ENETDOWN],
  ["No such device", errno.ENODEV],
  ["Cannot assign requested address", errno.EADDRNOTAVAIL],
  ["Address not available", errno.EADDRNOTAVAIL],
]);

/** @returns a positive errno; EIO for words that are not in the table. */
export function errnoOf(error: unknown): number {
  return TEXTS.get((error as Error).message) ?? errno.EIO;
}
