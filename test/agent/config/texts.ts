import { type ConfigTexts, resolveConfig } from "../../../src/agent/config/load.ts";
import { formatProblem } from "../../../src/agent/config/problems.ts";

/** The mistakes in a configuration whose file is called "f", a line each. */
export function mistakes(text: string, more: Omit<ConfigTexts, "file"> = {}): string[] {
  return resolveConfig({ file: { name: "f", text }, ...more }).problems.map(formatProblem);
}
