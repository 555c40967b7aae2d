/**
 * Which datagrams leave in one send (UDP_SEGMENT): consecutive rows to one VTEP, from one source port, with one TOS, all
 * of one length but for a shorter last. It does not matter where they come from: the segments of a super-frame, two
 * super-frames of one flow behind each other, small datagrams of many senders.
 *
 * A super-frame of 64 KB is a little more than fits into one send. Where it is known that more frames wait, the loop keeps
 * the last message, as long as it may grow, for the rows to come (`Loop`): else every second or third send would be of a
 * few datagrams, and cost nearly as much as one of 44.
 */
import { FOLLOW_SHIFT, HEAD_LENGTH, LENGTH, OUTER, PEER, type Ring, SEGMENT, SUPER } from "./ring.ts";

/** Datagrams in one send: UDP_MAX_SEGMENTS before kernel 6.9, which allows twice as many. */
const MOST = 64;
/** Largest UDP payload over IPv4, which is a little less than that over IPv6. */
export const LARGEST_PAYLOAD = 65_507;

/**
 * Makes messages of the rows from position `from` to the head.
 * @returns where the last message starts, if rows to come could join it; else the head
 */
export function linkMessages(ring: Ring, from: number): number {
  const { words, head } = ring;
  let i = from;
  let open = head;
  while (i !== head) {
    const start = i;
    const first = ring.row(i);
    const length = words[first + HEAD_LENGTH]! + words[first + LENGTH]!;
    const peer = words[first + PEER]!;
    const outer = words[first + OUTER]!;
    let total = length;
    let rows = 1;
    open = start;
    const most = (outer & SUPER) === 0 ? MOST : 1;
    for (i = (i + 1) | 0; i !== head && rows < most; i = (i + 1) | 0) {
      const row = ring.row(i);
      const next = words[row + HEAD_LENGTH]! + words[row + LENGTH]!;
      if (next > length || words[row + PEER] !== peer || words[row + OUTER] !== outer) break;
      total += next;
      if (total > LARGEST_PAYLOAD) break;
      rows++;
      if (next === length) continue;
      i = (i + 1) | 0;
      open = head;
      break; // a shorter one ends the message
    }
    if (rows >= most || total + length > LARGEST_PAYLOAD) open = head;
    words[first + SEGMENT] = rows === 1 ? 0 : length | ((rows - 1) << FOLLOW_SHIFT);
  }
  return open;
}
