/**
 * `poplin flanneld`: its flags are flanneld's, in Go's form (`-v=10`, `--iface eth0`), so commander does not read them;
 * `main.ts` calls `flanneld` itself.
 */
import { Command } from "commander";
import { parseFlanneldFlags } from "../agent/flannel/flags.ts";
import { flagsHelp } from "../agent/flannel/flags-help.ts";
import { runFlanneld } from "../agent/flannel/run.ts";
import { version } from "../agent/version.ts";
import { CliError, EXIT } from "./errors.ts";

/** For the list of commands, and for `poplin help flanneld`. */
export function flanneldCommand(): Command {
  const command = new Command("flanneld");
  command.helpInformation = flagsHelp;
  return command;
}

/** @param args what follows the command's name @throws CliError (usage) with every mistake */
export async function flanneld(args: readonly string[]): Promise<void> {
  const { flags, help, problems } = parseFlanneldFlags(args, process.env);
  if (help) {
    process.stdout.write(flagsHelp());
    return;
  }
  if (flags.version) {
    process.stderr.write(`poplin ${version()}\n`); // where flanneld writes its own
    return;
  }
  if (problems.length > 0) {
    const text = problems.map(({ message, hint }) => `${message}; ${hint}`).join("\n  ");
    const remedy = text.includes("--help") ? null : "`poplin flanneld --help` lists the flags";
    throw new CliError(EXIT.usage, text, remedy);
  }
  process.exitCode = await runFlanneld(flags, process.env);
}
