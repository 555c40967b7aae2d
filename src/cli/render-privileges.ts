/** What `poplin privileges` makes of an agent's needs and its threads' rights. Pure. */
import type { Need } from "../agent/privileges.ts";
import type { ThreadRights } from "../host/capabilities.ts";
import { hang, paint, plural, type Style } from "./output.ts";

export interface Judgement {
  /** What is needed and not held, a sentence each. */
  readonly missing: readonly string[];
  /** Capabilities that a thread holds, or could get, and the agent does not need. */
  readonly excess: readonly string[];
}

/** @param threads of one process, at least one */
export function judge(needs: readonly Need[], threads: readonly ThreadRights[]): Judgement {
  const needed = namesOf(needs);
  const missing = needed.flatMap((capability) => lackOf(capability, threads));
  const held = threads.flatMap((thread) => [...thread.permitted, ...inheritedFrom(thread)]);
  return { missing, excess: [...new Set(held)].filter((capability) => !needed.includes(capability)) };
}

/** @returns what is wrong with a capability that is needed, a sentence or none */
function lackOf(capability: string, threads: readonly ThreadRights[]): string[] {
  const without = threads.filter(({ effective }) => !effective.includes(capability));
  if (without.length === threads.length) return [`${capability} is not held`];
  const whose = without.map(({ name, tid }) => `${name} (${tid})`).join(", ");
  if (without.length > 0) return [`${capability} is not held by ${whose}`];
  if (threads.every((thread) => inheritedFrom(thread).includes(capability))) return [];
  return [`${capability} is not ambient: the programs that the agent runs (ip, tc, nft) do without it`];
}

/** What programs that it runs get: root's that is what is left in the bounding set, others' what is ambient. */
function inheritedFrom({ uid, ambient, bounding }: ThreadRights): readonly string[] {
  return uid === 0 ? bounding : ambient;
}

function namesOf(needs: readonly Need[]): string[] {
  return [...new Set(needs.map(({ capability }) => capability))];
}

interface Held {
  readonly pid: number;
  readonly needed: readonly Need[];
  readonly threads: readonly ThreadRights[];
}

export function privilegeLines(
  { pid, needed, threads }: Held,
  { missing, excess }: Judgement,
  style: Style,
): string[] {
  const { uid } = threads[0]!;
  const names = namesOf(needed);
  const widest = Math.max(...names.map((name) => name.length));
  const reasons = names.flatMap((name) => {
    const why = needed.filter(({ capability }) => capability === name).map((need) => need.why);
    return hang(`  ${name.padEnd(widest)}  `, why.join("; "), style.width);
  });
  const verdict =
    missing.length === 0
      ? [paint(style, "green", "holds all of it, on every thread")]
      : missing.flatMap((text) => hang(`${paint(style, "red", "missing")}: `, text, style.width));
  return [
    `agent ${pid}, ${uid === 0 ? "root" : `user ${uid}`}, ${plural(threads.length, "thread")}`,
    "",
    paint(style, "bold", "needs"),
    ...reasons,
    "",
    ...verdict,
    ...(excess.length === 0 ? ["holds nothing else"] : tooMuch(excess, names, style)),
  ];
}

function tooMuch(excess: readonly string[], names: readonly string[], style: Style): string[] {
  return [
    ...hang(`${paint(style, "yellow", "holds more")}: `, listOf(excess), style.width),
    "  → run it as a user of its own, with these alone: by its systemd unit, or",
    "    setpriv --reuid=USER --regid=GROUP --clear-groups --no-new-privs \\",
    ...["inh-caps", "ambient-caps", "bounding-set"].map((flag) => `      ${setOf(flag, names)} \\`),
    "      poplin agent …",
  ];
}

/** "-all,+net_admin": as setpriv(1) wants it. */
function setOf(flag: string, names: readonly string[]): string {
  const words = names.map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  return `--${flag}=${["-all", ...words].join(",")}`;
}

/** The first few, and how many others. */
function listOf(names: readonly string[]): string {
  const worst = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_DAC_OVERRIDE"];
  const sorted = [
    ...worst.filter((name) => names.includes(name)),
    ...names.filter((name) => !worst.includes(name)),
  ];
  const shown = sorted.slice(0, 4);
  const rest = sorted.length - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${plural(rest, "other")}` : "");
}
