/** Numbers that people give as an option's value. */
import { CliError, EXIT } from "./errors.ts";

/** @throws CliError (usage) */
export function numberOf(flag: string, text: string, least: number, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new CliError(EXIT.usage, `${flag} "${text}" is no number from ${least} to ${most}`);
}
