/**
 * The addresses of ours that the other nodes are told, and the interface that carries the underlay: flanneld's choice
 * (main.go, `pkg/ipmatch/match.go`). What `ip` says is read here, and `choose-interface.ts` decides.
 */
import { isIP } from "node:net";
import { chooseInterface, type HostView, type PublicIpWish, type Way, WORDS } from "./choose-interface.ts";
import { canonicalAddress, type Family, familyOf, parseInterfaces } from "./interfaces.ts";
import { failed, HostError, type HostOptions, ipOrThrow, plainReason, runIp } from "./ip.ts";

export type { HostView, PublicIpWish } from "./choose-interface.ts";

/** Ours in one family. */
export interface NodeAddress {
  /** On the interface: what we send from. */
  readonly address: string;
  /** What the other nodes send to: the same, unless somebody says otherwise. */
  readonly publicIp: string;
}

export interface PublicIp {
  readonly device: string;
  readonly mtu: number;
  /** Null where the family is off. */
  readonly ipv4: NodeAddress | null;
  readonly ipv6: NodeAddress | null;
}

/**
 * Asks `ip` for what the choice depends on, and chooses.
 * @throws HostError as `choosePublicIp`
 */
export async function findPublicIp(wish: PublicIpWish, options: HostOptions = {}): Promise<PublicIp> {
  const [addresses, routes4, routes6, way] = await Promise.all([
    ipOrThrow(["-json", "addr", "show"], options),
    ipOrThrow(["-4", "-json", "route", "show", "default"], options),
    // A kernel without IPv6 refuses to list its routes, and has none.
    runIp(["-6", "-json", "route", "show", "default"], options).then(({ stdout }) => stdout),
    wish.canReach ? wayTo(wish.canReach, options) : NO_WAY,
  ]);
  const defaults = { 4: parseDefaults(parse(routes4)), 6: parseDefaults(parse(routes6)) };
  return choosePublicIp(wish, { interfaces: parseInterfaces(parse(addresses)), defaults, way });
}

const NO_WAY = "nobody asked";

function parse(stdout: string): readonly unknown[] {
  return stdout.trim() === "" ? [] : JSON.parse(stdout);
}

async function wayTo(address: string, options: HostOptions): Promise<Way | string> {
  if (isIP(address) === 0) return "it is no IP address";
  const args = ["-json", "route", "get", address];
  const result = await runIp(args, options);
  if (result.status !== 0) return plainReason(result.stderr) || failed(args, result).message;
  return parseWay(parse(result.stdout));
}

/** @param json what `ip -json route get` printed, parsed */
export function parseWay(json: readonly unknown[]): Way | string {
  const [route] = json as readonly { type?: string; dev?: string; prefsrc?: string }[];
  if (route?.type === "local") return "it is an address of this node itself";
  return route?.dev === undefined ? "there is no way" : { device: route.dev, source: route.prefsrc ?? null };
}

/** @param json what `ip -json route show default` printed, parsed; @returns devices, in the kernel's order: by metric */
export function parseDefaults(json: readonly unknown[]): string[] {
  const routes = json as readonly { type?: string; dev?: string; nexthops?: readonly { dev?: string }[] }[];
  return routes
    .filter(({ type = "unicast" }) => type === "unicast") // not one that says "unreachable"
    .flatMap(({ dev, nexthops }) => dev ?? nexthops?.[0]?.dev ?? []);
}

/**
 * Chooses. Pure.
 * @throws HostError `HOST_BAD_OPTION` for what cannot be meant; `HOST_NO_DEVICE` when no interface is as it was asked for;
 *   `HOST_LOCAL_ADDRESS` when nobody has the public IP; `HOST_NO_UPLINK` when the default routes decide nothing
 */
export function choosePublicIp(wish: PublicIpWish, view: HostView): PublicIp {
  const publicIps = {
    4: checked(wish.publicIp, 4, "--public-ip"),
    6: checked(wish.publicIpv6, 6, "--public-ipv6"),
  };
  const found = chooseInterface(wish, view, publicIps);
  const of = (family: Family): NodeAddress | null => {
    const address = found.addresses.find((one) => familyOf(one) === family);
    return address === undefined ? null : { address, publicIp: publicIps[family] ?? address };
  };
  return { device: found.link.name, mtu: found.link.mtu, ipv4: of(4), ipv6: of(6) };
}

/** @returns the address, canonical; null where none was given. @throws HostError `HOST_BAD_OPTION` */
function checked(text: string | null, family: Family, flag: string): string | null {
  if (text === null || text === "") return null;
  const address = canonicalAddress(text);
  if (address !== null && familyOf(address) === family) return address;
  const message = `${flag}: "${text}" is no ${WORDS[family]} address`;
  throw new HostError(
    "HOST_BAD_OPTION",
    message,
    `write it as ${family === 4 ? "192.168.0.1" : "fd00:10::1"}`,
  );
}
