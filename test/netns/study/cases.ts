/** What is compared, by the line of the study's text. */
import { readFileSync } from "node:fs";
import { exampleFile } from "../../../src/lab/study/plan.ts";
import { NODE_CASES } from "./cases-node.ts";
import { POD_CASES } from "./cases-pod.ts";
import { TRAFFIC_CASES } from "./cases-traffic.ts";
import type { Case } from "./compare.ts";

export const CASES: Readonly<Record<number, Case>> = { ...NODE_CASES, ...POD_CASES, ...TRAFFIC_CASES };

/** What differs from the study, by the first words of the rows of the README's table. */
export function documented(): string[] {
  const [, section] = readFileSync(exampleFile("README.md"), "utf8").split("## What differs\n");
  return [...section!.matchAll(/^\| \*\*([^*]+)\*\* \|/gm)].map(([, name]) => name!).sort();
}
