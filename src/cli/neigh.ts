/** `poplin neigh`: the addresses that the running agent answers for, in the words of `ip neigh`. */
import type { Command } from "commander";
import type { OverlayChoice } from "../agent/api/agent-view.ts";
import type { NeighbourChange } from "../dataplane/options.ts";
import { type ClientOptions, clientFor, print, printJson } from "./client.ts";
import { neighbourJson, neighbourLines, parseNeighbourChange } from "./neigh-words.ts";
import { chosen } from "./overlay-words.ts";
import { checked, tableCommand, type Verb } from "./table-command.ts";

const ROW = "<address> lladdr <mac>";

const VERBS: readonly Verb<NeighbourChange["op"]>[] = [
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
  return tableCommand({
    name: "neigh",
    about: "the table of neighbours: with which MAC an address is answered for (the setting `proxy`)",
    like: "ip neigh show",
    verbs: VERBS,
    others: [],
    show: showRows,
    change: (options, op, words, choice) => changeRow(options, parseNeighbourChange(op, words), choice),
  });
}

/** Silent where it works, as `ip neigh` is; with -j the change as it was asked for. */
async function changeRow(
  options: ClientOptions,
  change: NeighbourChange,
  choice: OverlayChoice,
): Promise<void> {
  const client = clientFor(options);
  await client.changeNeighbour(change, await checked(client, choice));
  if (options.json) printJson(change.op === "del" ? {} : { dst: change.address, lladdr: change.mac });
}

async function showRows(options: ClientOptions, choice: OverlayChoice): Promise<void> {
  const client = clientFor(options);
  const [status, rows] = await Promise.all([client.status(), client.neighbours()]);
  const overlays = chosen(status, choice);
  const each = overlays.map(({ device }) => ({
    name: device.name,
    own: rows.filter(({ dev }) => dev === device.name),
  }));
  if (options.json) printJson(each.flatMap(({ own, name }) => neighbourJson(own, name)));
  else print(each.flatMap(({ own, name }) => neighbourLines(own, overlays.length > 1 ? name : null)));
}
