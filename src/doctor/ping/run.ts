/**
 * Pings a peer layer by layer, with real packets: echo requests below, an empty datagram to its VXLAN port, echo requests
 * through the overlay, and where those are not answered a connection to a port that is closed. What the overlay's
 * counters grow by meanwhile says how far they came.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { getSystemErrorName } from "node:util";
import type { StatsAnswer } from "../../agent/api/answers.ts";
import type { ApiClient } from "../../agent/api/client.ts";
import { type AgentStatus, type CarrierStatus, carrierOf } from "../../agent/api/status-types.ts";
import { Echoes } from "../../agent/path-mtu/echoes.ts";
import { addressBytes, familyOf, parseCidr } from "../../control/address.ts";
import { wayTo } from "../gather/ip.ts";
import { portOf } from "../gather/peers.ts";
import { knock, USUAL_SIZE } from "../gather/probes.ts";
import type { Counted, PingEvidence, Rounds } from "./evidence.ts";
import { measureMtu } from "./mtu.ts";
import { otherSign } from "./sign.ts";
import type { Target } from "./target.ts";

export interface PingOptions {
  readonly count: number;
  /** Milliseconds between two requests, and that one gets. */
  readonly interval: number;
  readonly timeout: number;
  readonly mtu: boolean;
}

/** Milliseconds that a connection inside gets, at least: the agent may be busy with a machine. */
const LEAST_PATIENCE = 300;

/**
 * @throws ApiClientError where the agent stops answering
 * @throws Error of a system call where no echo request may be sent: EACCES, EPERM
 */
export async function measure(
  client: ApiClient,
  status: AgentStatus,
  target: Target,
  options: PingOptions,
): Promise<PingEvidence> {
  const { overlay, publicIp, inside } = target;
  const carrier = carrierOf(status, overlay)!;
  const { family, local } = carrier;
  const choice = { dev: overlay.device.name };
  const port = portOf(target, await client.fdb(choice), carrier);
  const underlay = await ping(local, publicIp, options);
  const udp = await knock(local, publicIp, port);
  const way = inside === null ? null : await wayTo(inside);
  const direct = way !== null && way.device === carrier.uplink && way.via === publicIp;
  const source = inside === null ? null : sourceFor(inside, target, direct ? carrier : null);
  const before = await client.stats(choice);
  const inner = source === null ? null : await ping(source, inside!, options);
  const silent = inner !== null && inner.times.length === 0 && !direct;
  const patience = Math.max(options.timeout, LEAST_PATIENCE);
  const sign = silent ? await otherSign(source!, inside!, patience) : null;
  const counted = grown(before, await client.stats(choice));
  const seen = { target, port, family, underlay, udp, inner, way, direct, counted };
  // A refusal may come from a firewall of our own: then nothing has come in.
  const otherwise = sign !== null && counted.rxFrames > 0 ? sign : null;
  const mtu = options.mtu ? await measureMtu(carrier, target, underlay, inner, source) : null;
  return { ...seen, otherSign: otherwise, mtu };
}

/** The overlay's own address of that family; of the uplink where the overlay is not used. */
function sourceFor(inside: string, { overlay }: Target, carrier: CarrierStatus | null): string | null {
  const family = familyOf(inside);
  if (carrier !== null) return carrier.family === family ? carrier.local : null;
  const own = overlay.device.addresses.map((text) => parseCidr(text));
  return own.find((cidr) => cidr.family === family)?.address ?? null;
}

/** Echo requests, one after the other; each is waited for. @throws Error of a system call without a socket */
async function ping(from: string, to: string, options: PingOptions): Promise<Rounds> {
  const echoes = new Echoes(addressBytes(from), options.timeout);
  const address = addressBytes(to);
  const waiting: Promise<number | null>[] = [];
  let refused = "";
  try {
    echoes.open(); // the first request is not to wait for it
    for (let sent = 0; sent < options.count; sent++) {
      if (sent > 0) await sleep(options.interval);
      const begun = performance.now();
      const outcome = echoes.send(address, USUAL_SIZE);
      if (echoes.errno !== 0) refused = getSystemErrorName(-echoes.errno);
      waiting.push(outcome.then((end) => (end === "reply" ? performance.now() - begun : null)));
    }
    const times = (await Promise.all(waiting)).filter((time) => time !== null);
    return { address: to, sent: options.count, times, refused: times.length > 0 ? "" : refused };
  } finally {
    echoes.close();
  }
}

function grown(before: StatsAnswer, after: StatsAnswer): Counted {
  const drops = (direction: "tx" | "rx"): Counted["tx"] =>
    Object.fromEntries(
      Object.entries(after.drops[direction])
        .map(([reason, n]) => [reason, n - (before.drops[direction][reason as keyof Counted["tx"]] ?? 0)])
        .filter(([, n]) => Number(n) > 0),
    );
  return {
    txFrames: after.txFrames - before.txFrames,
    rxFrames: after.rxFrames - before.rxFrames,
    tx: drops("tx"),
    rx: drops("rx"),
  };
}
