/** A network configuration of CNI, as a container runtime reads it: which plugins, in which order, with which settings. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./errors.ts";

/** One plugin's part; beside its type whatever the plugin knows. */
export interface PluginConf {
  readonly type: string;
  /** What it wants from the runtime: `{ "portMappings": true }`. */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export interface NetworkConf {
  readonly name: string;
  readonly cniVersion: string;
  /** Some plugins can do no CHECK: then it is not asked for. */
  readonly disableCheck: boolean;
  /** In the order of ADD. */
  readonly plugins: readonly PluginConf[];
}

/** What runtimes look for in a directory, as libcni does. */
const EXTENSION = /\.(conflist|conf|json)$/;

/**
 * Reads a conflist, or a .conf, which is one plugin alone.
 * @param path a file, or a directory: of that the first by name counts, as with Kubernetes' runtimes
 * @throws LabError LAB_CNI
 */
export function readNetworkConf(path: string): NetworkConf {
  const file = fileOf(path);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new LabError("LAB_CNI", `${file} cannot be read: ${(error as Error).message}`);
  }
  const { name, cniVersion = "0.1.0", disableCheck, plugins, ...one } = json as Record<string, unknown>;
  const list = (plugins ?? [one]) as PluginConf[];
  const types = Array.isArray(list) && list.map((plugin) => plugin?.type);
  if (typeof name !== "string" || !types || types.some((type) => typeof type !== "string")) {
    throw new LabError("LAB_CNI", `${file} is no network configuration: a name, and a type of each plugin`);
  }
  return {
    name,
    cniVersion: String(cniVersion),
    disableCheck: disableCheck === true || disableCheck === "true",
    plugins: list,
  };
}

function fileOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return path;
  const [first] = readdirSync(path)
    .filter((name) => EXTENSION.test(name))
    .sort();
  if (first === undefined) throw new LabError("LAB_CNI", `there is no network configuration in ${path}`);
  return join(path, first);
}
