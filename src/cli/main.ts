#!/usr/bin/env node
/**
 * The `poplin` command. It loads the one command that was asked for and nothing else: an agent should forward within
 * half a second of its start, and a command that only asks one should feel immediate.
 *
 *   arguments → which command → its module (commands.ts) → commander (program.ts) → exit code (errors.ts)
 */
import { basename } from "node:path";
import { CommanderError } from "commander";
import { keepYoungGenerationSmall } from "./commands.ts";
import { CliError, EXIT, errorJson, exitCodeOf, explainOn } from "./errors.ts";
import { buildProgram } from "./program.ts";

/**
 * Puts the command, and its own command (`fdb show`), first, and `status` where none is named, so that `poplin -j` and
 * `poplin --socket S fdb` mean what they say. Help and version of poplin itself stay as they are.
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
    // A shell at a TAB: the words behind are somebody's who is still writing, and nothing for commander.
    if (argv[0] === "complete" && argv[1] === "--")
      return await (await import("./complete/words.ts")).completeWords(argv.slice(2));
    const args = normalize(argv);
    const named = args.slice(0, args[0] === "help" ? 2 : 1);
    await (await buildProgram(named, json)).parseAsync(args, { from: "user" });
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
  process.stderr.write(
    json ? `${JSON.stringify(errorJson(error))}\n` : `${explainOn(process.stderr, error).join("\n")}\n`,
  );
  process.exitCode = exitCodeOf(error);
}

await main(process.argv.slice(2));
