/**
 * A blackhole route for this node's own subnet (--ip-blackhole-route): where each pod has a route of its own and no
 * bridge has the whole subnet, a packet to a pod that is gone would leave by the default route, and come back.
 *
 * Ours has a metric of its own that comes after all others: the route of a bridge to the same subnet counts before it,
 * whichever was there first. flanneld leaves one behind when the subnet changes; here the former one goes.
 */
import { type HostOptions, ipOrThrow } from "./ip.ts";
import { withPrefix } from "./route.ts";

/** Far above what the kernel, CNI plugins and DHCP clients set: 0 to some thousands. */
const METRIC = 65_551;

/**
 * Sees to it that these subnets have our blackhole route, and those before have none.
 * @param subnets CIDRs of this node's pods, canonical
 * @param former what this node had before; the routes of another node on this host are not touched
 * @returns what was done, a line each; none where all was in place
 * @throws HostError
 */
export async function ensureBlackholes(
  subnets: readonly string[],
  former: readonly string[] = [],
  options: HostOptions = {},
): Promise<string[]> {
  // A kernel without IPv6 is not asked for its routes.
  const families = new Set([...subnets, ...former].map(familyOf));
  const there = (await Promise.all([...families].map((family) => read(family, options)))).flat();
  const steps = [
    ...there
      .filter((one) => former.includes(one) && !subnets.includes(one))
      .map((one) => ["del", one] as const),
    ...subnets.filter((one) => !there.includes(one)).map((one) => ["add", one] as const),
  ];
  for (const [verb, subnet] of steps) {
    await ipOrThrow(
      [familyOf(subnet), "route", verb, "blackhole", subnet, "metric", String(METRIC)],
      options,
    );
  }
  return steps.map(([verb, subnet]) => `blackhole route to ${subnet} ${verb === "add" ? "set" : "gone"}`);
}

function familyOf(subnet: string): "-4" | "-6" {
  return subnet.includes(":") ? "-6" : "-4";
}

async function read(family: "-4" | "-6", options: HostOptions): Promise<string[]> {
  const words = ["-json", family, "route", "show", "type", "blackhole"];
  const routes = JSON.parse((await ipOrThrow(words, options)) || "[]") as { dst?: string; metric?: number }[];
  return routes.flatMap(({ dst, metric }) =>
    dst === undefined || metric !== METRIC ? [] : [withPrefix(dst)],
  );
}
