/**
 * A packet that a ruleset is asked about, and what became of it. What a rule tests that is not known of the packet (a
 * mark, a set, a limit) is neither yes nor no: a verdict that hangs on it is none, so that nothing is claimed that a
 * packet would not meet.
 */
import { cidrContains, parseCidr } from "../../control/address.ts";

export interface Packet {
  readonly hook: "input" | "output" | "forward";
  readonly family: 4 | 6;
  /** Interfaces; null where there is none. */
  readonly iif: string | null;
  readonly oif: string | null;
  readonly src: string;
  readonly dst: string;
  readonly proto: "udp" | "tcp";
  readonly sport: number;
  readonly dport: number;
}

/** A rule, or a chain's policy, that stops the packet. */
export interface Blocked {
  /** As its program prints it. */
  readonly rule: string;
  /** Packets that it has met; null where it does not count. */
  readonly packets: number | null;
  /** How to look at it, or take it away. */
  readonly remedy: string;
}

/** Undefined: it is not known. */
export type Answer = boolean | undefined;

/** All of them: one "no" decides, else one unknown leaves it open. */
export function every(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

export function not(answer: Answer): Answer {
  return answer === undefined ? undefined : !answer;
}

/** @param text an address, or one with a prefix length; unknown where it is neither */
export function inNetwork(address: string, text: string): Answer {
  try {
    const bits = text.includes(":") ? 128 : 32;
    return cidrContains(parseCidr(text.includes("/") ? text : `${text}/${bits}`), address);
  } catch {
    return undefined;
  }
}

/** An interface's name against iptables' "veth+" or nft's "veth*". */
export function isInterface(name: string | null, pattern: string): boolean {
  if (name === null) return false;
  const wild = /[+*]$/.test(pattern);
  return wild ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** What a walk through a chain ends with. `open`: it depends on what is not known. */
export type Walk = "accept" | "return" | "open" | { readonly blocked: Blocked };

export interface Rule {
  readonly matches: Answer;
  readonly verdict:
    | { readonly kind: "accept" | "drop" | "return" | "none" | "open" }
    | { readonly kind: "jump" | "goto"; readonly chain: string };
  /** For `drop`. */
  readonly blocked: Blocked;
}

/** Deeper than any ruleset that the kernel takes. */
const DEEPEST = 64;

/**
 * Follows a packet through a chain and those that it jumps to.
 * @param rulesOf the rules of a chain, already matched against the packet
 */
export function walk(chain: string, rulesOf: (chain: string) => readonly Rule[], depth = 0): Walk {
  if (depth > DEEPEST) return "open";
  for (const { matches, verdict, blocked } of rulesOf(chain)) {
    if (matches === false || verdict.kind === "none") continue;
    const sure = matches === true;
    if (verdict.kind === "open") return "open";
    if (verdict.kind === "jump" || verdict.kind === "goto") {
      const inner = walk(verdict.chain, rulesOf, depth + 1);
      if (inner === "return" && (verdict.kind === "jump" || !sure)) continue;
      if (inner === "accept" || inner === "open") return sure ? inner : "open";
      if (sure) return inner;
      continue;
    }
    if (verdict.kind === "drop") {
      if (sure) return { blocked };
      continue;
    }
    return sure ? verdict.kind : "open";
  }
  return "return";
}
