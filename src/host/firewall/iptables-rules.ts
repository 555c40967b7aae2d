/**
 * flannel's rules for iptables (`pkg/trafficmngr/iptables/iptables.go`), as iptables prints them: chains, comments and
 * order are what operators grep for, and what flanneld looks for when it comes back.
 *
 * A second node of another network on the same host has its rules in the same two chains. So ours have to be there in
 * their order, whatever stands between them; and the one rule that all nodes have in common, of kube-proxy's mark, has
 * to stand before them, whoever has set it. A node that moves it moves it to the front, where it is right for all:
 * otherwise two nodes would take it from each other for ever.
 */
import { type FirewallWish, GROUPS, KUBE_PROXY_MARK, type Masqueraded } from "./wish.ts";

/** One of the two chains: where it is, and what jumps to it. */
export interface ChainPlace {
  readonly table: "nat" | "filter";
  readonly chain: string;
  /** The kernel's own chain that jumps to it. */
  readonly from: string;
  /** The rule in `from`, without "-A FROM ". */
  readonly jump: string;
}

/** A chain and what of ours has to stand in it. Rules are without "-A CHAIN ". */
export interface OwnChain extends ChainPlace {
  /** Has to stand once, before `rules`; other nodes' as well. */
  readonly shared: string | null;
  /** Each once, in this order. None: nothing of ours is wanted here. */
  readonly rules: readonly string[];
  /** Ours from another time: they go. */
  readonly stale: readonly string[];
}

const MASQ = '-m comment --comment "flanneld masq"';
const FORWARD = '-m comment --comment "flanneld forward"';

const POSTRTG: ChainPlace = {
  table: "nat",
  chain: "FLANNEL-POSTRTG",
  from: "POSTROUTING",
  jump: `${MASQ} -j FLANNEL-POSTRTG`,
};
const FWD: ChainPlace = {
  table: "filter",
  chain: "FLANNEL-FWD",
  from: "FORWARD",
  jump: `${FORWARD} -j FLANNEL-FWD`,
};
export const CHAINS: readonly ChainPlace[] = [POSTRTG, FWD];

const MARKED = `-m mark --mark ${KUBE_PROXY_MARK}/${KUBE_PROXY_MARK} ${MASQ} -j RETURN`;

/**
 * @param former networks that this node had before
 * @returns both chains of one family; without rules where none are asked for
 */
export function iptablesChains(
  family: 4 | 6,
  wish: FirewallWish,
  former: readonly Masqueraded[] = [],
): OwnChain[] {
  const now = wish.networks.filter((one) => one.family === family);
  const ever = [...now, ...former.filter((one) => one.family === family)];
  const masquerade = wish.masquerade ? masqueradeRules(now, wish.randomFully) : [];
  const forward = wish.forward ? forwardRules(now) : [];
  const allMasquerade = [...masqueradeRules(ever, true), ...masqueradeRules(ever, false)];
  return [
    {
      ...POSTRTG,
      shared: MARKED,
      rules: masquerade,
      stale: without(allMasquerade, masquerade),
    },
    { ...FWD, shared: null, rules: forward, stale: without(forwardRules(ever), forward) },
  ];
}

function masqueradeRules(networks: readonly Masqueraded[], randomFully: boolean): string[] {
  const masquerade = `-j MASQUERADE${randomFully ? " --random-fully" : ""}`;
  return networks.flatMap(({ family, network, subnet }) => [
    // Within the overlay nothing is masqueraded.
    `-s ${subnet} -d ${network} ${MASQ} -j RETURN`,
    `-s ${network} -d ${subnet} ${MASQ} -j RETURN`,
    // From outside to a pod of ours: the pod sees who asks.
    `! -s ${network} -d ${subnet} ${MASQ} -j RETURN`,
    `-s ${network} ! -d ${GROUPS[family]} ${MASQ} ${masquerade}`,
    // From this host to a pod elsewhere: the answer has to come back through the overlay.
    `! -s ${network} -d ${network} ${MASQ} ${masquerade}`,
  ]);
}

function forwardRules(networks: readonly Masqueraded[]): string[] {
  return networks.flatMap(({ network }) => [
    `-s ${network} ${FORWARD} -j ACCEPT`,
    `-d ${network} ${FORWARD} -j ACCEPT`,
  ]);
}

function without(rules: readonly string[], some: readonly string[]): string[] {
  return [...new Set(rules)].filter((rule) => !some.includes(rule));
}

/** Chains of one table and the rules in each. A chain that is not in it does not exist. */
export type SavedTable = ReadonlyMap<string, readonly string[]>;

/** @param text what `iptables -S` prints of one table, whole or chain by chain */
export function parseRules(text: string): SavedTable {
  const chains = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, option, chain, rest] = /^-([PNA]) (\S+)(?: (.*))?$/.exec(line.trim()) ?? [];
    if (chain === undefined) continue;
    const rules = chains.get(chain) ?? [];
    if (option === "A") rules.push(rest ?? "");
    chains.set(chain, rules);
  }
  return chains;
}

/** @returns the lines for `iptables-restore --noflush` that put one chain right; none where it is */
export function chainLines(own: OwnChain, saved: SavedTable): string[] {
  const { chain, from, jump, shared, rules, stale } = own;
  const there = saved.get(chain);
  const remove = (gone: readonly string[]) =>
    (there ?? []).filter((rule) => gone.includes(rule)).map((rule) => `-D ${chain} ${rule}`);
  if (rules.length === 0) {
    const left = there?.filter((rule) => rule !== shared && !stale.includes(rule));
    if (left?.length === 0) return wipeLines(own, saved);
    return remove(stale);
  }
  const lines = there === undefined ? [`:${chain} - [0:0]`] : remove(stale);
  const rightOrder = there !== undefined && inOrder(rules, there);
  if (!rightOrder) lines.push(...remove(rules));
  if (shared !== null && !isBefore(shared, rules, there ?? [])) {
    lines.push(...remove([shared]), `-I ${chain} 1 ${shared}`);
  }
  if (!rightOrder) lines.push(...rules.map((rule) => `-A ${chain} ${rule}`));
  const jumps = (saved.get(from) ?? []).filter((rule) => rule === jump).length;
  if (jumps === 0) lines.push(`-A ${from} ${jump}`);
  for (let extra = jumps; extra > 1; extra--) lines.push(`-D ${from} ${jump}`);
  return lines;
}

/** Whether all of `rules` are in `there`, each once, in their order. */
function inOrder(rules: readonly string[], there: readonly string[]): boolean {
  const ours = there.filter((rule) => rules.includes(rule));
  return ours.length === rules.length && rules.every((rule, i) => rule === ours[i]);
}

/** Whether `shared` stands in `there` once, and before the first of `rules`. */
function isBefore(shared: string, rules: readonly string[], there: readonly string[]): boolean {
  const at = there.indexOf(shared);
  const first = there.findIndex((rule) => rules.includes(rule));
  return at >= 0 && at === there.lastIndexOf(shared) && (first < 0 || at < first);
}

/** @returns the lines that take a chain away, whoever's rules it holds, and what jumps to it; none where there is none */
export function wipeLines({ chain, from }: ChainPlace, saved: SavedTable): string[] {
  if (!saved.has(chain)) return [];
  const jumps = (saved.get(from) ?? []).filter((rule) => rule.endsWith(`-j ${chain}`));
  return [...jumps.map((rule) => `-D ${from} ${rule}`), `-F ${chain}`, `-X ${chain}`];
}

/** @returns the input of `iptables-restore` for lines of one table; "" where there are none */
export function asTable(table: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`*${table}`, ...lines, "COMMIT", ""].join("\n");
}
