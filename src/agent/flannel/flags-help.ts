/** What `poplin flanneld --help` prints: flanneld's flags in poplin's words, for a terminal of 80 columns. */
import { FLANNELD_FLAGS, type FlagRow, type FlanneldFlag } from "./flag-table.ts";

const WIDTH = 80;
/** Where the text beside a flag begins; a longer flag has a line to itself. */
const COLUMN = 30;

const TOPICS: readonly (readonly [string, (flag: FlanneldFlag) => boolean])[] = [
  ["Where leases are", (flag) => /^(etcd-|kube|net-config|subnet-lease|set-node|lease-dir)/.test(flag)],
  ["How other nodes reach this one", (flag) => /^(iface|public-ip)/.test(flag)],
  [
    "What is set up here",
    (flag) => /^(subnet-file|ip-|iptables-|write-cni-conf|config$|take-over$)/.test(flag),
  ],
  ["Health, log, version", (flag) => /^(healthz-|version|v$|vmodule|log_)/.test(flag)],
];

/** @returns the text, with a line end at its end */
export function flagsHelp(): string {
  const flags = Object.keys(FLANNELD_FLAGS) as FlanneldFlag[];
  const lines = [
    "Usage: poplin flanneld [FLAG]...",
    "",
    ...wrap(
      "Runs this machine as a node of a flannel cluster: it takes the flags of flanneld, keeps its contract with the other nodes and with what sets up pods, and carries the packets itself.",
      WIDTH,
    ),
    "",
    ...wrap(
      "A flag has one dash or two, and its value after = or a space; those without a value are --FLAG or --FLAG=false. FLANNELD_PUBLIC_IP in the environment stands for --public-ip, and so on, where the line does not give the flag.",
      WIDTH,
    ),
    ...TOPICS.flatMap(([title, belongs]) => ["", `${title}:`, ...flags.filter(belongs).flatMap(linesOf)]),
  ];
  return `${lines.join("\n")}\n`;
}

/** @returns what a flag is for, with its default where that says something */
export function aboutFlag(flag: FlanneldFlag): string {
  const { about, fallback } = FLANNELD_FLAGS[flag] as FlagRow<unknown>;
  // That something is off, empty or left to poplin goes without saying.
  const silent = !fallback || Array.isArray(fallback);
  return silent ? about : `${about} (default: ${fallback})`;
}

function linesOf(flag: FlanneldFlag): string[] {
  const { value } = FLANNELD_FLAGS[flag] as FlagRow<unknown>;
  const left = `  ${flag.length === 1 ? "-" : "--"}${flag}${value === undefined ? "" : ` ${value}`}`;
  const right = wrap(aboutFlag(flag), WIDTH - COLUMN).map((line) => " ".repeat(COLUMN) + line);
  if (left.length + 2 > COLUMN) return [left, ...right];
  return [left.padEnd(COLUMN) + right[0]!.trimStart(), ...right.slice(1)];
}

/** Breaks a text between words; a word that is longer than a line has one to itself. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
