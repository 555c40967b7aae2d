/** `poplin config check` and `poplin config show`: what an agent would make of its configuration, without one that runs. */
import { Command } from "commander";
import { flagDeclarations } from "../agent/config/flags.ts";
import { type ConfigSources, loadConfig, type Profile } from "../agent/config/load.ts";
import { ConfigError, formatProblem, type Problem } from "../agent/config/problems.ts";
import { SETTINGS } from "../agent/config/schema.ts";
import { showConfig } from "../agent/config/show.ts";
import { type ClientOptions, print, printJson, stdoutStyle, withJson } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { plural } from "./output.ts";
import { configLines } from "./render-config.ts";

interface ConfigOptions extends ClientOptions, Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly profile?: string;
  readonly origin?: boolean;
}

const PROFILES = { agent: "agent", vtep: "vtep", flanneld: "flannel" } as const satisfies Record<
  string,
  Profile
>;

export function configCommand(): Command {
  const command = new Command("config").description(
    "Check a configuration, or show what it comes to: file, environment, flags and defaults put together as the agent does.",
  );
  const check = new Command("check").description(
    "Look for mistakes, all of them, each with its place. Exits with 1 when there is one. Nothing is started or changed.",
  );
  const show = new Command("show")
    .description("Print every setting with its value, as a file that means the same.")
    .option("--origin", "say where each value came from: file and line, variable, flag, or the default");
  command.addCommand(withSources(check).action(checkConfig));
  command.addCommand(withSources(show).action(printConfig));
  return command;
}

/** What `poplin agent` takes, and whose defaults count. */
export function withSources(command: Command): Command {
  withJson(command)
    .option("-c, --config <FILE>", "Configuration file (YAML or JSON).")
    .option("--profile <COMMAND>", `whose defaults count: ${Object.keys(PROFILES).join(", ")}`, "agent");
  for (const { flags, description } of SETTINGS.flatMap((setting) => flagDeclarations(setting)))
    command.option(flags, description);
  return command;
}

/** @throws CliError for a profile that is none */
function sourcesOf({ config, profile = "agent", ...flags }: ConfigOptions): ConfigSources {
  if (!Object.hasOwn(PROFILES, profile)) {
    const known = Object.keys(PROFILES).join(", ");
    throw new CliError(
      EXIT.usage,
      `--profile: "${profile}" is no command that runs an agent`,
      `it is one of ${known}`,
    );
  }
  return {
    path: config ?? null,
    env: process.env,
    flags,
    profile: PROFILES[profile as keyof typeof PROFILES],
  };
}

function checkConfig(options: ConfigOptions): void {
  const { problems, warnings } = problemsOf(sourcesOf(options));
  if (options.json) printJson({ ok: problems.length === 0, problems, warnings });
  else {
    const found = [
      ...problems,
      ...warnings.map((warning) => ({ ...warning, message: `warning: ${warning.message}` })),
    ];
    const count = warnings.length === 0 ? "fine" : `can be used; ${plural(warnings.length, "warning")}`;
    if (options.config === undefined) print(["no file is looked at: --config FILE names one"]);
    print([...found.map(formatProblem), problems.length === 0 ? count : plural(problems.length, "mistake")]);
  }
  process.exitCode = problems.length === 0 ? EXIT.ok : EXIT.failed;
}

function problemsOf(sources: ConfigSources): { problems: readonly Problem[]; warnings: readonly Problem[] } {
  try {
    return { problems: [], warnings: loadConfig(sources).warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings: [] };
    throw error;
  }
}

function printConfig(options: ConfigOptions): void {
  const shown = showConfig(loadConfig(sourcesOf(options)).config);
  if (options.json) printJson(shown);
  else print(configLines(shown, options.origin === true, stdoutStyle()));
}
