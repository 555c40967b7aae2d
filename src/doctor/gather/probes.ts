/** Real packets to a peer: echo requests, and an empty datagram to its VXLAN port. */
import { createSocket } from "node:dgram";
import { setImmediate as othersTurn, setTimeout as sleep } from "node:timers/promises";
import { getSystemErrorName } from "node:util";
import type { Echoes } from "../../agent/path-mtu/echoes.ts";
import { addressBytes } from "../../control/address.ts";
import type { EchoEvidence } from "../evidence.ts";

/** Requests before a peer counts as silent, and the milliseconds between two of them. */
const REQUESTS = 3;
const BETWEEN = 200;
/** Bytes of an IP packet as `ping` sends it. */
export const USUAL_SIZE = 84;

/** Sends requests until one is answered. @throws Error of a system call when there is no socket to be had */
export async function echo(echoes: Echoes, address: string): Promise<EchoEvidence> {
  const to = addressBytes(address);
  let [sent, answered, refused] = [0, 0, ""];
  const waiting: Promise<void>[] = [];
  while (sent < REQUESTS && answered === 0) {
    sent++;
    const outcome = echoes.send(to, USUAL_SIZE);
    if (echoes.errno !== 0) refused = getSystemErrorName(-echoes.errno);
    const one = outcome.then((end) => {
      if (end === "reply") answered++;
    });
    waiting.push(one);
    await Promise.race([one, sleep(BETWEEN)]);
  }
  // A late answer to the first is one, too.
  if (answered === 0) await Promise.all(waiting);
  return { address, sent, answered, refused: answered > 0 ? "" : refused };
}

/** Milliseconds that a host gets to refuse a datagram (ICMP port unreachable). */
const REFUSAL_TIMEOUT = 400;

/**
 * Sends an empty datagram, which no VTEP takes for a packet, to a UDP port.
 * @returns "" when nobody refused it; ECONNREFUSED when the host says that nobody listens there (or a firewall says so
 *   in its name); another errno when it did not leave
 */
export async function knock(local: string, address: string, port: number): Promise<string> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    return await new Promise<string>((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException): void => resolve(error.code ?? "UNEXPECTED");
      socket.on("error", refused);
      socket.bind(0, local, () => {
        socket.connect(port, address, (error?: Error) => {
          if (error !== undefined) return refused(error);
          socket.send(new Uint8Array(0), (failure) => failure && refused(failure));
        });
      });
      // Timers come before what has arrived: on a busy machine a refusal may have been there for long.
      sleep(REFUSAL_TIMEOUT)
        .then(() => othersTurn())
        .then(() => othersTurn())
        .then(() => resolve(""), reject);
    });
  } finally {
    socket.close();
  }
}

/** `work` for each, at most `limit` at a time, in order. */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
