#!/usr/bin/env node
/**
 * The `poplin` command. It loads the one command that was asked for and nothing else: an agent should forward within
 * half a second of its start, and a command that only asks one should feel immediate.
 *
 *   arguments → which command → its module → commander → exit code (errors.ts)
 */
import { basename } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Command, CommanderError, type Option } from "commander";
import { version } from "../agent/version.ts";
import { CliError, EXIT, errorJson, exitCodeOf, explain } from "./errors.ts";

interface Entry {
  readonly about: string;
  readonly load: () => Promise<Command>;
}

/** In the order of the help text. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  status: {
    about: "show the running agent (what bare `poplin` does)",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  stats: {
    about: "show traffic, batch sizes and drops by reason",
    load: async () => (await import("./stats.ts")).statsCommand(),
  },
  fdb: {
    about: "show or change the forwarding table",
    load: async () => (await import("./fdb.ts")).fdbCommand(),
  },
  neigh: {
    about: "show or change the addresses that are answered for (proxy)",
    load: async () => (await import("./neigh.ts")).neighCommand(),
  },
  lease: {
    about: "show the leases of the flannel cluster",
    load: async () => (await import("./lease.ts")).leaseCommand(),
  },
  reconcile: {
    about: "put back the rows that somebody has changed, or list them",
    load: async () => (await import("./reconcile.ts")).reconcileCommand(),
  },
  privileges: {
    about: "what the agent may do that others may not, and for what it needs it",
    load: async () => (await import("./privileges.ts")).privilegesCommand(),
  },
  events: {
    about: "print what happens, a line each",
    load: async () => (await import("./events.ts")).eventsCommand(),
  },
  doctor: {
    about: "say what is wrong with this node, and what to do about it",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  ping: {
    about: "ping a peer layer by layer: underlay, UDP, VXLAN, inside",
    load: async () => (await import("./ping.ts")).pingCommand(),
  },
  "log-level": {
    about: "show or change how much the agent logs",
    load: async () => (await import("./log-level.ts")).logLevelCommand(),
  },
  capture: {
    about: "show VXLAN packets on the underlay, or write them as pcapng",
    load: async () => (await import("./capture.ts")).captureCommand(),
  },
  agent: {
    about: "run the node agent in the foreground",
    load: async () => {
      keepYoungGenerationSmall();
      return (await import("./agent.ts")).agentCommand();
    },
  },
  vtep: {
    about: "run a VXLAN device, in the words of `ip link add type vxlan`",
    load: async () => {
      keepYoungGenerationSmall();
      return (await import("./vtep.ts")).vtepCommand();
    },
  },
  flanneld: {
    about: "run a node of a flannel cluster, with flanneld's flags",
    load: async () => (await import("./flanneld.ts")).flanneldCommand(),
  },
  config: {
    about: "check a configuration, or show what it comes to",
    load: async () => (await import("./config.ts")).configCommand(),
  },
  cleanup: {
    about: "remove the device that a stopped agent left",
    load: async () => (await import("./cleanup.ts")).cleanupCommand(),
  },
  demo: {
    about: "three nodes on this machine, joined by one overlay",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
  lab: {
    about: "a flannel cluster on this machine, to look around in",
    load: async () => (await import("./lab.ts")).labCommand(),
  },
};

/**
 * What node:dgram makes for each datagram dies young. With V8's default room to pile up (48 MB) it takes an agent past
 * 100 MB, and moves no packet faster. To be said before the agent is loaded, or the room is there already.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

const EPILOGUE = `
Every command that asks an agent takes --socket PATH (or POPLIN_SOCKET), which
may stand before the command, and so may -j: it prints JSON, errors too (those
on standard error). Other options stand behind their command.

Exit codes: 0 fine, 1 a check failed, 2 usage, 3 agent not reachable,
            4 permission, 5 timeout`;

/**
 * Puts the command, and its own command (`fdb show`), first, and `status` where none is named, so that `poplin -j` and `poplin --socket S fdb` mean what
 * they say. Help and version of poplin itself stay as they are.
 */
function normalize(args: readonly string[]): string[] {
  let at = 0;
  while (at < args.length && args[at]!.startsWith("-")) {
    if (["-h", "--help", "-V", "--version", "--"].includes(args[at]!)) return [...args];
    at += args[at] === "--socket" ? 2 : 1;
  }
  if (at >= args.length) return ["status", ...args];
  return [...args.slice(at), ...args.slice(0, at)];
}

/** The program with the named commands in full and the others by name, for the help text and for suggestions. */
async function build(args: readonly string[], json: boolean): Promise<Command> {
  const program = new Command("poplin")
    .description("packets over packets, layer 2 in Node: a userspace VXLAN node agent")
    .version(`poplin ${version()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .usage("[command] [options]")
    .addHelpText("after", EPILOGUE)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "poplin: ")),
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
  const named = args.slice(0, args[0] === "help" ? 2 : 1);
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const command = named.includes(name) ? await entry.load() : new Command(name);
    program.addCommand(command.summary(entry.about));
    inherit(command, program);
  }
  return program;
}

/** Options of the commands between poplin and this one, as `--socket` of `poplin fdb` for `poplin fdb add`. */
function inheritedOptions(command: Command): Option[] {
  const options: Option[] = [];
  for (let above = command.parent; above?.parent; above = above.parent) options.push(...above.options);
  return options;
}

/** addCommand leaves a command with commander's own way to print errors and exit: give it and its commands ours. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

/**
 * What flanneld is given, whose flags are Go's: commander would take some of them for its own (--version, -v). It stands
 * behind `poplin flanneld`, and alone where the program is called flanneld, as by a link in a DaemonSet's image.
 * @returns null where another command is meant
 */
function flanneldArguments(argv: readonly string[]): readonly string[] | null {
  if (basename(process.argv[1] ?? "") === "flanneld") return argv;
  return argv[0] === "flanneld" ? argv.slice(1) : null;
}

async function runFlanneld(args: readonly string[]): Promise<void> {
  keepYoungGenerationSmall();
  const { flanneld } = await import("./flanneld.ts");
  await flanneld(args);
}

async function main(argv: readonly string[]): Promise<void> {
  // `poplin stats | head -1`: who has read enough closes the pipe, and that is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  const json = argv.some((word) => word === "-j" || word === "--json");
  try {
    const flannelds = flanneldArguments(argv);
    if (flannelds !== null) return await runFlanneld(flannelds);
    const args = normalize(argv);
    await (await build(args, json)).parseAsync(args, { from: "user" });
  } catch (error) {
    tell(error, json);
  }
}

/** Prints what went wrong, and sets the exit code. commander has printed its own errors, and help that was asked for. */
function tell(error: unknown, json: boolean): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error.exitCode === 0 || !json) return;
    const usage = new CliError(EXIT.usage, error.message.replace(/^error: /, ""), "see `poplin --help`");
    process.stderr.write(`${JSON.stringify(errorJson(usage))}\n`);
    return;
  }
  process.stderr.write(json ? `${JSON.stringify(errorJson(error))}\n` : `${explain(error).join("\n")}\n`);
  process.exitCode = exitCodeOf(error);
}

await main(process.argv.slice(2));
