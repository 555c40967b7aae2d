/** Everything the kernel knows of our device, in one process: the link, its addresses, neighbours and routes. */
import { failed, type HostOptions, runIp } from "./ip.ts";
import { isMissing, type Link, parseLinks } from "./link.ts";
import { neighbourQuery, parseNeighbours } from "./neighbour.ts";
import { parseRoutes, routeQuery } from "./route.ts";
import type { NeighbourRow, RouteRow } from "./rows.ts";

export interface DeviceState {
  readonly link: Link;
  /** Permanent neighbours of the device. */
  readonly neighbours: readonly NeighbourRow[];
  /** Routes of flannel's form through the device. */
  readonly routes: readonly RouteRow[];
}

/**
 * @returns the state of a device; null when there is no such device
 * @throws HostError
 */
export async function readDevice(device: string, options: HostOptions = {}): Promise<DeviceState | null> {
  const queries = [`addr show dev ${device}`, neighbourQuery(device), routeQuery(device)];
  const args = ["-json", "-details", "-batch", "-"];
  const result = await runIp(args, options, `${queries.join("\n")}\n`);
  if (result.status !== 0) {
    if (isMissing(result.stderr)) return null;
    throw failed(args, result);
  }
  // Each query prints its JSON on a line of its own.
  const answers = result.stdout.split("\n").filter((line) => line !== "");
  const [links, neighbours, routes] = answers.map((line) => JSON.parse(line) as unknown[]);
  const [link] = parseLinks(links ?? []);
  if (link === undefined) return null;
  return { link, neighbours: parseNeighbours(neighbours ?? []), routes: parseRoutes(routes ?? []) };
}
