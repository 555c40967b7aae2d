/**
 * Which interface carries the underlay: the one that has our `local` address, or, when nobody named one, the one
 * through which the kernel would send to a peer.
 */
import { type IpAddress, parseSources } from "./address.ts";
import { HostError, type HostOptions, ipOrThrow, plainReason, runIp } from "./ip.ts";

export interface Uplink {
  readonly device: string;
  readonly mtu: number;
  /** Our address there: what peers see as the source. */
  readonly address: string;
}

/**
 * @param local our underlay address, canonical; null to find one
 * @param towards where the underlay leads, when `local` is null: a peer's address; null for the default route
 * @throws HostError `HOST_LOCAL_ADDRESS` when no interface has `local`; `HOST_NO_UPLINK` when there is no way
 */
export async function findUplink(
  local: string | null,
  towards: string | null,
  family: 4 | 6,
  options: HostOptions = {},
): Promise<Uplink> {
  const links = parseUplinks(JSON.parse(await ipOrThrow(["-json", "addr", "show"], options)));
  const address = local ?? (await sourceTowards(towards ?? ANYWHERE[family], options));
  const link = links.find(({ sources }) => sources.includes(address));
  if (link !== undefined) return { device: link.device, mtu: link.mtu, address };
  const own = links
    .filter(({ device }) => device !== "lo")
    .flatMap(({ sources }) => sources)
    .filter((one) => one.includes(":") === (family === 6));
  const remedy =
    own.length === 0 ? `this node has no IPv${family} address yet` : `this node has ${own.join(", ")}`;
  throw new HostError("HOST_LOCAL_ADDRESS", `no interface has the address ${address}`, remedy);
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
  const remedy = "give our underlay address with `local`";
  throw new HostError("HOST_NO_UPLINK", `there is no way to ${address}: ${reason}`, remedy);
}
