/** `poplin neigh`: the addresses that the running agent answers for, in the words of `ip neigh`. */
import { Command } from "commander";
import type { NeighbourChange } from "../dataplane/options.ts";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { neighbourJson, neighbourLines, parseNeighbourChange } from "./neigh-words.ts";

const ROW = "<address> lladdr <mac>";

const CHANGES: readonly { op: NeighbourChange["op"]; about: string; usage: string; example: string }[] = [
  {
    op: "add",
    about: "Add a row; fails when the address has one.",
    usage: ROW,
    example: "10.0.0.5 lladdr 02:00:00:00:00:05",
  },
  {
    op: "replace",
    about: "Add a row, or change the one the address has.",
    usage: ROW,
    example: "10.0.0.5 lladdr 02:00:00:00:00:06",
  },
  {
    op: "del",
    about: "Remove the address's row; fails when there is none.",
    usage: "<address>",
    example: "10.0.0.5",
  },
];

export function neighCommand(): Command {
  const command = withJson(withSocket(new Command("neigh"))).description(
    "Show or change the table of neighbours: with which MAC an address is answered for (the setting `proxy`). " +
      "Changes are not written to the configuration: at the agent's next start they are gone.",
  );
  const show = new Command("show").description("List the rows, in the words of `ip neigh show`.");
  // As the default it also gets a mistyped verb, which it can name better than "too many arguments".
  show
    .argument("[words...]")
    .usage("[options]")
    .action((words: string[]) => showRows(show.optsWithGlobals(), words));
  command.addCommand(show, { isDefault: true });
  for (const { op, about, usage, example } of CHANGES) {
    const change = new Command(op)
      .description(about)
      .argument("[words...]")
      .usage(usage)
      .addHelpText("after", `\nExample:\n  poplin neigh ${op} ${example}`);
    change.action((words: string[]) => changeRow(change.optsWithGlobals(), parseNeighbourChange(op, words)));
    command.addCommand(change);
  }
  return command;
}

/** Silent where it works, as `ip neigh` is; with -j the change as it was asked for. */
async function changeRow(options: ClientOptions, change: NeighbourChange): Promise<void> {
  await clientFor(options).changeNeighbour(change);
  if (options.json) printJson(change.op === "del" ? {} : { dst: change.address, lladdr: change.mac });
}

async function showRows(options: ClientOptions, words: readonly string[]): Promise<void> {
  if (words.length > 0) {
    const verbs = "there are: poplin neigh show, add, replace and del";
    throw new CliError(EXIT.usage, `unknown word "${words[0]}"`, verbs);
  }
  const client = clientFor(options);
  if (!options.json) return print(neighbourLines(await client.neighbours()));
  const [status, rows] = await Promise.all([client.status(), client.neighbours()]);
  printJson(neighbourJson(rows, status.device.name));
}
