/**
 * Signs of life from inside where pings are dropped: a connection to a port on which nobody listens is refused by the
 * host itself (TCP RST, ICMP port unreachable), and the refusal came through the overlay.
 */
import { connect } from "node:net";
import { knock } from "../gather/probes.ts";

/** Ports on which nobody listens: tcpmux (RFC 1078), and the first of traceroute's. */
const TCP_PORT = 1;
const UDP_PORT = 33_434;

/** @returns what came back, and after how many milliseconds; null when nothing did */
export async function otherSign(
  from: string,
  to: string,
  timeout: number,
): Promise<{ what: string; ms: number } | null> {
  const begun = performance.now();
  const tcp = await refusedByTcp(from, to, timeout);
  if (tcp !== null) return { what: `${to} ${tcp} a connection to TCP port ${TCP_PORT}`, ms: tcpTime(begun) };
  const again = performance.now();
  if ((await knock(from, to, UDP_PORT)) !== "ECONNREFUSED") return null;
  return { what: `${to} refused a datagram to UDP port ${UDP_PORT}`, ms: tcpTime(again) };
}

function tcpTime(begun: number): number {
  return performance.now() - begun;
}

function refusedByTcp(from: string, to: string, timeout: number): Promise<"refused" | "took" | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port: TCP_PORT, localAddress: from, timeout });
    const end = (outcome: "refused" | "took" | null): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => end("took"));
    socket.once("timeout", () => end(null));
    socket.once("error", ({ code }: NodeJS.ErrnoException) =>
      end(code === "ECONNREFUSED" ? "refused" : null),
    );
  });
}
