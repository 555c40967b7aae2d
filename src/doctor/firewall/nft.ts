/** What nftables does with a packet, from what `nft -j list ruleset` prints. Pure. */
import {
  type Answer,
  type Blocked,
  every,
  inNetwork,
  isInterface,
  not,
  type Packet,
  type Rule,
  walk,
} from "./packet.ts";

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly prio?: number;
  readonly policy?: string;
  readonly dev?: string | readonly string[];
}

interface RuleObject {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr: readonly Expression[];
}

type Expression = Readonly<Record<string, unknown>>;

const HOOKS: Readonly<Record<Packet["hook"], readonly string[]>> = {
  input: ["ingress", "prerouting", "input"],
  output: ["output", "postrouting"],
  forward: ["ingress", "prerouting", "forward", "postrouting"],
};

/**
 * @param json what `nft -j list ruleset` printed, parsed
 * @param skip tables that are left out, as "ip filter": those that iptables keeps
 * @returns the rule or policy that stops the packet; null where none does for sure
 */
export function blockedByNft(json: unknown, packet: Packet, skip: readonly string[] = []): Blocked | null {
  const objects = (json as { nftables?: readonly Record<string, unknown>[] })?.nftables ?? [];
  const chains = objects.flatMap(({ chain }) => (chain === undefined ? [] : [chain as Chain]));
  const rules = objects.flatMap(({ rule }) => (rule === undefined ? [] : [rule as RuleObject]));
  const families = ["inet", packet.family === 4 ? "ip" : "ip6", "netdev"];
  const passed = HOOKS[packet.hook].flatMap((hook) =>
    chains
      .filter((chain) => chain.hook === hook && chain.type !== "nat" && families.includes(chain.family))
      .filter(({ family, table }) => !skip.includes(`${family} ${table}`))
      .filter(({ dev }) => dev === undefined || [dev].flat().some((name) => name === packet.iif))
      .sort((a, b) => (a.prio ?? 0) - (b.prio ?? 0)),
  );
  for (const { family, table, name, policy } of passed) {
    const end = walk(name, (chain) =>
      rules
        .filter((rule) => rule.family === family && rule.table === table && rule.chain === chain)
        .map((rule) => ruleOf(rule, packet)),
    );
    if (typeof end === "object") return end.blocked;
    if (end !== "return" || policy !== "drop") continue;
    return {
      rule: `chain ${family} ${table} ${name} { policy drop }`,
      packets: null,
      remedy: `nft list chain ${family} ${table} ${name}, and a rule there that accepts it`,
    };
  }
  return null;
}

function ruleOf({ family, table, chain, handle, expr }: RuleObject, packet: Packet): Rule {
  const where = `${family} ${table} ${chain}`;
  const count = expr.find(({ counter }) => typeof counter === "object" && counter !== null);
  return {
    matches: every(expr.map((one) => answerOf(one, packet))),
    verdict: verdictOf(expr),
    blocked: {
      rule: `nft rule ${where} handle ${handle}: ${expr.map(textOf).filter(Boolean).join(" ")}`,
      packets: (count?.counter as { packets?: number } | undefined)?.packets ?? null,
      remedy: `nft delete rule ${where} handle ${handle}`,
    },
  };
}

function verdictOf(expr: readonly Expression[]): Rule["verdict"] {
  for (const one of expr) {
    if ("accept" in one) return { kind: "accept" };
    if ("drop" in one || "reject" in one) return { kind: "drop" };
    if ("return" in one) return { kind: "return" };
    for (const kind of ["jump", "goto"] as const) {
      if (kind in one) return { kind, chain: String((one[kind] as { target?: string }).target) };
    }
    if ("vmap" in one || "queue" in one) return { kind: "open" };
  }
  return { kind: "none" };
}

/** Expressions that let every packet on. */
const PASSING = ["counter", "log", "accept", "drop", "reject", "return", "jump", "goto", "mangle", "notrack"];

function answerOf(one: Expression, packet: Packet): Answer {
  if (PASSING.some((name) => name in one)) return true;
  const match = one.match as { op: string; left: unknown; right: unknown } | undefined;
  if (match === undefined) return undefined;
  const answer = matches(match.left, match.right, packet);
  return match.op === "!=" ? not(answer) : match.op === "==" || match.op === "in" ? answer : undefined;
}

function matches(left: unknown, right: unknown, packet: Packet): Answer {
  const { meta, payload, ct } = (left ?? {}) as Record<string, Record<string, string> | undefined>;
  const is = (value: string | number | null): Answer => isOneOf(value, right);
  switch (meta?.key ?? ct?.key ?? payload?.field) {
    case "iifname":
    case "iif":
      return isOneOf(packet.iif, right, isInterface);
    case "oifname":
    case "oif":
      return isOneOf(packet.oif, right, isInterface);
    case "l4proto":
    case "protocol":
      return meta?.key === "protocol" ? undefined : is(packet.proto);
    case "nexthdr":
      return is(packet.proto);
    case "nfproto":
      return is(packet.family === 4 ? "ipv4" : "ipv6");
    case "state":
      return is("new");
    case "dport":
      return every([isTransport(payload, packet), is(packet.dport)]);
    case "sport":
      return every([isTransport(payload, packet), is(packet.sport)]);
    case "saddr":
      return isOneOf(packet.src, right, inNetworkOf);
    case "daddr":
      return isOneOf(packet.dst, right, inNetworkOf);
    default:
      return undefined;
  }
}

function isTransport(payload: Record<string, string> | undefined, { proto }: Packet): boolean {
  return payload?.protocol === "th" || payload?.protocol === proto;
}

function inNetworkOf(address: string | null, network: string): Answer {
  return inNetwork(address ?? "", network);
}

/** nft's right sides: a value, a list, a set, a range, a prefix. A named set is not known. */
function isOneOf<T extends string | number | null>(
  value: T,
  right: unknown,
  same: (value: T, text: string) => Answer = (one, text) => String(one) === text,
): Answer {
  if (Array.isArray(right)) {
    const answers = right.map((one) => isOneOf(value, one, same));
    return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
  }
  if (typeof right === "string") return right.startsWith("@") ? undefined : same(value, right);
  if (typeof right === "number") return same(value, String(right));
  const { set, range, prefix } = (right ?? {}) as {
    set?: unknown;
    range?: readonly unknown[];
    prefix?: { addr: string; len: number };
  };
  if (set !== undefined) return isOneOf(value, set, same);
  if (prefix !== undefined) return same(value, `${prefix.addr}/${prefix.len}`);
  if (range === undefined || typeof value !== "number") return undefined;
  return value >= Number(range[0]) && value <= Number(range[1]);
}

/** Much as nft would print it. */
function textOf(one: Expression): string {
  const match = one.match as { op: string; left: Record<string, Record<string, string>>; right: unknown };
  if (match === undefined) {
    const [name = ""] = Object.keys(one);
    const target = (one[name] as { target?: string } | null)?.target;
    return name === "counter" ? "" : target === undefined ? name : `${name} ${target}`;
  }
  const { meta, ct, payload } = match.left;
  const left = meta
    ? `meta ${meta.key}`
    : ct
      ? `ct ${ct.key}`
      : `${payload?.protocol ?? "?"} ${payload?.field ?? ""}`;
  const right = typeof match.right === "object" ? JSON.stringify(match.right) : String(match.right);
  return `${left} ${match.op === "!=" ? "!= " : ""}${right}`;
}
