/**
 * Carries out steps: one `ip -batch` for all of them, and for each whether it worked. A row that should go and is gone
 * already is as good as removed. A route that cannot be added because there is one is replaced when that one leads
 * through our device, whatever its form; a route of another device is not touched, and the step fails with its name.
 */
import { addressLine } from "./address.ts";
import { runBatch } from "./batch.ts";
import { type HostOptions, ipOrThrow } from "./ip.ts";
import { neighbourLine } from "./neighbour.ts";
import { type IpRoute, routeLine, withPrefix } from "./route.ts";
import type { HostStep } from "./rows.ts";

type RouteStep = HostStep & { table: "route" };

/**
 * Applies steps to `device`, in their order.
 * @returns for each step null when it holds now, else why not
 * @throws HostError when `ip` cannot be run, or may not do this at all
 */
export async function applyHostSteps(
  device: string,
  steps: readonly HostStep[],
  options: HostOptions = {},
): Promise<(string | null)[]> {
  if (steps.length === 0) return [];
  const lines = steps.map((step) => lineOf(device, step));
  const results = await runBatch(lines, options);
  steps.forEach((step, i) => {
    if (step.op === "del" && isGone(results[i]!)) results[i] = null;
  });
  await retryRoutes(device, steps, results, options);
  return results;
}

function lineOf(device: string, step: HostStep): string {
  switch (step.table) {
    case "neighbour":
      return neighbourLine(device, step);
    case "route":
      return routeLine(device, step);
    case "address":
      return addressLine(device, step);
  }
}

/** The kernel's ways to say that there is nothing to delete, old ones and new ones. */
function isGone(reason: string | null): boolean {
  return (
    reason !== null &&
    /^(No such process|No such file or directory|Cannot assign requested address|Cannot find device|FIB table does not exist|ipv[46]: address not found)/i.test(
      reason,
    )
  );
}

/**
 * Routes that the kernel refused because of another one. To the same subnet: one of our device, in whatever form, is
 * replaced; one of another device stays, and is named. To more than the subnet, in IPv6: see `pinnedRoute`.
 */
async function retryRoutes(
  device: string,
  steps: readonly HostStep[],
  results: (string | null)[],
  options: HostOptions,
): Promise<void> {
  const refused = steps.flatMap((step, at) =>
    step.table === "route" && step.op !== "del" && isInTheWay(results[at]!) ? [{ step, at }] : [],
  );
  if (refused.length === 0) return;
  const owners = await routesBySubnet(options);
  const again: { lines: readonly string[]; at: number }[] = [];
  for (const { step, at } of refused) {
    const owner = owners.get(step.subnet);
    if (step.op === "replace" || owner === undefined || owner.dev === device) {
      const replace = { ...step, op: "replace" } as const;
      const lines = isPinned(step) ? pinnedRoute(device, replace) : [routeLine(device, replace)];
      again.push({ lines, at });
    } else {
      results[at] = `there is a route to ${step.subnet} already, ${wayOf(owner)}`;
    }
  }
  const reasons = await runBatch(
    again.flatMap(({ lines }) => lines),
    options,
  );
  let line = 0;
  for (const { lines, at } of again) {
    // The route itself is in the middle: what is around it may have been there, or be gone.
    results[at] = reasons[line + (lines.length >> 1)]!;
    line += lines.length;
  }
}

function isInTheWay(reason: string | null): boolean {
  return reason !== null && /^File exists|device mismatch/.test(reason);
}

/** An IPv6 route through our device, whose gateway is inside the subnet. */
function isPinned({ subnet, dev }: RouteStep): boolean {
  return dev === undefined && subnet.includes(":");
}

/**
 * IPv6 refuses an onlink gateway to which a route of another device leads (`ip6_route_check_nh_onlink`), as a direct route
 * to the subnet does, or one of the operator's to all subnets. So that the subnet is not without a route meanwhile, one to
 * the gateway alone is there while it is checked.
 */
function pinnedRoute(device: string, step: RouteStep): string[] {
  const pin = `${step.via}/128 dev ${device} metric 1`;
  return [`route add ${pin}`, routeLine(device, step), `route del ${pin}`];
}

/** Of several routes to a subnet, the first: the one with the lowest metric. */
async function routesBySubnet(options: HostOptions): Promise<Map<string, IpRoute>> {
  const routes = new Map<string, IpRoute>();
  for (const family of ["-4", "-6"]) {
    const answer = await ipOrThrow(["-json", "-details", family, "route", "show", "table", "main"], options);
    for (const route of JSON.parse(answer) as IpRoute[]) {
      const subnet = route.dst === undefined ? "" : withPrefix(route.dst);
      if (!routes.has(subnet)) routes.set(subnet, route);
    }
  }
  return routes;
}

function wayOf({ gateway, dev }: IpRoute): string {
  return `${gateway === undefined ? "" : `via ${gateway} `}dev ${dev ?? "?"}`;
}
