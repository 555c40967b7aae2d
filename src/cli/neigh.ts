/** `poplin neigh`: the addresses that the running agent answers for, in the words of `ip neigh`. */
import { Command } from "commander";
import type { NeighbourChange } from "../dataplane/options.ts";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket, withVni } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { neighbourJson, neighbourLines, parseNeighbourChange } from "./neigh-words.ts";
import { chooseOverlay, chosen, chosenVni, type OverlayChoice } from "./overlay-words.ts";

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
  const command = withVni(withJson(withSocket(new Command("neigh")))).description(
    "Show or change the table of neighbours: with which MAC an address is answered for (the setting `proxy`). " +
      "Changes are not written to the configuration: at the agent's next start they are gone.",
  );
  const show = new Command("show").description("List the rows, in the words of `ip neigh show`.");
  // As the default it also gets a mistyped verb, which it can name better than "too many arguments".
  show
    .argument("[words...]")
    .usage("[options] [dev <name>]")
    .action((words: string[]) => showRows(show.optsWithGlobals(), words));
  command.addCommand(show, { isDefault: true });
  for (const { op, about, usage, example } of CHANGES) {
    const change = new Command(op)
      .description(about)
      .argument("[words...]")
      .usage(usage)
      .addHelpText("after", `\nExample:\n  poplin neigh ${op} ${example}`);
    change.action((words: string[]) => {
      const options: ClientOptions = change.optsWithGlobals();
      const { choice, rest } = chooseOverlay(words, options.vni);
      return changeRow(options, parseNeighbourChange(op, rest), choice);
    });
    command.addCommand(change);
  }
  return command;
}

/** Silent where it works, as `ip neigh` is; with -j the change as it was asked for. */
async function changeRow(
  options: ClientOptions,
  change: NeighbourChange,
  choice: OverlayChoice,
): Promise<void> {
  const client = clientFor(options);
  const said = choice.dev !== undefined || choice.vni !== undefined;
  await client.changeNeighbour(change, said ? chosenVni(await client.status(), choice) : undefined);
  if (options.json) printJson(change.op === "del" ? {} : { dst: change.address, lladdr: change.mac });
}

async function showRows(options: ClientOptions, words: readonly string[]): Promise<void> {
  const { choice, rest } = chooseOverlay(words, options.vni);
  if (rest.length > 0) {
    const verbs = "there are: poplin neigh show, add, replace and del";
    throw new CliError(EXIT.usage, `unknown word "${rest[0]}"`, verbs);
  }
  const client = clientFor(options);
  const [status, rows] = await Promise.all([client.status(), client.neighbours()]);
  const overlays = chosen(status, choice);
  const each = overlays.map(({ device }) => ({
    name: device.name,
    own: status.overlays.length === 1 ? rows : rows.filter(({ vni }) => vni === device.vni),
  }));
  if (options.json) printJson(each.flatMap(({ own, name }) => neighbourJson(own, name)));
  else print(each.flatMap(({ own, name }) => neighbourLines(own, overlays.length > 1 ? name : null)));
}
