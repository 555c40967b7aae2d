/**
 * Direct routes, of flannel's DirectRouting: to the subnet of a peer on the uplink's own link, via the peer's public IP.
 * They are on the uplink, among other people's; so those that are ours are known by where they lead and by their form,
 * which is what a run before this one has left of them.
 */
import { BlockList } from "node:net";
import { failed, type HostOptions } from "./ip.ts";
import { isMissing } from "./link.ts";
import { askTillWhole } from "./read.ts";
import { type IpRoute, routeQuery, withPrefix } from "./route.ts";
import type { RouteRow } from "./rows.ts";

/** Where direct routes are. */
export interface DirectRouting {
  /** The interface that carries the underlay. */
  readonly uplink: string;
  /** Of all pods, as CIDRs. A route to a part of one that looks as ours do is taken for ours. */
  readonly networks: readonly string[];
}

/**
 * @returns the direct routes there are; none when there is no such uplink
 * @throws HostError
 */
export async function readDirectRoutes(
  { uplink, networks }: DirectRouting,
  options: HostOptions = {},
): Promise<RouteRow[]> {
  const args = ["-json", "-details", ...routeQuery(uplink).split(" ")];
  const result = await askTillWhole(args, options);
  if (result.status !== 0) {
    if (isMissing(result.stderr)) return [];
    throw failed(args, result);
  }
  return parseDirectRoutes(JSON.parse(result.stdout || "[]") as unknown[], { uplink, networks });
}

/**
 * @param json what the query printed, parsed
 * @returns routes to a part of a network via a gateway, of protocol boot and table main, with nothing beside that: no
 *   metric, no source, not onlink. One to a whole network is somebody else's: no node has all of it
 */
export function parseDirectRoutes(json: readonly unknown[], { uplink, networks }: DirectRouting): RouteRow[] {
  const inside = containsSubnet(networks);
  return (json as readonly IpRoute[]).flatMap((route) => {
    const { dst, gateway, protocol, flags, metric = NO_METRIC, prefsrc, metrics } = route;
    if (dst === undefined || dst === "default" || gateway === undefined || protocol !== "boot") return [];
    if ((route.table ?? "main") !== "main" || (route.type ?? "unicast") !== "unicast") return [];
    if (metric !== NO_METRIC || prefsrc !== undefined || metrics !== undefined) return [];
    const subnet = withPrefix(dst);
    if (flags?.includes("onlink") || !inside(subnet)) return [];
    return [{ subnet, via: gateway, dev: uplink }];
  });
}

/** What an IPv6 route has when nobody gives it one (IP6_RT_PRIO_USER); of IPv4 none is shown. */
const NO_METRIC = 1024;

function containsSubnet(networks: readonly string[]): (subnet: string) => boolean {
  const ranges = networks.map((network) => {
    const { address, prefix, family } = split(network);
    const range = new BlockList();
    range.addSubnet(address, prefix, family);
    return { range, prefix };
  });
  return (subnet) => {
    const { address, prefix, family } = split(subnet);
    return ranges.some((one) => one.prefix < prefix && one.range.check(address, family));
  };
}

function split(cidr: string): { address: string; prefix: number; family: "ipv4" | "ipv6" } {
  const [address = "", prefix] = cidr.split("/");
  return { address, prefix: Number(prefix), family: address.includes(":") ? "ipv6" : "ipv4" };
}
