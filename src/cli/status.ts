/** `poplin status`, and what bare `poplin` prints. Exits with 1 when something that was asked for does not work. */
import { Command } from "commander";
import { failures } from "../agent/api/status-types.ts";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { EXIT } from "./errors.ts";
import { renderBrief, renderStatus } from "./render-status.ts";

interface StatusOptions extends ClientOptions {
  readonly brief?: boolean;
}

export function statusCommand(): Command {
  const command = new Command("status")
    .description(
      "Show the running agent: device, underlay, policy, peers, and what is wrong with it. " +
        "Exits with 1 when something that was asked for does not work.",
    )
    .option("-b, --brief", "one line, and the reasons when something does not work");
  withJson(withSocket(command)).action(showStatus);
  return command;
}

async function showStatus(options: StatusOptions): Promise<void> {
  const client = clientFor(options);
  const wantStats = options.json !== true && options.brief !== true;
  const [status, stats] = await Promise.all([
    client.status(),
    wantStats ? client.stats().catch(() => null) : null,
  ]);
  if (options.json) printJson(status);
  else if (options.brief) print(renderBrief(status, stdoutStyle()));
  else print(renderStatus(status, stats, stdoutStyle(), Date.now()));
  process.exitCode = failures(status).length === 0 ? EXIT.ok : EXIT.failed;
}
