/** What the plugin `flannel` is told on its standard input, checked. */
import { CNI_CODE, CniError } from "./error.ts";
import { assertSupported } from "./version.ts";

type Json = Readonly<Record<string, unknown>>;

/** flannel's network configuration. */
export interface FlannelConf {
  readonly name: string;
  /** Left out where it is not said: then it is the delegate's to choose. */
  readonly cniVersion?: string;
  /** Path of subnet.env. */
  readonly subnetFile: string;
  /** Where the delegates' configurations are kept from ADD to DEL. */
  readonly dataDir: string;
  /** What the operator wants of the delegate; what is not here is filled in. */
  readonly delegate: Json;
  /** The same of the delegate's ipam. */
  readonly ipam: Json & { readonly routes?: readonly Json[] };
  readonly runtimeConfig?: Json;
  /** What ADD has made, as the runtime remembers it. */
  readonly prevResult?: Json;
}

/** @throws CniError */
export function parseConf(text: string): FlannelConf {
  const json = readObject(text);
  const { name, cniVersion, runtimeConfig, prevResult } = json;
  if (typeof name !== "string" || !/^[a-zA-Z0-9][\w.-]*$/.test(name)) {
    throw wrong(`the network has no name, or one with other characters than letters, digits, _ . -`);
  }
  if (cniVersion !== undefined) assertSupported(cniVersion);
  return {
    name,
    ...(cniVersion === undefined ? {} : { cniVersion: cniVersion as string }),
    subnetFile: pathIn(json, "subnetFile", "/run/flannel/subnet.env"),
    dataDir: pathIn(json, "dataDir", "/var/lib/cni/flannel"),
    delegate: checkDelegate(objectIn(json, "delegate")),
    ipam: checkIpam(objectIn(json, "ipam")),
    ...(isObject(runtimeConfig) ? { runtimeConfig } : {}),
    ...(isObject(prevResult) ? { prevResult } : {}),
  };
}

/** @throws CniError where the text is no JSON object */
export function readObject(text: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CniError(
      CNI_CODE.decoding,
      `the network configuration is no JSON: ${(error as Error).message}`,
    );
  }
  if (!isObject(json)) throw new CniError(CNI_CODE.decoding, "the network configuration is no JSON object");
  return json;
}

function checkDelegate(delegate: Json): Json {
  const { type } = delegate;
  if (Object.hasOwn(delegate, "type") && (typeof type !== "string" || type === "")) {
    throw wrong("`delegate.type` is not the name of a plugin");
  }
  if (type === "flannel")
    throw wrong("`delegate.type` is flannel itself: name another plugin, such as bridge");
  for (const key of ["name", "ipam"]) {
    if (!Object.hasOwn(delegate, key)) continue;
    const hint = key === "ipam" ? "; write `ipam` beside `delegate`" : "; leave it out";
    throw wrong(`\`delegate\` has \`${key}\`, which is filled in by flannel${hint}`);
  }
  return delegate;
}

function checkIpam({ routes, ...rest }: Json): FlannelConf["ipam"] {
  if (routes === undefined || routes === null) return rest;
  if (Array.isArray(routes) && routes.every((one) => isObject(one) && typeof one.dst === "string")) {
    return { ...rest, routes: routes as readonly Json[] };
  }
  throw wrong('`ipam.routes` is no list of routes, such as [{ "dst": "10.0.0.0/8" }]');
}

function objectIn(json: Json, key: string): Json {
  const value = json[key] ?? {};
  if (!isObject(value)) throw wrong(`\`${key}\` is no JSON object`);
  return value;
}

function pathIn(json: Json, key: string, fallback: string): string {
  const value = json[key] ?? fallback;
  if (typeof value !== "string" || !value.startsWith("/")) throw wrong(`\`${key}\` is no absolute path`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(message: string): CniError {
  return new CniError(CNI_CODE.config, message);
}
