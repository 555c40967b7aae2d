/** `poplin doctor` on a node of a lab, and what it found. */
import type { Finding } from "../../src/doctor/check.ts";
import type { ExecResult } from "../../src/lab/host.ts";
import { until } from "./agents.ts";

export interface Examined {
  readonly status: number | null;
  readonly findings: readonly Finding[];
  readonly text: string;
}

/** What can run a command of poplin's, as nodes of both kinds. */
interface Node {
  poplin(args: readonly string[], options: { check: boolean }): Promise<ExecResult>;
}

export async function doctor(node: Node, ...args: string[]): Promise<Examined> {
  return examined(await node.poplin(["doctor", "-j", ...args], { check: false }));
}

/** What `poplin doctor -j` printed. */
export function examined({ status, stdout, stderr }: ExecResult): Examined {
  const findings = stdout === "" ? [] : (JSON.parse(stdout) as { findings: Finding[] }).findings;
  return { status, findings, text: stdout + stderr };
}

/** The codes of what was found, each once. */
export function codes({ findings }: Examined): string[] {
  return [...new Set(findings.map(({ code }) => code))];
}

/** Waits until doctor is silent: what a fault leaves behind may take a moment to be gone. @throws Error with what it says */
export async function healthy(node: Node, ...args: string[]): Promise<void> {
  let last: Examined | undefined;
  const silent = async () => {
    last = await doctor(node, ...args);
    return last.findings.length === 0 && last.status === 0;
  };
  await until("a healthy node", silent, 20_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${last?.text}`);
  });
}
