/**
 * Routes through our device, in flannel's form: to the subnet, via the subnet's own network address, onlink (no route
 * leads to that address, and none is needed: its neighbour is permanent), protocol boot, table main.
 */
import type { HostStep, RouteRow } from "./rows.ts";

/** One route as `ip -json -details route show` prints it. */
export interface IpRoute {
  readonly type?: string;
  readonly dst?: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly table?: string;
  readonly protocol?: string;
  readonly flags?: readonly string[];
  readonly metric?: number;
  readonly prefsrc?: string;
  /** MTU and the like. */
  readonly metrics?: unknown;
}

/** The query for the routes of a device, IPv4 and IPv6, as a line of `ip -batch`. @param device null for all devices */
export function routeQuery(device: string | null): string {
  return `route show table all${device === null ? "" : ` dev ${device}`}`;
}

/**
 * Only routes of flannel's form are ours to know and to remove: those of the kernel, of a routing daemon or of another
 * shape are not in the result.
 * @param json what the query printed, parsed
 */
export function parseRoutes(json: readonly unknown[]): RouteRow[] {
  return (json as readonly IpRoute[]).flatMap((route) => {
    const { dst, gateway, protocol, flags } = route;
    if (dst === undefined || gateway === undefined || protocol !== "boot") return [];
    if ((route.table ?? "main") !== "main" || (route.type ?? "unicast") !== "unicast") return [];
    if (!flags?.includes("onlink") || dst.split("/")[0] !== gateway) return [];
    return [{ subnet: withPrefix(dst), via: gateway }];
  });
}

/**
 * A new route is added, not replaced: `ip route replace` would take over a route of the same subnet through another
 * device.
 * @returns the step as a line of `ip -batch`
 */
export function routeLine(device: string, { op, subnet, via, dev }: HostStep & { table: "route" }): string {
  // The kernel checks of a direct route that its gateway is on the link (`fib_check_nh`): no `onlink` there.
  const onlink = dev === undefined && op !== "del" ? " onlink" : "";
  return `route ${op} ${subnet} via ${via} dev ${dev ?? device}${onlink} proto boot`;
}

/** @returns an iproute2 destination with its prefix length, which it leaves out for a single address. */
export function withPrefix(dst: string): string {
  return dst.includes("/") ? dst : `${dst}/${dst.includes(":") ? 128 : 32}`;
}
