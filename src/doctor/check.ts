/**
 * What a check is: a value that says what it looks at and judges what was gathered. It asks nobody anything itself, so a
 * test can give it what a broken node once said.
 *
 *   gather/ ──Evidence──▶ checks/ (judge) ──Finding──▶ cli
 */
import type { Evidence } from "./evidence.ts";

/** `error`: something does not work. `warning`: it works, and something will bite. */
export type Severity = "error" | "warning";

/** In the order of the report: what the others stand on comes first. */
export const GROUPS = [
  "rights",
  "start",
  "agent",
  "underlay",
  "device",
  "forwarding",
  "firewall",
  "peers",
  "pods",
  "cluster",
] as const;

export type Group = (typeof GROUPS)[number];

/** One thing that is wrong, as it was met here. */
export interface Fault {
  /** The value or the line that shows it. */
  readonly seen: string;
  /** What doctor itself did to be sure. */
  readonly proof: string;
  /** The next command or change. */
  readonly remedy: string;
  /** Where it is not the check's own. */
  readonly severity?: Severity;
}

export interface Check {
  /** Its name, which stays: scripts and docs/operating.md know it. */
  readonly code: string;
  readonly group: Group;
  readonly severity: Severity;
  /** What is so when all is well, a sentence: `-v` prints it. */
  readonly about: string;
  /** Why it matters. */
  readonly why: string;
  /** What to do, in general; a fault says what to type. */
  readonly cure: string;
  /** Codes that explain this one: where one of them was found, it is not looked at. */
  readonly unless?: readonly string[];
  /**
   * Pure.
   * @returns what is wrong, nothing when all is well; null where there is nothing to judge
   */
  readonly judge: (evidence: Evidence) => readonly Fault[] | null;
}

/** A fault with all that is known of its check. */
export interface Finding {
  readonly code: string;
  readonly group: Group;
  readonly severity: Severity;
  readonly seen: string;
  readonly why: string;
  readonly remedy: string;
  readonly proof: string;
}

export interface Report {
  readonly findings: readonly Finding[];
  /** Checks that found nothing wrong. */
  readonly passed: readonly Check[];
}

/** Judges what was gathered, in the order of the table. Pure. */
export function examine(evidence: Evidence, checks: readonly Check[]): Report {
  const findings: Finding[] = [];
  const passed: Check[] = [];
  for (const check of checks) {
    if (check.unless?.some((code) => findings.some((finding) => finding.code === code))) continue;
    const faults = check.judge(evidence);
    if (faults === null) continue;
    if (faults.length === 0) passed.push(check);
    const { code, group, why } = check;
    for (const { severity = check.severity, seen, remedy, proof } of faults) {
      findings.push({ code, group, severity, seen, why, remedy, proof });
    }
  }
  return { findings, passed };
}
