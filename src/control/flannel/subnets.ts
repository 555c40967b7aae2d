/**
 * Subnets of nodes, cut out of the network of all pods as flannel cuts them (`pkg/subnet/config.go`,
 * `pkg/subnet/etcd/local_manager.go`): of one length, from a first to a last, each on its boundary; a node without one
 * takes at random one of the first hundred that are free, so that nodes which start at the same moment rarely race.
 */
import { addressOf, addressValue, type Cidr, type Family, familyOf, parseCidr } from "../address.ts";
import { type Problem, shown } from "./fields.ts";

/** Which subnets a node may pick. */
export interface SubnetPool {
  readonly family: Family;
  /** Prefix length of each. */
  readonly length: number;
  /** Network addresses of the first and the last, as numbers. */
  readonly first: bigint;
  readonly last: bigint;
}

/** As it was written; 0 and "" where nothing was. */
export interface PoolWish {
  readonly length: number;
  readonly min: string;
  readonly max: string;
}

interface Limits {
  /** The longest subnet: room for a device and a bridge. */
  readonly longest: number;
  /** What a node gets where nobody says, in a network that is at most `roomy` long. */
  readonly usual: number;
  readonly roomy: number;
  /** The longest network that can be cut without being told how. */
  readonly least: number;
  readonly bits: number;
}

const LIMITS: Readonly<Record<Family, Limits>> = {
  4: { longest: 30, usual: 24, roomy: 22, least: 28, bits: 32 },
  6: { longest: 126, usual: 64, roomy: 62, least: 124, bits: 128 },
};

/** How many subnets flannel looks for before it picks one (`registry.go`). */
const CANDIDATES = 100;

/**
 * Completes and checks what was written (`CheckNetworkConfig`).
 * @param network without host bits
 * @returns the pool, or what is wrong
 */
export function checkPool(network: Cidr, wish: PoolWish): SubnetPool | Problem {
  const length = lengthOf(network, wish.length);
  if (typeof length !== "number") return length;
  const { family } = network;
  const size = sizeOf(family, length);
  // The first is left out: its network address is that of the network, which a device cannot have.
  const first = boundOf(network, length, "SubnetMin", wish.min, network.first + size);
  if (typeof first !== "bigint") return first;
  const last = boundOf(network, length, "SubnetMax", wish.max, network.last + 1n - size);
  if (typeof last !== "bigint") return last;
  if (first > last)
    return { message: `${keyOf(family, "SubnetMin")} is after SubnetMax`, remedy: "exchange them" };
  return { family, length, first, last };
}

/** @returns the length of each subnet, or what is wrong */
function lengthOf({ family, prefix, text }: Cidr, wish: number): number | Problem {
  const { longest, usual, roomy, least } = LIMITS[family];
  const shortest = prefix + 2;
  if (wish === 0) {
    if (prefix <= least) return prefix <= roomy ? usual : shortest;
    const message = `${keyOf(family, "Network")} ${text} is too small to give nodes subnets`;
    return { message, remedy: `take a /${least} or larger` };
  }
  if (wish >= shortest && wish <= longest) return wish;
  return {
    message: `${keyOf(family, "SubnetLen")} ${wish} does not suit the network ${text}`,
    remedy:
      shortest > longest
        ? `take a network of /${longest - 2} or larger`
        : `write a number from ${shortest}, which makes four subnets, to ${longest}`,
  };
}

/** @returns the network address of the first or last subnet, or what is wrong */
function boundOf(
  network: Cidr,
  length: number,
  name: "SubnetMin" | "SubnetMax",
  text: string,
  fallback: bigint,
): bigint | Problem {
  const { family } = network;
  const value = text === "" ? 0n : numberOf(text, family);
  // To flannel 0.0.0.0 is an address that nobody wrote.
  if (value === 0n) return fallback;
  const key = keyOf(family, name);
  if (value === null || value < network.first || value > network.last) {
    return {
      message: `${key} ${shown(text)} is not inside ${network.text}`,
      remedy: "write the address of a subnet in it",
    };
  }
  const past = value % sizeOf(family, length);
  if (past === 0n) return value;
  return {
    message: `${key} ${text} is not where a /${length} begins`,
    remedy: `write ${addressOf(family, value - past)}`,
  };
}

function numberOf(text: string, family: Family): bigint | null {
  try {
    return familyOf(text) === family ? addressValue(text) : null;
  } catch {
    return null;
  }
}

function keyOf(family: Family, name: string): string {
  return family === 4 ? name : `IPv6${name}`;
}

/** How many addresses a subnet has. */
function sizeOf(family: Family, length: number): bigint {
  return 1n << BigInt(LIMITS[family].bits - length);
}

/** @returns "all 255 subnets from 10.244.1.0/24 to 10.244.255.0/24 are taken" */
export function describeExhausted({ family, length, first, last }: SubnetPool): string {
  const count = (last - first) / sizeOf(family, length) + 1n;
  const [from, to] = [first, last].map((value) => `${addressOf(family, value)}/${length}`);
  return count === 1n
    ? `the only subnet, ${from}, is taken`
    : `all ${count} subnets from ${from} to ${to} are taken`;
}

/** @returns whether a node may have this subnet: of the pool's length and within its bounds */
export function inPool(pool: SubnetPool, subnet: string): boolean {
  const { family, prefix, first } = parseCidr(subnet);
  return family === pool.family && prefix === pool.length && pool.first <= first && first <= pool.last;
}

/**
 * The first subnets of a pool that overlap with none of those taken.
 * @param taken of whatever length and in whatever order
 * @returns canonical CIDRs, in their order; at most `most`
 */
export function freeSubnets(pool: SubnetPool, taken: readonly string[], most = CANDIDATES): string[] {
  const { family, length } = pool;
  const size = sizeOf(family, length);
  const ranges = taken
    .map(parseCidr)
    .filter((cidr) => cidr.family === family)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const free: string[] = [];
  let at = 0;
  let subnet = pool.first;
  while (subnet <= pool.last && free.length < most) {
    while (at < ranges.length && ranges[at]!.last < subnet) at++;
    const next = ranges[at];
    if (next === undefined || next.first >= subnet + size) {
      free.push(`${addressOf(family, subnet)}/${length}`);
      subnet += size;
    } else {
      // On to the first boundary behind what is taken: a large reservation is not walked through.
      const past = next.last + 1n;
      subnet = ((past + size - 1n) / size) * size;
    }
  }
  return free;
}

/**
 * One of the free subnets, at random.
 * @param random as `Math.random`
 * @returns null where all are taken
 */
export function pickSubnet(
  pool: SubnetPool,
  taken: readonly string[],
  random: () => number = Math.random,
): string | null {
  const free = freeSubnets(pool, taken);
  return free[Math.floor(random() * free.length)] ?? null;
}
