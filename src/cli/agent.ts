/** `poplin agent`: its flags come from the table of settings, so that they are what the file and the docs say. */
import { Command } from "commander";
import { flagDeclarations } from "../agent/config/flags.ts";
import { SETTINGS } from "../agent/config/schema.ts";
import { runAgent } from "../agent/run.ts";

interface AgentOptions extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly takeOver?: boolean;
}

/** Also of `poplin vtep`. */
export const TAKE_OVER = [
  "--take-over",
  "Replace the agent that runs on the same socket, without a lost packet: it hands over its open devices and sockets, its " +
    "tables and its counters, and ends. Where none runs this is an ordinary start.",
] as const;

export function agentCommand(): Command {
  const command = new Command("agent")
    .description(
      "Run the node agent in the foreground: its device, the peers' rows, and the dataplane.\n\n" +
        "Every setting may come from a flag, the environment (POPLIN_SENDER_CHECK for --sender-check), the file " +
        "or its default, in this order.\n\n" +
        "SIGHUP reads the file again and applies the difference. SIGUSR2 starts another agent, which takes over. SIGTERM ends the agent; its device stays with " +
        "address and rows, forwards nothing, and is taken over by the next start.",
    )
    .option("-c, --config <FILE>", "Configuration file (YAML or JSON). Peers can only stand there.")
    .option(...TAKE_OVER);
  for (const { flags, description } of SETTINGS.flatMap((setting) => flagDeclarations(setting)))
    command.option(flags, description);
  return command.action(async ({ config, takeOver = false, ...flags }: AgentOptions) => {
    process.exitCode = await runAgent({ file: config ?? null, env: process.env, flags, takeOver });
  });
}
