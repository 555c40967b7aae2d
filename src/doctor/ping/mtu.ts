/** The path MTU below and inside, by bisection: what `agent/path-mtu/` does for a peer, with the patience of a person. */
import type { CarrierStatus } from "../../agent/api/status-types.ts";
import { Echoes } from "../../agent/path-mtu/echoes.ts";
import { LEAST_PATH, probePath } from "../../agent/path-mtu/probe.ts";
import { addressBytes, familyOf } from "../../control/address.ts";
import { overlayOverhead } from "../../control/mtu.ts";
import { RouteMtus } from "../../io/linux/route-mtu.ts";
import { readHostLinks } from "../gather/ip.ts";
import type { MtuEvidence, Rounds } from "./evidence.ts";
import type { Target } from "./target.ts";

/** Milliseconds that a large packet gets: some times the round trip, and no less and no more than this. */
const ROUND_TRIPS = 5;
const LEAST = 300;
const MOST = 1000;
/** The length of an IPv4 packet counts to this. */
const LARGEST_IP = 65_535;

/**
 * @param source our address inside; null where nothing inside is pinged
 * @returns null for what gets no answer at all
 */
export async function measureMtu(
  { local, port, family, uplink }: CarrierStatus,
  { overlay: { device }, publicIp }: Target,
  underlay: Rounds,
  inner: Rounds | null,
  source: string | null,
): Promise<MtuEvidence> {
  const link = (await readHostLinks()).find(({ name }) => name === uplink);
  const most = Math.min(link?.mtu ?? device.mtu + overlayOverhead(family), LARGEST_IP);
  const below = underlay.times.length > 0 ? await bisect(local, publicIp, port, most, underlay) : null;
  const answers = inner !== null && source !== null && inner.times.length > 0;
  const inside = answers ? await bisect(source, inner.address, port, device.mtu, inner) : null;
  return { underlay: below, inner: inside, device: device.mtu, needed: device.mtu + overlayOverhead(family) };
}

async function bisect(
  from: string,
  to: string,
  port: number,
  most: number,
  { times }: Rounds,
): Promise<number | null> {
  const patience = Math.min(MOST, Math.max(LEAST, ROUND_TRIPS * Math.max(...times)));
  const address = addressBytes(to);
  const family = familyOf(to);
  const echoes = new Echoes(addressBytes(from), patience);
  const routes = new RouteMtus(from, family, port);
  try {
    const ask = {
      echo: (size: number) => echoes.send(address, size),
      told: () => routes.ask([address])[0]!,
    };
    return await probePath(ask, LEAST_PATH[family], most);
  } finally {
    echoes.close();
    routes.close();
  }
}
