/** What `poplin doctor` prints. Pure. */
import { SCHEMA } from "../agent/api/schema.ts";
import type { Check, Finding, Report } from "../doctor/check.ts";
import { hang, paint, plural, type Style } from "./output.ts";

const COLOR = { error: "red", warning: "yellow" } as const;
const INDENT = "  ";

/** @param all whether what is fine is listed, too */
export function renderDoctor({ findings, passed }: Report, all: boolean, style: Style): string[] {
  const found = findings.flatMap((finding) => [...findingLines(finding, style), ""]);
  const fine = all ? [...passed.flatMap((check) => fineLines(check, style)), ""] : [];
  return [...found, ...fine, summary(findings, passed.length, style)];
}

function findingLines({ code, severity, seen, why, remedy, proof }: Finding, style: Style): string[] {
  const row = (name: string, text: string) => hang(`${INDENT}${name.padEnd(6)} `, text, style.width);
  return [
    `${paint(style, COLOR[severity], severity)}  ${paint(style, "bold", code)}`,
    ...hang(INDENT, seen, style.width),
    ...row("why", why),
    ...row("proof", proof),
    ...row("→", remedy),
  ];
}

function fineLines({ code, about }: Check, style: Style): string[] {
  return hang(`${paint(style, "green", "ok")}  ${code.padEnd(24)} `, about, style.width);
}

function summary(findings: readonly Finding[], passed: number, style: Style): string {
  const checks = new Set(findings.map(({ code }) => code)).size + passed;
  if (findings.length === 0) return `${plural(checks, "check")}, ${paint(style, "green", "all fine")}`;
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const parts = [
    ...(errors > 0 ? [plural(errors, "error")] : []),
    ...(findings.length > errors ? [plural(findings.length - errors, "warning")] : []),
  ];
  return `${plural(checks, "check")}: ${parts.join(", ")}`;
}

/** What `-j` prints. */
export function doctorJson({ findings, passed }: Report, all: boolean): object {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  return {
    schema: SCHEMA,
    ok: errors === 0,
    checks: new Set(findings.map(({ code }) => code)).size + passed.length,
    findings,
    ...(all ? { passed: passed.map(({ code, group, about }) => ({ code, group, about })) } : {}),
  };
}
