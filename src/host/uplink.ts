/**
 * Which interface carries the underlay: the one that was named, else the one that has our `local` address, else the one
 * through which the kernel would send to a peer.
 */
import { type IpAddress, parseSources } from "./address.ts";
import { familyOf } from "./interfaces.ts";
import { HostError, type HostOptions, ipOrThrow, plainReason, runIp } from "./ip.ts";

export interface Uplink {
  readonly device: string;
  readonly mtu: number;
  /** Our address there: what peers see as the source. */
  readonly address: string;
}

/** What is known before anybody looks. */
export interface UplinkWish {
  /** Our underlay address, canonical; null to find one. */
  readonly local: string | null;
  /** The interface's name; null to find it. */
  readonly device: string | null;
  /** Where the underlay leads, when neither is given: a peer's address; null for the default route. */
  readonly towards: string | null;
  readonly family: 4 | 6;
}

/**
 * @throws HostError `HOST_LOCAL_ADDRESS` when no interface, or not the one that was named, has the address;
 *   `HOST_NO_DEVICE` when there is no interface of that name; `HOST_NO_UPLINK` when there is no way
 */
export async function findUplink(wish: UplinkWish, options: HostOptions = {}): Promise<Uplink> {
  const { local, device, towards, family } = wish;
  const links = parseUplinks(JSON.parse(await ipOrThrow(["-json", "addr", "show"], options)));
  if (device !== null) return uplinkCalled(device, links, wish);
  const address = local ?? (await sourceTowards(towards ?? ANYWHERE[family], options));
  const link = links.find(({ sources }) => sources.includes(address));
  if (link !== undefined) return { device: link.device, mtu: link.mtu, address };
  const all = links.filter((one) => one.device !== "lo").flatMap(({ sources }) => sources);
  const message = `no interface has the address ${address}`;
  throw new HostError("HOST_LOCAL_ADDRESS", message, has("this node", all, family));
}

/** The interface that somebody named, with our address on it, or the first that it has. */
function uplinkCalled(
  device: string,
  links: readonly UplinkCandidate[],
  { local, family }: UplinkWish,
): Uplink {
  const link = links.find((one) => one.device === device);
  if (link === undefined) {
    const others = links.map((one) => one.device).join(", ");
    throw new HostError(
      "HOST_NO_DEVICE",
      `there is no interface ${device}`,
      `this node has ${others}: name one of these`,
    );
  }
  const { mtu, sources } = link;
  const address = sources.find((one) => (local === null ? familyOf(one) === family : one === local));
  if (address !== undefined) return { device, mtu, address };
  const wanted = local === null ? `an IPv${family} address` : `the address ${local}`;
  throw new HostError(
    "HOST_LOCAL_ADDRESS",
    `${device} does not have ${wanted}`,
    has(device, sources, family),
  );
}

function has(who: string, sources: readonly string[], family: 4 | 6): string {
  const own = sources.filter((one) => familyOf(one) === family);
  return own.length === 0
    ? `${who} has no IPv${family} address yet: give it one, or wait until it has`
    : `${who} has ${own.join(", ")}: name one of these`;
}

/** A link that could be the uplink. */
export interface UplinkCandidate {
  readonly device: string;
  readonly mtu: number;
  /** Addresses, without prefix length, that we could send from there. */
  readonly sources: readonly string[];
}

interface IpLink {
  readonly ifname?: string;
  readonly mtu?: number;
  readonly addr_info?: readonly IpAddress[];
}

/** @param json what `ip -json addr show` printed, parsed */
export function parseUplinks(json: readonly unknown[]): UplinkCandidate[] {
  return (json as readonly IpLink[]).flatMap(({ ifname, mtu, addr_info = [] }) =>
    // iproute2 prints an empty object for a link that a filter leaves out.
    ifname === undefined || mtu === undefined
      ? []
      : [{ device: ifname, mtu, sources: parseSources(addr_info) }],
  );
}

/** Addresses that no network of one's own holds: the way to them is the default route (RFC 5737, RFC 3849). */
const ANYWHERE = { 4: "203.0.113.1", 6: "2001:db8::1" } as const;

async function sourceTowards(address: string, options: HostOptions): Promise<string> {
  const result = await runIp(["-json", "route", "get", address], options);
  const [route] = result.status === 0 ? (JSON.parse(result.stdout) as { prefsrc?: string }[]) : [];
  if (route?.prefsrc !== undefined) return route.prefsrc;
  const reason = plainReason(result.stderr) || "no route";
  const remedy = "give our underlay address with `local`, or its interface with `dev`";
  const where = Object.values<string>(ANYWHERE).includes(address) ? "anywhere" : `to ${address}`;
  throw new HostError("HOST_NO_UPLINK", `there is no way ${where}: ${reason}`, remedy);
}
