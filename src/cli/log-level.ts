/** `poplin log-level`: how much a running agent says, shown or changed without a reload. */
import { Command } from "commander";
import { LEVELS, type Level } from "../agent/logging/formats.ts";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";

export function logLevelCommand(): Command {
  const command = new Command("log-level")
    .description(
      "Show how much the agent writes to its log, or change it at once. It holds until the agent reads its " +
        "configuration again (SIGHUP), where the setting `logLevel` counts, or ends.",
    )
    .argument("[level]", `one of ${LEVELS.join(", ")}`);
  withJson(withSocket(command)).action(async (text: string | undefined, options: ClientOptions) => {
    const wanted = text === undefined ? undefined : levelOf(text);
    const client = clientFor(options);
    const level = wanted === undefined ? await client.logLevel() : await client.setLogLevel(wanted);
    if (options.json) printJson({ level });
    else print([level]);
  });
  return command;
}

function levelOf(text: string): Level {
  const level = LEVELS.find((one) => one === text);
  if (level !== undefined) return level;
  throw new CliError(EXIT.usage, `"${text}" is no level`, `give one of ${LEVELS.join(", ")}`);
}
