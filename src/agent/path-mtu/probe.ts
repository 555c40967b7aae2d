/**
 * The largest packet that reaches a peer whole, found by echo requests with DF set: the reply proves the size. It needs no
 * help from routers, so it finds a path of which nobody tells by ICMP (RFC 2923 section 2.1), too.
 *
 *   a small one    no reply: nothing can be said about that peer
 *   the uplink's   a reply, as nearly everywhere: done, after two packets
 *   in between     what ICMP has meanwhile taught the kernel, else the middle
 *
 * That a size does not pass is believed after three requests without reply, and the result only when at the end a small
 * one still gets one: a loss must not look like a narrow path. The way back may be narrower than the way there; then what
 * is found is that.
 */
import type { EchoPort } from "./echoes.ts";

/** Requests of one size that must get lost before it counts as too large. */
const ATTEMPTS = 3;

/** What every path takes: RFC 791, of hosts; RFC 8200 section 5. */
export const LEAST_PATH = { 4: 576, 6: 1280 } as const;

/**
 * @param least bytes of an IP packet that is taken to pass if anything does
 * @param most the uplink's MTU
 * @returns bytes of the largest packet that passes; null when there is nobody who replies
 */
export async function probePath(port: EchoPort, least: number, most: number): Promise<number | null> {
  if (!(await passes(port, Math.min(least, most)))) return null;
  let low = Math.min(least, most);
  let high = most + 1; // does not pass
  let next = most;
  while (low + 1 < high) {
    if (await passes(port, next)) low = next;
    else high = next;
    const told = port.told();
    if (told === low) return low; // it passes, and a router has said that no larger one does
    next = told !== null && told > low && told < high ? told : (low + high) >> 1;
  }
  if (low === most) return low;
  const sure = (await passes(port, Math.min(least, most))) && !(await passes(port, low + 1));
  return sure ? low : null;
}

/** Whether a packet of `size` bytes gets a reply. What ICMP has said about it is believed after one that did not. */
async function passes(port: EchoPort, size: number): Promise<boolean> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const outcome = await port.echo(size);
    if (outcome !== "lost") return outcome === "reply";
    const told = port.told();
    if (told !== null && told < size) return false;
  }
  return false;
}
