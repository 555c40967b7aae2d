/**
 * Which interface is meant, from flanneld's flags and what the kernel says.
 *
 *   --iface, each in turn  →  --iface-regex, each in turn  →  --iface-can-reach  →  an error
 *   none of them:  the interface with --public-ip, if that is given  →  else the one of the default route
 *
 * An interface is taken when it is up, has an MTU, and has an address of each family that is on; else the next is tried.
 * Beyond flannel it does not matter which family an address has that names an interface: of the other family the
 * interface's best is taken. Loopback is taken only when it is named, or has the address that is.
 */
import { HostError } from "./command.ts";
import { goPattern } from "./go-pattern.ts";
import { canonicalAddress, describeInterfaces, type Family, familyOf, type Interface } from "./interfaces.ts";

/** flanneld's flags; null and "" are the same: not given. */
export interface PublicIpWish {
  /** --iface: IPs or names. */
  readonly iface: readonly string[];
  /** --iface-regex, in Go's syntax. */
  readonly ifaceRegex: readonly string[];
  /** --iface-can-reach: an IP. */
  readonly canReach: string | null;
  readonly publicIp: string | null;
  readonly publicIpv6: string | null;
  /** Those that are on: one or both. */
  readonly families: readonly Family[];
}

/** What the kernel says. */
export interface HostView {
  readonly interfaces: readonly Interface[];
  /** Interfaces of the default routes, the preferred first. */
  readonly defaults: Readonly<Record<Family, readonly string[]>>;
  /** The way to `canReach`, or why there is none. */
  readonly way: Way | string;
}

export interface Way {
  readonly device: string;
  /** What the kernel would send from. */
  readonly source: string | null;
}

/** Those that somebody gave. */
export type PublicIps = Readonly<Record<Family, string | null>>;

export interface Found {
  readonly link: Interface;
  /** One of each family that is on. */
  readonly addresses: readonly string[];
}

/**
 * Chooses. Pure.
 * @param publicIps canonical
 * @throws HostError `HOST_BAD_OPTION` for a pattern that is none; `HOST_NO_DEVICE` when no interface is as it was asked
 *   for; `HOST_LOCAL_ADDRESS` when nobody has the public IP; `HOST_NO_UPLINK` when the default routes decide nothing
 */
export function chooseInterface(wish: PublicIpWish, view: HostView, publicIps: PublicIps): Found {
  const patterns = wish.ifaceRegex.map((text) => ({ text, pattern: goPattern(text) }));
  if (wish.iface.length === 0 && patterns.length === 0 && !wish.canReach) {
    const wanted = wish.families.map((family) => publicIps[family]).filter((address) => address !== null);
    return wanted.length > 0 ? byPublicIp(wanted, wish, view) : byDefaultRoute(wish, view);
  }
  const failures: string[] = [];
  const tries: readonly (readonly [string, () => Found | string])[] = [
    ...wish.iface.map((entry) => [`--iface ${entry}`, () => byEntry(entry, wish, view)] as const),
    ...patterns.map(
      ({ text, pattern }) => [`--iface-regex ${text}`, () => byPattern(pattern, wish, view)] as const,
    ),
    ...(wish.canReach ? [[`--iface-can-reach ${wish.canReach}`, () => byWay(wish, view)] as const] : []),
  ];
  for (const [said, run] of tries) {
    const found = run();
    if (typeof found !== "string") return found;
    failures.push(`${said}: ${found}`);
  }
  const message = `no interface is as it was asked for: ${failures.join("; ")}`;
  throw new HostError("HOST_NO_DEVICE", message, describeInterfaces(view.interfaces));
}

/** @returns the interface with an address of each family, those given first; or why it cannot be taken */
function take(link: Interface, wish: PublicIpWish, given: readonly string[] = []): Found | string {
  if (!link.up) return `${link.name} is down`;
  if (link.mtu === 0) return `${link.name} has no MTU`;
  const addresses: string[] = [];
  for (const family of wish.families) {
    const address = given.find((one) => familyOf(one) === family) ?? link.usable[family][0];
    if (address === undefined) return `${link.name} has no ${WORDS[family]} address${REACHED[family]}`;
    addresses.push(address);
  }
  return { link, addresses };
}

export const WORDS: Readonly<Record<Family, string>> = { 4: "IPv4", 6: "IPv6" };
const REACHED: Readonly<Record<Family, string>> = { 4: "", 6: " at which others could reach it" };

function byEntry(entry: string, wish: PublicIpWish, { interfaces }: HostView): Found | string {
  const address = canonicalAddress(entry);
  const link = interfaces.find(({ name, all }) =>
    address === null ? name === entry : all.includes(address),
  );
  if (link !== undefined) return take(link, wish, address === null ? [] : [address]);
  return address === null ? "there is no such interface" : "no interface has this address";
}

/** IPs first, of each family that is on and all on one interface; then names. */
function byPattern(pattern: RegExp, wish: PublicIpWish, { interfaces }: HostView): Found | string {
  const failures: string[] = [];
  const attempt = (link: Interface, given: readonly string[]): Found | null => {
    const found = take(link, wish, given);
    if (typeof found !== "string") return found;
    failures.push(found);
    return null;
  };
  for (const link of interfaces) {
    const matching = wish.families.map((family) => link.usable[family].find((one) => pattern.test(one)));
    const given = matching.filter((address) => address !== undefined);
    const found = given.length === wish.families.length ? attempt(link, given) : null;
    if (found !== null) return found;
  }
  for (const link of interfaces) {
    const found = !link.loopback && pattern.test(link.name) ? attempt(link, []) : null;
    if (found !== null) return found;
  }
  if (failures.length > 0) return [...new Set(failures)].join(", ");
  const both = wish.families.length > 1 ? "both an IPv4 and an IPv6 address" : "an address";
  return `no interface has ${both} with a match, and no name has one`;
}

function byWay(wish: PublicIpWish, { interfaces, way }: HostView): Found | string {
  if (typeof way === "string") return way;
  const link = interfaces.find(({ name }) => name === way.device);
  if (link === undefined) return `it leads through ${way.device}, which is gone`;
  const source = way.source !== null && link.all.includes(way.source) ? [way.source] : [];
  return take(link, wish, source);
}

/** Without --iface it has to be an address of this node: it says which interface is meant. */
function byPublicIp(wanted: readonly string[], wish: PublicIpWish, { interfaces }: HostView): Found {
  const links = wanted.map((address) => interfaces.find(({ all }) => all.includes(address)));
  const missing = wanted.find((_, i) => links[i] === undefined);
  const there = describeInterfaces(interfaces);
  if (missing !== undefined) {
    const message = `no interface has the public IP ${missing}`;
    const remedy = `if it is that of a router before this node, say with --iface which interface leads there; ${there}`;
    throw new HostError("HOST_LOCAL_ADDRESS", message, remedy);
  }
  const [first, second] = links as readonly Interface[];
  if (second !== undefined && second !== first) {
    const message = `the public IPs are on two interfaces: ${wanted[0]} on ${first!.name}, ${wanted[1]} on ${second.name}`;
    throw new HostError("HOST_LOCAL_ADDRESS", message, `both have to be on one, or give --iface; ${there}`);
  }
  const found = take(first!, wish, wanted);
  if (typeof found !== "string") return found;
  throw new HostError("HOST_LOCAL_ADDRESS", `the public IP is ${wanted[0]}, but ${found}`, there);
}

function byDefaultRoute(wish: PublicIpWish, { interfaces, defaults }: HostView): Found {
  const there = describeInterfaces(interfaces);
  const remedy = `say with --iface which interface leads to the other nodes; ${there}`;
  const links = wish.families.map((family) => {
    const names = defaults[family];
    const link = interfaces.find(({ name, loopback }) => name === names[0] && !loopback);
    if (link !== undefined) return link;
    const why =
      names.length === 0 ? `there is no default route of ${WORDS[family]}` : `it leads through ${names[0]}`;
    throw new HostError("HOST_NO_UPLINK", `${why}, and no interface was named`, remedy);
  });
  const [first, second] = links;
  if (first === undefined)
    throw new HostError("HOST_BAD_OPTION", "no family is on", "switch on IPv4 or IPv6");
  if (second !== undefined && second !== first) {
    const message = `the default routes of IPv4 and IPv6 lead through ${first.name} and ${second.name}, and a network of both families has one interface`;
    throw new HostError("HOST_NO_UPLINK", message, remedy);
  }
  const found = take(first, wish);
  if (typeof found !== "string") return found;
  throw new HostError(
    "HOST_NO_UPLINK",
    `the default route leads through ${first.name}, but ${found}`,
    remedy,
  );
}
