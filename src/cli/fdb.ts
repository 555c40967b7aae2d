/** `poplin fdb`: the forwarding table of the running agent, in the words of `bridge fdb`. */
import { Command } from "commander";
import type { FdbChange } from "../dataplane/options.ts";
import { formatMacKey, parseMac } from "../wire/bytes.ts";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { deviceOf, fdbJson, fdbLines, parseChange } from "./fdb-words.ts";

const CHANGES: readonly { op: FdbChange["op"]; about: string; usage: string; example: string }[] = [
  {
    op: "add",
    about: "Add a row; fails when the MAC has one.",
    usage: "<mac> dst <ip> [port <n>]",
    example: "aa:bb:cc:dd:ee:ff dst 172.19.0.3",
  },
  {
    op: "replace",
    about: "Add a row, or change the one the MAC has.",
    usage: "<mac> dst <ip> [port <n>]",
    example: "aa:bb:cc:dd:ee:ff dst 172.19.0.4",
  },
  {
    op: "del",
    about: "Remove the MAC's row; fails when there is none.",
    usage: "<mac>",
    example: "aa:bb:cc:dd:ee:ff",
  },
];

export function fdbCommand(): Command {
  const command = withJson(withSocket(new Command("fdb"))).description(
    "Show or change the forwarding table: which VTEP (dst) a frame to a MAC is sent to. " +
      "Changes are not written to the configuration: at the agent's next start they are gone.",
  );
  const show = new Command("show").description("List the rows, in the words of `bridge fdb show`.");
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
      .addHelpText("after", `\nExample:\n  poplin fdb ${op} ${example}`);
    change.action((words: string[]) => changeRow(change.optsWithGlobals(), parseChange(op, words)));
    command.addCommand(change);
  }
  return command;
}

/** Silent where it works, as `bridge fdb` is; with -j the row as it is then, and {} for one that has gone. */
async function changeRow(options: ClientOptions, change: FdbChange): Promise<void> {
  const client = clientFor(options);
  await client.changeFdb(change);
  if (!options.json) return;
  if (change.op === "del") return printJson({});
  const { hi, lo } = parseMac(change.mac);
  const mac = formatMacKey(hi, lo);
  const [status, rows] = await Promise.all([client.status(), client.fdb()]);
  const [row = {}] = fdbJson(
    rows.filter((one) => one.mac === mac),
    deviceOf(status),
  );
  printJson(row);
}

async function showRows(options: ClientOptions, words: readonly string[]): Promise<void> {
  if (words.length > 0) {
    throw new CliError(
      EXIT.usage,
      `unknown word "${words[0]}"`,
      "there are: poplin fdb show, add, replace and del",
    );
  }
  const client = clientFor(options);
  const [status, rows] = await Promise.all([client.status(), client.fdb()]);
  const device = deviceOf(status);
  if (options.json) printJson(fdbJson(rows, device));
  else print(fdbLines(rows, device));
}
