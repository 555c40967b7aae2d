/** Everything the kernel knows of our devices, in one process: links, their addresses, neighbours and routes. */
import { failed, type HostOptions, type IpResult, runIp } from "./ip.ts";
import { addressQuery, isMissing, type Link, parseLinks } from "./link.ts";
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
  return (await readDevices([device], options)).get(device) ?? null;
}

/**
 * Reads several devices at once. One is asked for by its name; of several the kernel tells faster about all that there
 * are, whoever's, than about each (a thousand: 60 ms, not 2 s).
 * @returns by name the state of those that there are
 * @throws HostError
 */
export async function readDevices(
  devices: readonly string[],
  options: HostOptions = {},
): Promise<ReadonlyMap<string, DeviceState>> {
  const one = devices.length === 1 ? devices[0]! : null;
  const args = ["-json", "-details", "-batch", "-"];
  const queries = [addressQuery(one), neighbourQuery(one), routeQuery(one)];
  const result = await askTillWhole(args, options, `${queries.join("\n")}\n`);
  if (result.status !== 0) {
    if (one !== null && isMissing(result.stderr)) return new Map();
    throw failed(args, result);
  }
  // Each query prints its JSON on a line of its own.
  const answers = result.stdout.split("\n").filter((line) => line !== "");
  const [links = [], neighbours = [], routes = []] = answers.map((line) => JSON.parse(line) as unknown[]);
  const neighboursOf = byDevice(neighbours, one);
  const routesOf = byDevice(routes, one);
  const wanted = new Set(devices);
  const found = parseLinks(links).filter(({ name }) => wanted.has(name));
  return new Map(
    found.map((link) => {
      const { name } = link;
      const own = parseNeighbours(neighboursOf.get(name) ?? []);
      return [name, { link, neighbours: own, routes: parseRoutes(routesOf.get(name) ?? []) }];
    }),
  );
}

/** How often a table is read that somebody changes meanwhile. */
const ATTEMPTS = 3;

/**
 * A table that changes while it is read may come without rows that it has all the time (NLM_F_DUMP_INTR): then it is
 * read again. Somebody who changes it all the time does not keep us for ever: a row that we miss is only set once more.
 */
export async function askTillWhole(
  args: readonly string[],
  options: HostOptions,
  input = "",
): Promise<IpResult> {
  for (let attempt = 1; ; attempt++) {
    const result = await runIp(args, options, input);
    if (attempt === ATTEMPTS || !/^Dump was interrupted/m.test(result.stderr)) return result;
  }
}

/** @param one the device that was asked for, which answers then do not name */
function byDevice(rows: readonly unknown[], one: string | null): ReadonlyMap<string, unknown[]> {
  if (one !== null) return new Map([[one, [...rows]]]);
  const each = new Map<string, unknown[]>();
  for (const row of rows) {
    const { dev = "" } = row as { dev?: string };
    const own = each.get(dev);
    if (own === undefined) each.set(dev, [row]);
    else own.push(row);
  }
  return each;
}
