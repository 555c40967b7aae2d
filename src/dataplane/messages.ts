/**
 * Which datagrams leave in one send (UDP_SEGMENT): consecutive rows to one VTEP, from one source port, with one TOS, all
 * of one length but for a shorter last. It does not matter where they come from: the segments of a super-frame, two
 * super-frames of one flow behind each other, small datagrams of many senders.
 */
import { FOLLOW_SHIFT, HEAD_LENGTH, LENGTH, OUTER, PEER, type Ring, SEGMENT, SUPER } from "./ring.ts";

/** Datagrams in one send: UDP_MAX_SEGMENTS before kernel 6.9, which allows twice as many. */
const MOST = 64;
/** Largest UDP payload over IPv4, which is a little less than that over IPv6. */
const LARGEST = 65_507;

/** Makes messages of the rows from position `from` to the head. */
export function linkMessages(ring: Ring, from: number): void {
  const { words, head } = ring;
  let i = from;
  while (i !== head) {
    const first = ring.row(i);
    const length = words[first + HEAD_LENGTH]! + words[first + LENGTH]!;
    const peer = words[first + PEER]!;
    const outer = words[first + OUTER]!;
    let total = length;
    let rows = 1;
    const most = (outer & SUPER) === 0 ? MOST : 1;
    for (i = (i + 1) | 0; i !== head && rows < most; i = (i + 1) | 0) {
      const row = ring.row(i);
      const next = words[row + HEAD_LENGTH]! + words[row + LENGTH]!;
      if (next > length || words[row + PEER] !== peer || words[row + OUTER] !== outer) break;
      total += next;
      if (total > LARGEST) break;
      rows++;
      if (next === length) continue;
      i = (i + 1) | 0;
      break; // a shorter one ends the message
    }
    words[first + SEGMENT] = rows === 1 ? 0 : length | ((rows - 1) << FOLLOW_SHIFT);
  }
}
