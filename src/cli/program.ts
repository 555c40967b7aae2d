/** The `poplin` program as commander has it: its commands, its help, and how it speaks of mistakes. */
import { Command, type Option } from "commander";
import { version } from "../agent/version.ts";
import { COMMANDS } from "./commands.ts";

const EPILOGUE = `
Every command that asks an agent takes --socket PATH (or POPLIN_SOCKET), which
may stand before the command, and so may -j: it prints JSON, errors too (those
on standard error). Other options stand behind their command.

Exit codes: 0 fine, 1 a check failed, 2 usage, 3 agent not reachable,
            4 permission, 5 timeout`;

/**
 * The program, with some commands in full and the others by name, for the help text and for suggestions.
 * @param named what to load; completion and manual pages want all of it
 * @param json whether errors are printed as JSON, by who calls this
 */
export async function buildProgram(
  named: readonly string[] = Object.keys(COMMANDS),
  json = false,
): Promise<Command> {
  const program = new Command("poplin")
    .description("packets over packets, layer 2 in Node: a userspace VXLAN node agent")
    .version(`poplin ${version()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .usage("[command] [options]")
    .addHelpText("after", EPILOGUE)
    .configureOutput({
      outputError: (text, write) => write(inOurWords(text)),
      // Then the error is printed whole, by `tell`.
      ...(json ? { writeErr: () => {} } : {}),
    })
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: inheritedOptions,
      subcommandTerm: (command) =>
        command.parent?.parent ? `${command.name()} ${command.usage()}`.trim() : command.name(),
    })
    .showHelpAfterError("  → `poplin --help` lists what there is, `poplin <command> --help` its options")
    .exitOverride();
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const command = named.includes(name) ? await entry.load() : new Command(name);
    program.addCommand(command.summary(entry.about));
    inherit(command, program);
  }
  return program;
}

/** Options of the commands between poplin and this one, as `--socket` of `poplin fdb` for `poplin fdb add`. */
export function inheritedOptions(command: Command): Option[] {
  const options: Option[] = [];
  for (let above = command.parent; above?.parent; above = above.parent) options.push(...above.options);
  return options;
}

/** addCommand leaves a command with commander's own way to print errors and exit: give it and its commands ours. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  command.showHelpAfterError(`  → \`${pathOf(command)} --help\` says how it is used`);
  for (const child of command.commands) inherit(child, command);
}

/** The words that call it: `poplin fdb add`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** commander's error as ours: what it says of an argument that is none of the choices is about commander. */
function inOurWords(text: string): string {
  return text
    .replace(/^error: /, "poplin: ")
    .replace(
      /command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\./,
      "'$1' is no $2: it is one of $3",
    );
}
