/**
 * Carries out steps: one `ip -batch` for all of them, and for each whether it worked. A row that should go and is gone
 * already is as good as removed. A route that cannot be added because there is one is replaced when that one leads
 * through our device too; a route of another device is never touched, and the step fails with its name.
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
  await replaceOwnRoutes(device, steps, results, options);
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

async function replaceOwnRoutes(
  device: string,
  steps: readonly HostStep[],
  results: (string | null)[],
  options: HostOptions,
): Promise<void> {
  const taken = steps.flatMap((step, at) =>
    step.table === "route" && step.op === "replace" && results[at] === "File exists" ? [{ step, at }] : [],
  );
  if (taken.length === 0) return;
  const owners = await routesBySubnet(options);
  const ours: { step: RouteStep; at: number }[] = [];
  for (const { step, at } of taken) {
    const owner = owners.get(step.subnet);
    if (owner === undefined || owner.dev === device) ours.push({ step, at });
    else results[at] = `there is a route to ${step.subnet} already, ${wayOf(owner)}`;
  }
  const again = await runBatch(
    ours.map(({ step }) => routeLine(device, step, "replace")),
    options,
  );
  ours.forEach(({ at }, i) => {
    results[at] = again[i]!;
  });
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
