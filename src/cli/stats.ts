/** `poplin stats`: what the dataplane has moved and what it has dropped, since the agent's start. */
import { Command } from "commander";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
  withVni,
} from "./client.ts";
import { onlyOverlay } from "./overlay-words.ts";
import { renderStats } from "./render-stats.ts";

export function statsCommand(): Command {
  const command = new Command("stats").description(
    "Show traffic, batch sizes and drops by reason since the agent's start. " +
      "tx is overlay to underlay (encapsulated here), rx is underlay to overlay.",
  );
  command.argument("[words...]").usage("[options] [dev <name>]");
  withVni(withJson(withSocket(command))).action(async (words: string[], options: ClientOptions) => {
    const stats = await clientFor(options).stats(onlyOverlay(words, options.vni));
    if (options.json) printJson(stats);
    else print(renderStats(stats, stdoutStyle()));
  });
  return command;
}
