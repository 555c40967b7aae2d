/** What iptables does with a packet, from what `iptables-save -c` prints. Pure. */
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

interface Table {
  readonly name: string;
  /** By chain: policy and its counter; "-" for a chain of somebody's own. */
  readonly chains: Map<string, { readonly policy: string; readonly packets: number }>;
  readonly rules: Map<string, Line[]>;
}

interface Line {
  readonly packets: number;
  readonly words: readonly string[];
  readonly text: string;
}

/** Which chains a packet passes, in the order of the kernel's hooks. */
const PATHS: Readonly<Record<Packet["hook"], readonly string[]>> = {
  input: ["raw PREROUTING", "mangle PREROUTING", "mangle INPUT", "filter INPUT", "security INPUT"],
  output: ["raw OUTPUT", "mangle OUTPUT", "filter OUTPUT", "security OUTPUT", "mangle POSTROUTING"],
  forward: [
    ...["raw PREROUTING", "mangle PREROUTING", "mangle FORWARD", "filter FORWARD", "security FORWARD"],
    "mangle POSTROUTING",
  ],
};

/** Names of the tables in a saved ruleset. */
export function savedTables(saved: string): string[] {
  return [...saved.matchAll(/^\*(\w+)$/gm)].map(([, name]) => name!);
}

/**
 * @param saved what `iptables-save -c` printed, or `ip6tables-save -c`
 * @param program "iptables" or the like, for the remedy
 * @returns the rule or policy that stops the packet; null where none does for sure
 */
export function blockedByIptables(saved: string, packet: Packet, program: string): Blocked | null {
  const tables = parse(saved);
  for (const place of PATHS[packet.hook]) {
    const [tableName = "", chain = ""] = place.split(" ");
    const table = tables.find(({ name }) => name === tableName);
    const head = table?.chains.get(chain);
    if (table === undefined || head === undefined) continue;
    const end = walk(chain, (name) =>
      (table.rules.get(name) ?? []).map((line) => ruleOf(line, table, packet, program)),
    );
    if (typeof end === "object") return end.blocked;
    if (end !== "return" || head.policy !== "DROP") continue;
    return {
      rule: `:${chain} DROP (policy of table ${tableName})`,
      packets: head.packets,
      remedy: `${program} -t ${tableName} -P ${chain} ACCEPT, or a rule that accepts it`,
    };
  }
  return null;
}

function parse(saved: string): Table[] {
  const tables: Table[] = [];
  for (const text of saved.split("\n")) {
    const table = tables.at(-1);
    if (text.startsWith("*")) {
      tables.push({ name: text.slice(1), chains: new Map(), rules: new Map() });
    } else if (text.startsWith(":") && table) {
      const [, name = "", policy = "-", packets = "0"] = /^:(\S+) (\S+) \[(\d+):/.exec(text) ?? [];
      table.chains.set(name, { policy, packets: Number(packets) });
    } else if (table) {
      const [, packets = "0", rule = ""] = /^(?:\[(\d+):\d+\] )?(-A .*)$/.exec(text) ?? [];
      const words = wordsOf(rule);
      const [, chain] = words;
      if (chain === undefined) continue;
      const line = { packets: Number(packets), words: words.slice(2), text: rule };
      const lines = table.rules.get(chain);
      if (lines === undefined) table.rules.set(chain, [line]);
      else lines.push(line);
    }
  }
  return tables;
}

/** Words between blanks; a comment is one, in quotes. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

/** Targets that end nothing. */
const PASSING = [
  "LOG",
  "NFLOG",
  "MARK",
  "CONNMARK",
  "TCPMSS",
  "TRACE",
  "CT",
  "NOTRACK",
  "TOS",
  "DSCP",
  "TTL",
];

function ruleOf({ words, text, packets }: Line, table: Table, packet: Packet, program: string): Rule {
  const answers: Answer[] = [];
  let target = "";
  let goes = "-j";
  for (let at = 0; at < words.length; at++) {
    const negated = words[at] === "!";
    if (negated) at++;
    const word = words[at]!;
    if (word === "-j" || word === "-g") {
      [goes, target] = [word, words[at + 1] ?? ""];
      break; // what follows are the target's own options
    }
    if (word === "-m") {
      at++;
      continue;
    }
    const value = words[at + 1] ?? "";
    const answer = matchOf(word, value, packet);
    answers.push(negated ? not(answer) : answer);
    if (!value.startsWith("-") && value !== "!") at++;
  }
  const blocked = {
    rule: `${text.replace(/^-A/, `${program} -t ${table.name} -A`)}`,
    packets,
    remedy: text.replace(/^-A/, `${program} -t ${table.name} -D`),
  };
  return { matches: every(answers), verdict: verdictOf(target, goes, table), blocked };
}

function verdictOf(target: string, goes: string, table: Table): Rule["verdict"] {
  if (target === "ACCEPT") return { kind: "accept" };
  if (target === "DROP" || target === "REJECT") return { kind: "drop" };
  if (target === "RETURN") return { kind: "return" };
  if (target === "" || PASSING.includes(target)) return { kind: "none" };
  if (table.rules.has(target) || table.chains.has(target)) {
    return { kind: goes === "-g" ? "goto" : "jump", chain: target };
  }
  return { kind: "open" };
}

/** A test of a rule, by its option. What is not known here is not known of the packet. */
function matchOf(option: string, value: string, packet: Packet): Answer {
  switch (option) {
    case "-i":
      return isInterface(packet.iif, value);
    case "-o":
      return isInterface(packet.oif, value);
    case "-s":
      return inNetwork(packet.src, value);
    case "-d":
      return inNetwork(packet.dst, value);
    case "-p":
      return value === "all" || value === packet.proto || value === (packet.proto === "udp" ? "17" : "6");
    case "--dport":
    case "--dports":
      return inPorts(packet.dport, value);
    case "--sport":
    case "--sports":
      return inPorts(packet.sport, value);
    case "--ctstate":
    case "--state":
      return value.split(",").includes("NEW");
    case "--comment":
      return true;
    default:
      return undefined;
  }
}

function inPorts(port: number, value: string): boolean {
  return value.split(",").some((part) => {
    const [first = "0", last = first] = part.split(":");
    return port >= Number(first || 0) && port <= Number(last || 65535);
  });
}
