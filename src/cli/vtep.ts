/**
 * `poplin vtep`: the agent as a VXLAN device, in the words of `ip link add type vxlan`. It is `poplin agent` with other
 * defaults, and takes the kernel's names beside ours (`agent/config/kernel-options.ts`).
 */
import { Command, Option } from "commander";
import { type Explanation, explainConfig } from "../agent/config/explain.ts";
import { flagDeclarations } from "../agent/config/flags.ts";
import { KERNEL_OPTIONS, type KernelOption } from "../agent/config/kernel-options.ts";
import { type ConfigSources, defaultTextOf, loadConfig } from "../agent/config/load.ts";
import { formatProblem } from "../agent/config/problems.ts";
import { SETTINGS, settingOf } from "../agent/config/schema.ts";
import type { Raw } from "../agent/config/values.ts";
import { runAgent } from "../agent/run.ts";
import { TAKE_OVER } from "./agent.ts";
import { print, printJson, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { hang, paint, type Style } from "./output.ts";

interface VtepOptions extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly explain?: boolean;
  readonly takeOver?: boolean;
  readonly json?: boolean;
}

export function vtepCommand(): Command {
  const command = new Command("vtep")
    .description(
      "Run a VXLAN device in the foreground, as `ip link add NAME type vxlan …` makes one in the kernel: a port for a " +
        "bridge, or a link between hosts. It learns and floods unless told otherwise; all else is as with " +
        "`poplin agent`.",
    )
    .option("-c, --config <FILE>", "Configuration file (YAML or JSON).")
    .option(...TAKE_OVER)
    .option(
      "--explain",
      "Print the commands of iproute2 that this stands for, and what differs; run nothing.",
    )
    .option("-j, --json", "With --explain: print JSON.");
  const profile = "vtep";
  const ours = SETTINGS.flatMap((setting) => flagDeclarations(setting, defaultTextOf(setting, profile)));
  for (const { flags, description } of ours) command.option(bare(flags), description);
  for (const { flags, description } of KERNEL_OPTIONS.flatMap(kernelFlags))
    command.option(flags, description);
  for (const option of KERNEL_OPTIONS.flatMap(missingFlags)) command.addOption(option.hideHelp());
  return command.action(async ({ config, explain, json, takeOver = false, ...given }: VtepOptions) => {
    const path = config ?? null;
    refuseMissing(given);
    const sources = { env: process.env, flags: withKernelNames(given), profile } as const;
    if (explain === true) return explained({ ...sources, path }, json === true);
    if (json === true) {
      throw new CliError(EXIT.usage, "-j is for --explain: a running device prints a log", "leave it out");
    }
    process.exitCode = await runAgent({ ...sources, file: path, takeOver });
  });
}

/** The kernel's `gbp` is a word without a value. */
function bare(flags: string): string {
  return flags === "--gbp <GROUP>" ? "--gbp [GROUP]" : flags;
}

/** Options of the kernel's that there are not here, so that somebody who gives one is told why. */
function missingFlags({ name, setting }: KernelOption): Option[] {
  return setting === null ? [new Option(`--${name} [VALUE]`), new Option(`--no${name}`)] : [];
}

/** @throws CliError for an option that there is not here */
function refuseMissing(given: Readonly<Record<string, unknown>>): void {
  for (const { name, setting, why = "" } of KERNEL_OPTIONS) {
    if (setting !== null || (given[name] === undefined && given[`no${name}`] === undefined)) continue;
    throw new CliError(EXIT.usage, `poplin does not have the kernel's option ${name}`, why);
  }
}

/** Flags for names that are not ours. */
function kernelFlags({ name, form, setting }: KernelOption): { flags: string; description: string }[] {
  if (setting === null) return [];
  const ours = settingOf(setting);
  const description = `The kernel's name for ${ours.flag}.`;
  const off = { flags: `--no${name}`, description: `The kernel's word to switch ${name} off.` };
  if (ours.flag === `--${name}`) return form === "switch" ? [off] : [];
  if (form === "switch") return [{ flags: `--${name}`, description }, off];
  return [{ flags: form === "range" ? `--${name} <PORT...>` : `--${name} <VALUE>`, description }];
}

/** What was given under the kernel's names, under ours. @throws CliError where both were */
function withKernelNames(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const flags: Record<string, unknown> = { ...given };
  for (const { name, form, setting, convert = (raw: Raw) => raw } of KERNEL_OPTIONS) {
    if (setting === null) continue;
    const take = (word: string, value: (raw: unknown) => unknown): void => {
      if (given[word] === undefined) return;
      if (word !== setting && flags[setting] !== undefined) {
        const message = `--${word} and ${settingOf(setting).flag}, or another name for it, are about one thing`;
        throw new CliError(EXIT.usage, message, "leave one of them out");
      }
      delete flags[word];
      flags[setting] = value(given[word]);
    };
    const joined = (raw: unknown): Raw => (Array.isArray(raw) ? raw.join("-") : (raw as Raw));
    if (name !== setting) take(name, (raw) => convert(joined(raw)));
    else if (form === "switch") take(name, (raw) => convert(raw as Raw));
    if (form === "switch") take(`no${name}`, () => convert(false));
  }
  return flags;
}

/** Says what is suspicious, too, as a start would in its log. */
function explained(sources: ConfigSources, json: boolean): void {
  const { config, warnings } = loadConfig(sources);
  for (const warning of warnings) process.stderr.write(`${formatProblem(warning)}\n`);
  const explanation = explainConfig(config);
  if (json) printJson({ ...explanation, commands: explanation.commands.map((phrases) => phrases.join(" ")) });
  else print(explanationLines(explanation, stdoutStyle()));
}

/** Commands that a shell takes as they are, broken at the style's width, and below them what differs. */
export function explanationLines({ commands, differences }: Explanation, style: Style): string[] {
  const widest = Math.max(...differences.map(({ setting }) => setting.length));
  return [
    ...commands.flatMap((phrases) => shellLines(phrases, style.width)),
    "",
    paint(style, "bold", "what differs from that device"),
    ...differences.flatMap(({ setting, text }) => hang(`  ${setting.padEnd(widest)}  `, text, style.width)),
  ];
}

/** One command over several lines, each but the last with a backslash at its end. */
function shellLines([first = "", ...phrases]: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = first;
  for (const phrase of phrases) {
    if (line.length + phrase.length + 3 > width) {
      lines.push(`${line} \\`);
      line = "   ";
    }
    line = `${line} ${phrase}`;
  }
  return [...lines, line];
}
