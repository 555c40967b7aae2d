/** What pods do to each other: ping, streams and datagrams whose content is checked at the other end. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Host } from "../../src/lab/host.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { IPV6, podAddress } from "../../src/lab/plan.ts";
import type { Need } from "../helpers/needs.ts";

const SERVE = fileURLToPath(new URL("./pod/serve.mjs", import.meta.url));
const SEND = fileURLToPath(new URL("./pod/send.mjs", import.meta.url));
const INJECT = fileURLToPath(new URL("./pod/inject.mjs", import.meta.url));

/** Where a pod's server takes streams and datagrams, and where questions (`pod/protocol.mjs`). */
export const DATA_PORT = 21_000;
export const REPORT_PORT = 21_001;

export type Family = 4 | 6;

/** What one datagram was: its bytes, their digest, its TOS. */
export type Datagram = readonly [bytes: number, digest: string, tos: number];

export interface Send {
  readonly bytes: number;
  /** One UDP_SEGMENT send, cut by the kernel into datagrams of so many bytes. */
  readonly segment?: number;
  readonly tos?: number;
}

/** A kernel that runs with IPv6: pods talk both. */
export function ipv6(): Need {
  return IPV6 ? null : "needs a kernel with IPv6";
}

/** Address of a node's pod. */
export function podOf(node: LabNode, family: Family): string {
  return podAddress(node.plan)[family === 4 ? "v4" : "v6"];
}

/** Starts the server of a pod (`pod/serve.mjs`); it ends with the lab. */
export async function serve(pod: Host): Promise<void> {
  const server = pod.spawn(process.execPath, [SERVE], { stdio: ["ignore", "pipe", "inherit"] });
  await ready(server, pod);
}

async function ready(server: ChildProcess, pod: Host): Promise<void> {
  const ended = once(server, "exit").then(() => Promise.reject(new Error(`${pod.name}: no server`)));
  await Promise.race([once(server.stdout!, "data"), ended]);
  ended.catch(() => {}); // it ends with the lab
}

/** Milliseconds that a transfer may take; even the slowest underlay on a busy machine takes a fraction of it. */
const TIMEOUT = 100_000;

async function send<T>(from: Host, what: string, to: string, input: unknown): Promise<T> {
  const options = { input: JSON.stringify(input), timeout: TIMEOUT };
  const { stdout } = await from.exec(process.execPath, [SEND, what, to], options);
  return JSON.parse(stdout);
}

/** A stream to the pod, then one back. @returns whether each arrived as it was sent */
export function stream(from: Host, to: string, bytes: number): Promise<{ sent: boolean; received: boolean }> {
  return send(from, "tcp", to, { bytes });
}

/** Datagrams to the pod. @returns what was sent, and what arrived there */
export function datagrams(
  from: Host,
  to: string,
  sends: readonly Send[],
): Promise<{ sent: Datagram[]; received: Datagram[] }> {
  return send(from, "udp", to, sends);
}

/** What arrived at the pod from a UDP port of ours, once there are `count` datagrams. */
export function arrivals(from: Host, to: string, port: number, count: number): Promise<Datagram[]> {
  return send(from, "report", to, { port, count });
}

/** Sends UDP payloads as they are, each with an outer TOS of its own; from a node's host: what a VTEP would send. */
export async function inject(
  from: Host,
  to: { readonly address: string; readonly port: number },
  payloads: readonly { readonly bytes: Uint8Array; readonly tos: number }[],
): Promise<void> {
  const sends = payloads.map(({ bytes, tos }) => ({ hex: Buffer.from(bytes).toString("hex"), tos }));
  await from.exec(process.execPath, [INJECT], { input: JSON.stringify({ ...to, sends }) });
}

/**
 * Two pings of each size, DF set. ping looks at the data that comes back, too.
 * @param sizes bytes of ICMP data
 * @returns what ping said where two good answers did not come
 */
export async function ping(from: Host, to: string, sizes: readonly number[]): Promise<string> {
  const script = `
    for size in "$@"; do
      said=$(ping -n -c 2 -l 2 -w 10 -M do -s "$size" ${to} 2>&1)
      case "$said" in
        *wrong*|*DUP*|*BAD*|*truncated*|*differ*) ;;
        *"2 packets transmitted, 2 received"*) continue ;;
      esac
      echo "$size bytes: $said"
    done`;
  const { stdout } = await from.exec("sh", ["-c", script, "sh", ...sizes.map(String)], { timeout: TIMEOUT });
  return stdout;
}
