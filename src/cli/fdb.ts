/** `poplin fdb`: the forwarding table of the running agent, in the words of `bridge fdb`. */
import { Command } from "commander";
import type { OfDevice, OverlayChoice } from "../agent/api/agent-view.ts";
import type { ApiClient } from "../agent/api/client.ts";
import { ALL_ZEROS } from "../agent/flood.ts";
import type { FdbChange, FdbRow } from "../dataplane/options.ts";
import { isGroup } from "../fdb/fdb.ts";
import { formatMacKey, parseMac } from "../wire/bytes.ts";
import { type ClientOptions, clientFor, print, printJson, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { deviceOf, fdbJson, fdbLines, parseChange } from "./fdb-words.ts";
import { plural } from "./output.ts";
import { chosen, onlyOverlay } from "./overlay-words.ts";
import { whyLines } from "./render-why.ts";
import { checked, tableCommand, type Verb } from "./table-command.ts";

const VERBS: readonly Verb<FdbChange["op"]>[] = [
  {
    op: "add",
    about: "Add a row; fails when the MAC has one.",
    usage: "<mac> dst <ip> [port <n>]",
    example: "aa:bb:cc:dd:ee:ff dst 172.19.0.3",
  },
  {
    op: "append",
    about: "Add a VTEP to the row of a group's MAC, or of 00:00:00:00:00:00: every MAC without a row.",
    usage: "<mac> dst <ip> [port <n>]",
    example: "00:00:00:00:00:00 dst 172.19.0.3",
  },
  {
    op: "replace",
    about: "Add a row, or change the one the MAC has.",
    usage: "<mac> dst <ip> [port <n>]",
    example: "aa:bb:cc:dd:ee:ff dst 172.19.0.4",
  },
  {
    op: "del",
    about: "Remove the MAC's row, or one VTEP of several from it; fails when there is none.",
    usage: "<mac> [dst <ip> [port <n>]]",
    example: "aa:bb:cc:dd:ee:ff",
  },
];

export function fdbCommand(): Command {
  const command = tableCommand({
    name: "fdb",
    about: "the forwarding table: which VTEP (dst) a frame to a MAC is sent to",
    like: "bridge fdb show",
    verbs: VERBS,
    others: ["why", "flush"],
    show: showRows,
    change: (options, op, words, choice) => changeRow(options, parseChange(op, words), choice),
  });
  command.addCommand(whyCommand());
  command.addCommand(flushCommand());
  return command;
}

function whyCommand(): Command {
  const why = new Command("why")
    .description(
      "Say why a MAC's row is as it is: where it came from, and of a learned one from which packet, when, and how " +
        "often it has moved.",
    )
    .argument("<mac>")
    .argument("[words...]")
    .usage("<mac> [dev <name>]")
    .addHelpText("after", "\nExample:\n  poplin fdb why aa:bb:cc:dd:ee:ff");
  return why.action(async (text: string, words: string[]) => {
    const options: ClientOptions = why.optsWithGlobals();
    const client = clientFor(options);
    const mac = canonical(text);
    const choice = await checked(client, onlyOverlay(words, options.vni));
    const reasons = await client.why(mac, choice);
    if (reasons.length === 0) throw await noRow(mac, client, choice);
    const status = await client.status();
    const device = ({ dev }: OfDevice<FdbRow>) => deviceOf(status, chosen(status, { dev })[0]);
    if (!options.json) {
      const leaseOf = (row: OfDevice<FdbRow>) => device(row).leases.get(row.mac);
      return print(whyLines(reasons, leaseOf, stdoutStyle(), Date.now()));
    }
    printJson(reasons.map(({ row, lesson }) => ({ ...fdbJson([row], device(row))[0], lesson })));
  });
}

/** Says where frames to a MAC without a row go. */
async function noRow(mac: string, client: ApiClient, choice: OverlayChoice): Promise<CliError> {
  const flooded = mac === ALL_ZEROS ? [] : await client.why(ALL_ZEROS, choice);
  const targets = flooded.map(({ row }) => row.dst).join(", ");
  const fate = targets === "" ? "dropped (NO_TX_TARGET)" : `flooded to ${targets}`;
  const remedy = isGroupMac(mac)
    ? `\`poplin fdb append ${mac} dst <ip>\` gives it one`
    : "a row comes with `poplin fdb add`, with a peer, or with a frame from it where `learning` is on";
  return new CliError(EXIT.failed, `${mac} has no row: frames to it are ${fate}`, remedy);
}

function flushCommand(): Command {
  const flush = new Command("flush")
    .description("Forget every learned row; static ones stay.")
    .argument("[words...]")
    .usage("[options] [dev <name>]");
  return flush.action(async (words: string[]) => {
    const options: ClientOptions = flush.optsWithGlobals();
    const client = clientFor(options);
    const flushed = await client.flushFdb(await checked(client, onlyOverlay(words, options.vni)));
    if (options.json) printJson({ flushed });
    else print([`${plural(flushed, "learned row")} forgotten`]);
  });
}

function canonical(text: string): string {
  try {
    const { hi, lo } = parseMac(text);
    return formatMacKey(hi, lo);
  } catch (error) {
    throw new CliError(EXIT.usage, (error as Error).message, "such as: poplin fdb why aa:bb:cc:dd:ee:ff");
  }
}

function isGroupMac(mac: string): boolean {
  const { hi, lo } = parseMac(mac);
  return isGroup(hi, lo);
}

/** Silent where it works, as `bridge fdb` is; with -j the row as it is then, and {} for one that has gone. */
async function changeRow(options: ClientOptions, change: FdbChange, choice: OverlayChoice): Promise<void> {
  const client = clientFor(options);
  await client.changeFdb(change, await checked(client, choice));
  if (!options.json) return;
  if (change.op === "del") return printJson({});
  const mac = canonical(change.mac);
  const [status, rows] = await Promise.all([client.status(), client.fdb(choice)]);
  const mine = rows.filter((one) => one.mac === mac);
  const device = deviceOf(status, chosen(status, choice)[0]);
  // Of several VTEPs the one that this was about: the last.
  const [row = {}] = fdbJson(change.op === "append" ? mine.slice(-1) : mine, device);
  printJson(row);
}

async function showRows(options: ClientOptions, choice: OverlayChoice): Promise<void> {
  const client = clientFor(options);
  const [status, rows] = await Promise.all([client.status(), client.fdb()]);
  const overlays = chosen(status, choice);
  const named = overlays.length > 1;
  const each = overlays.map((overlay) => {
    const device = deviceOf(status, overlay);
    return { own: rows.filter(({ dev }) => dev === device.name), device };
  });
  if (options.json) printJson(each.flatMap(({ own, device }) => fdbJson(own, device)));
  else print(each.flatMap(({ own, device }) => fdbLines(own, device, named)));
}
